import { existsSync, globSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Test } from 'mocha';
import { z } from 'zod';
import { eventually } from '../support/rig.ts';
import { killAt, killHolding, killsOf, record, untilNoneHeld, type Kill } from './crash.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { startCrashWorld, type CrashWorld } from './world.ts';

/** The scenario in which each flow does its work, and a step of it that only this flow does there. */
const FLOWS: Readonly<Record<string, readonly [scenario: string, step: RegExp]>> = {
  'images/upload': ['an upload', /^orthanc: POST \/instances$/],
  'images/follow': ['an image', /^postgres: INSERT INTO feed_cursor$/],
  'linking/label': ['an order for images that are there', /^orthanc: PUT .*\/labels\/ris-linked$/],
  'linking/link': ['an image', /^postgres: UPDATE dicom_studies$/],
  'images/mirror': ['an image', /^blob: PUT thumbnails$/],
  'texts/plan': ['a final report', /^postgres: INSERT INTO sms_messages$/],
  'ris/receive': ['an order for images that are there', /^hl7: ACK$/],
  'ris/keep': ['a final report', /^postgres: INSERT INTO reports$/],
  'linking/check-labels': [
    'a sweep that finds an image too many, one too few and a label gone',
    /^postgres: add job label-study$/,
  ],
  'images/sweep': ['a sweep that finds an image too many, one too few and a label gone', /^orthanc: GET \/instances$/],
  'texts/record-opt-choice': ['a patient’s STOP', /^postgres: INSERT INTO sms_opt_outs$/],
  'images/remove-blobs': ['a patient corrected in Orthanc', /^blob: DELETE thumbnails$/],
  'images/remove-deleted': ['a patient corrected in Orthanc', /^postgres: DELETE FROM images$/],
  'operators/replay': ['a replay by an operator', /^postgres: UPDATE hl7_messages$/],
  'operators/retry-images': ['a failed image that an operator has mirrored again', /^postgres: add job mirror-image$/],
  'operators/resolve': ['a link by an operator', /^http: answer to POST .*\/link$/],
  'texts/send': ['a final report', /^twilio: POST Messages$/],
  'images/take': ['an image', /^postgres: INSERT INTO dicom_studies$/],
  'images/take-apart': [
    'a sweep that finds an image too many, one too few and a label gone',
    /^postgres: DELETE FROM failures$/,
  ],
};

/** Flows that no event of a day runs: by hand, by the clock, or for a syslog server; and their tests. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'linking/try-matching': 'linking/match-try.test.ts',
  'backup/back-up': 'backup/backups.test.ts',
  'backup/count-missing': 'backup/backups.test.ts',
  'backup/draw-lost-again': 'backup/draw-lost-again.test.ts',
  'audit/export': 'audit/flows/export.test.ts',
  'backup/forget-old': 'backup/io/retention-rows.test.ts',
  'backup/restore': 'backup/backups.test.ts',
  'operators/end-work': 'operators/done.test.ts',
  'operators/hold': 'operators/texts.test.ts',
  'operators/decide-text': 'operators/texts.test.ts',
  'doctor/try-phantom': 'doctor/doctor.test.ts',
  'audit/verify': 'audit/io/rows.test.ts',
  'operators/withdraw-merge': 'operators/merges.test.ts',
  'operators/withdraw-order': 'operators/hl7.test.ts',
};

/** So many processes are killed at once, each in a world of its own. */
const LANES = 2;
/** Each start writes a row of its own, which would be taken for the one that is waited for. */
const OF_A_START = 'postgres: INSERT INTO audit_log';
const POINT_MS = 120_000;
const IDLE_MS = 1500;

/** So many in a row, at most, leave nothing before the process is let go on. */
const LONGEST_RUN = 15;

/**
 * The part of a day that every run of the tests is killed in; "" (`npm run test:crash`) is all of it, and part of a
 * scenario's name that one alone. What holds for all flows and tasks is looked at where all are played.
 */
const ONLY = process.env['CRASH_ONLY'];
const ALWAYS = new Set(['an order for images that are there', 'an image', 'a final report']);
const isPlayed = ({ name }: Scenario): boolean => (ONLY === undefined ? ALWAYS.has(name) : name.includes(ONLY));

interface Planned extends Kill {
  readonly outcome: PromiseWithResolvers<undefined>;
}

const titleOf = ({ scenario, point: { when, step, nth } }: Kill): string =>
  `${scenario.name}: ${when} ${step}${nth > 1 ? ` (${nth})` : ''}`;

