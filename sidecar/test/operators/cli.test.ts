import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { z } from 'zod';
import { crImage } from '../../dev/phantoms.ts';
import { orm, oru } from '../../dev/ris-messages.ts';
import { orthancRest } from '../support/orthanc-rest.ts';
import { DAY, orderOf, person, reportOf, tagsOf } from '../support/people.ts';
import { startRig, type Rig } from '../support/rig.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const WORK = z.array(
  z.object({ kind: z.string(), subject: z.string(), reason: z.string().nullable(), patient: z.string().nullable() }),
);
const STUDY = z.object({
  status: z.string(),
  rule: z.string(),
  reason: z.string().nullable(),
  decidedBy: z.string(),
  accessionNumber: z.string().nullable(),
  tags: z.array(z.object({ patientName: z.string() })),
  candidates: z.array(z.object({ accessionNumber: z.string(), patient: z.object({ name: z.string() }) })),
  history: z.array(z.object({ by: z.string(), status: z.string(), rule: z.string(), reason: z.string().nullable() })),
  series: z.array(z.object({ images: z.number(), mirrored: z.number() })),
});

describe('operators', () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig();
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const run = (command: string, args: string[]): Promise<{ code: number; out: string; err: string }> =>
    new Promise((resolve) => {
      const env = { ...rig.environment, PATH: '/usr/local/bin:/usr/bin:/bin', HOME: process.env.HOME };
      execFile(command, args, { cwd: ROOT, env }, (error, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
      });
    });
  const axis = (...args: string[]) => run(process.execPath, ['sidecar/cli.ts', ...args]);
  const json = async <T>(schema: z.ZodType<T>, ...args: string[]): Promise<T> => {
    const { code, out, err } = await axis(...args, '--json');
    expect(code, err).to.equal(0);
    return schema.parse(JSON.parse(out));
  };
  const taken = async (message: string) => {
    expect(await rig.ris.send(message)).to.contain('MSA|AA|');
  };
  const labels = async (uid: string) => {
    await rig.settled();
    const [study] = await rig.rows(
      `SELECT orthanc_id AS id FROM dicom_study_tags t JOIN dicom_studies d ON d.id = t.dicom_study_id WHERE study_instance_uid = $1`,
      z.object({ id: z.string() }),
      [uid],
    );
    return orthancRest(rig.orthanc, 'GET', `/studies/${study!.id}/labels`);
  };
  const said = ['--who', 'Ann Radiographer', '--why', 'asked the patient'];

  it('link a review, which frees the held text and outlasts later automatic decisions', async () => {
    const [right, wrong] = [person('O1'), person('O2', { name: 'SMITH^Jane', birthDate: '19500505' })];
    await taken(orm(rig.head(), right, orderOf('O1')));
    await rig.store(crImage(tagsOf(wrong, '2.25.3001', 'O1'), '2.25.3001.1'));
    await rig.settled();
    await taken(oru(rig.head(), right, reportOf('O1', 'F')));
    const work = await json(WORK, 'list');
    expect(work.map(({ kind, subject, reason }) => [kind, subject, reason])).to.deep.equal([
      ['review', '2.25.3001', 'patient-contradicts'],
      ['text-held', 'O1', 'study-in-review'],
    ]);
    const before = await json(STUDY, 'show', '2.25.3001');
    expect(before.candidates).to.deep.equal([{ accessionNumber: 'O1', patient: { name: right.name } }]);
    expect(before.tags[0]?.patientName).to.equal('SMITH^Jane');
    expect(before.series).to.deep.equal([{ images: 1, mirrored: 1 }]);

    const refused = await axis('link', '2.25.3001', 'O1', ...said);
    expect([refused.code, refused.out]).to.deep.equal([1, '']);
    expect(refused.err)
      .to.match(/name +SMITH\^Jane +NGUYEN\^PersonO1 +differs/)
      .and.to.contain('axis: patient-differs');
    expect(await json(STUDY, 'show', '2.25.3001')).to.include({ status: 'review' });
    const dry = await axis('link', '2.25.3001', 'O1', '--despite-patient', '--dry-run', ...said);
    expect(dry.out, dry.err)
      .to.match(/O1 +NGUYEN\^PersonO1, O1, 1980-01-02 +queued +…006/)
      .and.to.match(/labels +ris-linked report-final/i);
    expect(await json(STUDY, 'show', '2.25.3001')).to.include({ status: 'review' });
    const after = await json(STUDY, 'link', '2.25.3001', ' o1 ', '--despite-patient', ...said);
    expect(after).to.include({
      status: 'linked',
      rule: 'person',
      accessionNumber: 'O1',
      decidedBy: 'Ann Radiographer',
    });
    expect(after.history.map(({ by, status, reason }) => [by, status, reason])).to.deep.equal([
      ['rules', 'review', 'patient-contradicts'],
      ['Ann Radiographer', 'linked', 'asked the patient'],
    ]);
    expect(await labels('2.25.3001')).to.have.members(['ris-linked', 'report-final']);
    expect(rig.sandbox.messages.filter(({ body }) => body.endsWith('ref=O1'))).to.have.length(1);
    await taken(orm(rig.head(), { ...right, name: 'OTHER^Name' }, orderOf('O1')));
    expect(await json(STUDY, 'show', '2.25.3001')).to.include({ status: 'linked', rule: 'person' });
    const own = await rig.rows(
      `SELECT id FROM studies WHERE source = 'dicom' AND study_instance_uid = '2.25.3001'`,
      z.unknown(),
    );
    expect(own, 'nothing is left behind').to.have.length(0);
  });

  it('unlink what the rules linked, and release it to them again', async () => {
    const who = person('O3');
    await taken(orm(rig.head(), who, orderOf('O3')));
    await rig.store(crImage(tagsOf(who, '2.25.3003', 'O3'), '2.25.3003.1'));
    await rig.settled();
    expect(await json(STUDY, 'unlink', '2.25.3003', ...said)).to.include({
      status: 'provisional',
      accessionNumber: null,
    });
    expect(await labels('2.25.3003')).to.deep.equal(['ris-provisional']);
    await taken(orm(rig.head(), who, orderOf('O3')));
    expect(await json(STUDY, 'show', '2.25.3003')).to.include({ status: 'provisional', rule: 'person' });
    const released = await json(STUDY, 'release', '2.25.3003', ...said);
    expect(released).to.include({ status: 'linked', rule: 'accession', decidedBy: 'rules' });
    expect(released.history.map(({ by, rule }) => [by, rule])).to.deep.equal([
      ['rules', 'accession'],
      ['Ann Radiographer', 'person'],
      ['Ann Radiographer', 'released'],
      ['rules', 'accession'],
    ]);
    expect(await labels('2.25.3003')).to.deep.equal(['ris-linked']);
  });

  it('confirm the only candidate of a review, and are told where there are several', async () => {
    const who = person('O4');
    await taken(orm(rig.head(), who, orderOf('O4a')));
    await taken(orm(rig.head(), who, orderOf('O4b')));
    await rig.store(crImage(tagsOf(who, '2.25.3004'), '2.25.3004.1'));
    const stranger = person('O5', { name: 'DOE^John', birthDate: '19700707' });
    await rig.store(crImage(tagsOf(stranger, '2.25.3005', 'O4b'), '2.25.3005.1'));
    await rig.settled();
    const several = await axis('confirm', '2.25.3004', ...said);
    expect([several.code, several.err]).to.deep.equal([
      1,
      'axis: nothing-to-confirm: the review has 2 candidates: link it to one of them\n',
    ]);
    expect(await json(STUDY, 'confirm', '2.25.3005', '--despite-patient', ...said)).to.include({
      status: 'linked',
      accessionNumber: 'O4b',
    });
  });

  it('replay a refused message once what it lacked is mended, with no second effect', async () => {
    const who = person('O6');
    const refused = orm(rig.head(), who, orderOf('O6')).replace('ORM^O01', 'XXX^O01');
    expect(await rig.ris.send(refused)).to.contain('MSA|AR|');
    const [message] = (await json(WORK, 'list')).filter(({ kind }) => kind === 'message-refused');
    const again = await axis('replay', message!.subject, ...said);
    expect([again.code, again.err]).to.deep.equal([1, 'axis: message-refused: this message type is not taken\n']);
    await rig.execute(
      `UPDATE hl7_messages SET raw = convert_to(replace(convert_from(raw, 'UTF8'), 'XXX^O01', 'ORM^O01'), 'UTF8') WHERE id = $1`,
      [message!.subject],
    );
    for (const time of ['first', 'second']) {
      expect((await axis('replay', message!.subject, ...said)).code, time).to.equal(0);
    }
    const [row] = await rig.rows(
      `SELECT answer, acknowledgment LIKE '%MSA|AA|%' AS accepted, replayed_by, replay_reason, replayed_at IS NOT NULL AS at,
              (SELECT count(*)::int FROM studies WHERE accession_number = 'O6') AS studies,
              (SELECT count(*)::int FROM study_facts WHERE accession_key = 'O6') AS facts
       FROM hl7_messages WHERE id = $1`,
      z.unknown(),
      [message!.subject],
    );
    expect(row).to.deep.equal({
      answer: 'AA',
      accepted: true,
      replayed_by: 'Ann Radiographer',
      replay_reason: 'asked the patient',
      at: true,
      studies: 1,
      facts: 1,
    });
  });

  it('have failed images tried again', async () => {
    const fail = `UPDATE images SET mirror_status = 'failed', mirror_reason = 'render-crashed', image_url = NULL,
                                    thumbnail_url = NULL, mirrored_at = NULL WHERE sop_instance_uid LIKE '2.25.300%'`;
    await rig.execute(fail);
    const listed = (await json(WORK, 'list')).filter(({ kind }) => kind === 'image-failed');
    expect(listed.find(({ subject }) => subject === '2.25.3001')).to.include({
      subject: '2.25.3001',
      reason: 'render-crashed (2.25.3001.1.1)',
    });
    const images = z.object({ images: z.number() });
    expect(await json(images, 'retry', 'image', '2.25.3001.1.1', ...said)).to.deep.equal({ images: 1 });
    expect(await json(images, 'retry', 'study', '2.25.3003', ...said)).to.deep.equal({ images: 1 });
    const all = await axis('retry', 'images', ...said);
    expect(all.out, all.err).to.equal(`images to be tried again: ${listed.length - 2}\n`);
    await rig.settled();
    const mirrored = `SELECT count(*) FILTER (WHERE mirror_status <> 'mirrored')::int AS others FROM images`;
    expect(await rig.rows(mirrored, z.unknown())).to.deep.equal([{ others: 0 }]);
    for (const args of [
      ['retry', 'image', ...said],
      ['retry', 'study', '2.25.3003', '--reason', 'x', ...said],
    ]) {
      expect((await axis(...args)).code, args.join(' ')).to.equal(2);
    }
  });

  it('read tables, and are told what was not understood or not found', async () => {
    const study = await axis('show', '2.25.3001');
    expect(study.out).to.contain('Ann Radiographer').and.to.contain(DAY.slice(0, 4));
    const asOnAHost = await run('npx', ['axis', 'list']);
    expect(asOnAHost.out, asOnAHost.err).to.match(/^\d+ to see to: .+\n\nWHAT +SUBJECT +ACCESSION/);
    expect((await axis('show', '1.2.3')).err).to.equal(
      'axis: study-unknown: no such Study Instance UID, accession number, message id\n',
    );
    const order = await axis('show', 'o1');
    expect(order.out, order.err)
      .to.match(/^ORDER +O1\n/)
      .and.to.contain('2.25.3001');
    const [{ id } = { id: '' }] = await rig.rows(
      'SELECT CAST(min(id) AS text) AS id FROM hl7_messages',
      z.object({ id: z.string() }),
    );
    const message = await axis('show', id, '--as', 'message');
    expect(message.out, message.err)
      .to.match(/^MESSAGE +\d+\n/)
      .and.to.contain('ORM^O01');
    expect((await axis('help', 'link')).out).to.contain('usage: axis link');
    expect((await axis('link', '2.25.3001', 'nowhere', ...said)).err).to.match(/^axis: accession-unknown/);
    for (const args of [['link', '2.25.3001', 'O1'], ['nonsense'], [], ['show'], ['list', '--wrong']]) {
      const { code, err } = await axis(...args);
      expect([code, err.includes('usage: axis')], args.join(' ')).to.deep.equal([2, true]);
    }
    for (const line of rig.logged) expect(line).not.to.match(/nguyen|smith/i);
  });
});
