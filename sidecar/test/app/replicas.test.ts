import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { z } from 'zod';
import { crImage } from '../../dev/phantoms.ts';
import { connectRis } from '../../dev/ris.ts';
import { orm, oru } from '../../dev/ris-messages.ts';
import { orderOf, person, reportOf, tagsOf } from '../support/people.ts';
import { exitCode, listening, run, type Run } from '../support/process.ts';
import { eventually, startRig, type Rig } from '../support/rig.ts';

const FOLLOWS = 'this process follows the feed';
const JOB = z.object({ locked_by: z.string().nullable(), attempts: z.number() });

/** Says which of the two leads, and which waits. */
async function leaderOf(runs: readonly Run[]): Promise<{ leader: Run; other: Run }> {
  const leads = ({ lines }: Run): boolean => lines().some(({ msg }) => msg === FOLLOWS);
  await eventually('one to lead', () => Promise.resolve(runs.some(leads)));
  const [leader, other] = runs.toSorted((a, b) => Number(leads(b)) - Number(leads(a)));
  if (leader === undefined || other === undefined) throw new Error('two are needed');
  expect(leads(other)).to.equal(false);
  return { leader, other };
}

describe('two sidecars on one database', () => {
  let rig: Rig;
  let runs: Run[] = [];
  before(async () => {
    rig = await startRig();
    await rig.stopSidecar();
  });
  beforeEach(async () => {
    runs = [run(rig.environment), run(rig.environment)];
    await Promise.all(runs.map(listening));
  });
  afterEach(async () => {
    for (const { child } of runs) child.kill('SIGKILL');
    await Promise.all(runs.map(exitCode));
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });
  const portOf = async (one: Run): Promise<number> => (await listening(one)).hl7Port;
  const taken = async (one: Run, ...messages: string[]): Promise<void> => {
    await using ris = await connectRis(await portOf(one));
    for (const message of messages) expect(await ris.send(message)).to.contain('MSA|AA|');
  };
  const links = (uid: string): Promise<void> =>
    rig.until(
      `${uid} to be linked`,
      `SELECT EXISTS (SELECT 1 FROM dicom_studies WHERE study_instance_uid = $1 AND status = 'linked')`,
      [uid],
    );
  const ready = async (one: Run): Promise<boolean> => {
    const { httpPort } = await listening(one);
    return (await fetch(`http://127.0.0.1:${httpPort}/readyz`)).status === 200;
  };

  it('both take HL7 and are ready, one follows the feed, and the other takes over once that one is killed', async () => {
    const { leader, other } = await leaderOf(runs);
    const [first, second] = [person('R1'), person('R2')];
    await taken(leader, orm(rig.head(), first, orderOf('RA1')));
    await taken(other, orm(rig.head(), second, orderOf('RA2')));
    await rig.store(crImage(tagsOf(first, '2.25.7001', 'RA1'), '2.25.7001.1'));
    await links('2.25.7001');
    expect(await Promise.all(runs.map(ready))).to.deep.equal([true, true]);
    leader.child.kill('SIGKILL');
    await rig.store(crImage(tagsOf(second, '2.25.7002', 'RA2'), '2.25.7002.1'));
    await links('2.25.7002');
    await rig.settled();
    expect(other.lines().map(({ msg }) => msg)).to.contain(FOLLOWS);
    await taken(other, oru(rig.head(), second, reportOf('RA2', 'F')));
    await rig.settled();
    expect(rig.sandbox.messages).to.have.length(1);
  });

  it('the other takes over from one that hangs, and what that one does when it wakes up changes nothing', async () => {
    const { leader, other } = await leaderOf(runs);
    leader.child.kill('SIGSTOP');
    const patient = person('R3');
    await taken(other, orm(rig.head(), patient, orderOf('RA3')));
    await rig.store(crImage(tagsOf(patient, '2.25.7003', 'RA3'), '2.25.7003.1'));
    await links('2.25.7003');
    leader.child.kill('SIGCONT');
    await eventually('the woken one to know', () =>
      Promise.resolve(leader.lines().some(({ msg }) => msg.startsWith('the session that keeps the lead was lost'))),
    );
    const count = z.object({ images: z.number() });
    const images = await rig.rows('SELECT count(*)::int AS images FROM images', count);
    await rig.store(crImage(tagsOf(patient, '2.25.7003', 'RA3'), '2.25.7003.2'));
    await rig.settled();
    expect(await rig.rows('SELECT count(*)::int - 1 AS images FROM images', count)).to.deep.equal(images);
  });

  it('a job in work is left to a process that lives, and handed on when that one is killed', async () => {
    const before = rig.sandbox.messages.length;
    const patient = person('R4');
    rig.sandbox.behave({ kind: 'hang', afterTaking: true });
    const [one] = runs;
    if (one === undefined) throw new Error('none');
    await taken(one, orm(rig.head(), patient, orderOf('RA4')), oru(rig.head(), patient, reportOf('RA4', 'F')));
    const jobs = () =>
      rig.rows(`SELECT locked_by, attempts FROM graphile_worker.jobs WHERE task_identifier = 'send-sms'`, JOB);
    await eventually('the text to be in work', async () => (await jobs())[0]?.locked_by !== null);
    const [held] = await jobs();
    // Longer than a job of a dead process is left alone, and shorter than a call of Twilio may take.
    await sleep(8_000);
    expect(await jobs()).to.deep.equal([held]);
    for (const { child } of runs) child.kill('SIGKILL');
    await Promise.all(runs.map(exitCode));
    runs = [run(rig.environment)];
    await rig.until(
      'the text to be settled',
      `SELECT bool_and(state = 'sent') FROM sms_messages WHERE body LIKE '%RA4'`,
    );
    expect(rig.sandbox.messages).to.have.length(before + 1);
  });

  it('connections to Postgres that are cut again and again end no process and leave nothing undone', async () => {
    const people = Array.from({ length: 12 }, (_, index) => person(`RC${index}`));
    const [one, two] = runs;
    if (one === undefined || two === undefined) throw new Error('none');
    const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name LIKE 'axis-sidecar%'`;
    const storing = (async () => {
      for (const [index, patient] of people.entries()) {
        await rig.store(
          ...[1, 2, 3, 4].map((n) => crImage(tagsOf(patient, `2.25.71${index}`, `RC${index}`), `2.25.71${index}.${n}`)),
        );
      }
    })();
    const done = new AbortController();
    const cutting = (async () => {
      while (!done.signal.aborted) {
        await rig.execute(cut);
        await sleep(120);
      }
    })();
    await storing;
    await sleep(2_000);
    done.abort();
    await cutting;
    // What failed several times would wait for minutes.
    const tryAgain =
      'UPDATE graphile_worker._private_jobs SET run_at = now() WHERE locked_at IS NULL AND run_at > now()';
    const settled = new AbortController();
    const hurrying = (async () => {
      while (!settled.signal.aborted) {
        await rig.execute(tryAgain);
        await sleep(500);
      }
    })();
    try {
      await rig.settled();
    } catch (error) {
      const ends = runs.map(({ child, output }) => `exit code ${child.exitCode}:\n${output().slice(-5000)}`);
      throw new Error(ends.join('\n'), { cause: error });
    } finally {
      settled.abort();
    }
    await hurrying;
    expect(runs.map(({ child }) => child.exitCode)).to.deep.equal([null, null]);
    const mirrored = `SELECT count(*)::int AS images FROM images WHERE mirror_status = 'mirrored' AND sop_instance_uid LIKE '2.25.71%'`;
    expect(await rig.rows(mirrored, z.object({ images: z.number() }))).to.deep.equal([{ images: 48 }]);
  });

  it('ends within ten seconds of SIGTERM though Orthanc does not answer', async () => {
    await rig.store(crImage(tagsOf(person('R9'), '2.25.7009'), '2.25.7009.1'));
    const { pid = 0 } = rig.orthanc;
    process.kill(pid, 'SIGSTOP');
    // Long enough for every loop to be waiting for it.
    await sleep(1_000);
    const stopped = Date.now();
    for (const { child } of runs) child.kill('SIGTERM');
    await Promise.all(runs.map(exitCode));
    process.kill(pid, 'SIGCONT');
    expect(Date.now() - stopped).to.be.lessThan(10_000);
  });
});