async function plan(world: CrashWorld): Promise<Planned[]> {
  await world.start();
  await eventually(
    'the feed to be read',
    async () => (await world.rows('SELECT 1 FROM feed_cursor', z.unknown())).length > 0,
  );
  // What comes while nothing happens is a step of none.
  const stop = world.conductor.record();
  await sleep(IDLE_MS);
  const idle = new Set(stop().map(({ name }) => name));
  const planned: Planned[] = [];
  for (const [index, scenario] of SCENARIOS.filter(isPlayed).entries()) {
    const recordings = [await record(world, scenario), await record(world, scenario)];
    const kills = killsOf(scenario, recordings, index === 0).filter(
      ({ point }) => !idle.has(point.step) && point.step !== OF_A_START,
    );
    planned.push(...kills.map((kill) => ({ ...kill, outcome: Promise.withResolvers<undefined>() })));
  }
  return planned;
}

/** Kills that go together: those in a row that leave nothing, and the one after them. */
function together(planned: readonly Planned[]): Planned[][] {
  const groups: Planned[][] = [];
  for (const kill of planned) {
    const group = groups.at(-1);
    const before = group?.at(-1);
    const isNext = before?.leavesNothing === true && before.scenario === kill.scenario && kill.point.when === 'before';
    if (isNext && group !== undefined && group.length < LONGEST_RUN) group.push(kill);
    else groups.push([kill]);
  }
  return groups;
}

interface Lane {
  readonly world: CrashWorld;
  /** Looks, one for each kill that was survived, whether all is still as it must be. */
  readonly survived: (() => Promise<string[]>)[];
}

async function killAll({ world, survived }: Lane, groups: Planned[][]): Promise<void> {
  for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
    const waiting = new Map<Kill, Planned>(group.map((kill) => [kill, kill]));
    const done = (kill: Kill): void => {
      waiting.get(kill)?.outcome.resolve(undefined);
      waiting.delete(kill);
    };
    const [first] = group;
    if (first === undefined) continue;
    try {
      survived.push(await killAt(world, first.scenario, group, { done }));
      for (const { outcome } of waiting.values()) outcome.resolve(undefined);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const failure = new Error(`${message}\n${world.output().slice(-2000)}`, { cause: error });
      for (const { outcome } of waiting.values()) outcome.reject(failure);
      await world.kill();
    }
  }
}

/** Each task of the job queue with a scenario in which it is done. */
const TASKS: readonly (readonly [task: string, scenario: string])[] = [
  ['label-study', 'an order for images that are there'],
  ['mirror-image', 'an image'],
  ['send-sms', 'a final report'],
  ['look-for-deleted', 'a patient corrected in Orthanc'],
  ['remove-blobs', 'a patient corrected in Orthanc'],
];

async function leavesNoneHeld({ world }: Lane): Promise<void> {
  for (const [task, name] of TASKS) {
    const scenario = SCENARIOS.find((one) => one.name === name);
    if (scenario !== undefined) await killHolding(world, scenario, task);
  }
  await world.start();
  await untilNoneHeld(world);
}

describe('killed at any step, a restart is all it needs', function () {
  this.timeout(POINT_MS);
  const stack = new AsyncDisposableStack();
  const planned: Planned[] = [];
  const running: Promise<void>[] = [];

  before(async function () {
    const worlds = await Promise.all(Array.from({ length: LANES }, () => startCrashWorld()));
    for (const world of worlds) stack.use(world);
    const [first] = worlds;
    if (first !== undefined) planned.push(...(await plan(first)));
    for (const kill of planned) {
      kill.outcome.promise.catch(() => undefined);
      this.test?.parent?.addTest(new Test(titleOf(kill), () => kill.outcome.promise));
    }
    const groups = together(planned);
    const lanes = worlds.map((world): Lane => ({ world, survived: [] }));
    running.push(...lanes.map((lane) => killAll(lane, groups)));
    const last = (title: string, check: (lane: Lane) => Promise<void>): void => {
      this.test?.parent?.addTest(
        new Test(title, async () => {
          await Promise.all(running);
          await Promise.all(lanes.map(check));
        }),
      );
    };
    last('and so it stays', async ({ survived }) => {
      for (const look of survived) expect(await look()).to.deep.equal([]);
    });
    if (ONLY === '') last('no job stays with a killed process', leavesNoneHeld);
  });
  after(async () => {
    await Promise.allSettled(running);
    await stack.disposeAsync();
  });

  it('knows a step of every flow', () => {
    const flows = globSync('*/flows/*.ts', { cwd: fileURLToPath(new URL('../../', import.meta.url)) }).map((file) =>
      file.replace('/flows/', '/').replace(/\.ts$/, ''),
    );
    expect([...Object.keys(FLOWS), ...Object.keys(ELSEWHERE)]).to.have.members(flows);
    expect(
      Object.values(ELSEWHERE).filter((test) => !existsSync(new URL(`../${test}`, import.meta.url))),
    ).to.deep.equal([]);
    if (ONLY !== '') return;
    const without = Object.entries(FLOWS).filter(
      ([, [name, step]]) => !planned.some(({ scenario, point }) => scenario.name === name && step.test(point.step)),
    );
    expect(without.map(([flow]) => flow)).to.deep.equal([]);
  });
});
