import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { z } from 'zod';
import { ACTS } from '../../operators/definitions.ts';
import { newApiKey } from '../../access/io/api-keys.ts';
import { crImage, ctSeries } from '../../dev/phantoms.ts';
import { orm, oru } from '../../dev/ris-messages.ts';
import { orderOf, person, reportOf, tagsOf } from '../support/people.ts';
import { startRig, type Rig } from '../support/rig.ts';

const ERROR = z.object({ error: z.string(), detail: z.string() });
const STUDY = z.object({
  status: z.string(),
  rule: z.string(),
  reason: z.string().nullable(),
  decidedBy: z.string(),
  accessionNumber: z.string().nullable(),
});
const WORK = z.array(z.object({ kind: z.string(), subject: z.string(), reason: z.string().nullable() }));
const OPERATION = z.object({ operationId: z.string(), responses: z.record(z.string(), z.unknown()) });
const DESCRIPTION = z.object({
  openapi: z.string(),
  paths: z.record(z.string(), z.record(z.string(), OPERATION)),
});

describe('the operators’ API', () => {
  const { key, entry } = newApiKey('desk', randomBytes(32));
  let rig: Rig;
  before(async () => {
    rig = await startRig({ OPERATOR_API_KEYS: entry });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });
  const call = async (method: string, path: string, body?: unknown, headers?: Record<string, string>) => {
    const response = await fetch(`http://127.0.0.1:${rig.sidecar.httpPort}${path}`, {
      method,
      headers: headers ?? { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const answer: unknown = await response.json();
    return { status: response.status, answer };
  };
  const failed = async (...request: Parameters<typeof call>) => {
    const { status, answer } = await call(...request);
    return [status, ERROR.parse(answer).error];
  };
  const act = async (uid: string, kind: string, more: object = {}) => {
    const said = { who: 'Ann Radiographer', why: 'asked the patient', ...more };
    const { status, answer } = await call('POST', `/api/operator/studies/${uid}/${kind}`, said);
    expect(status, JSON.stringify(answer)).to.equal(200);
    return STUDY.parse(answer);
  };
  const taken = async (message: string) => {
    expect(await rig.ris.send(message)).to.contain('MSA|AA|');
  };

  it('lets in nobody without a key of the operators’, and no operator to the upload', async () => {
    expect(await failed('GET', '/api/operator/work', undefined, {})).to.deep.equal([401, 'unauthorized']);
    const uploader = { 'X-API-Key': rig.apiKey };
    expect(await failed('GET', '/api/operator/work', undefined, uploader)).to.deep.equal([401, 'unauthorized']);
    expect(await failed('POST', '/api/operator/studies/1.2/link', {}, uploader)).to.deep.equal([401, 'unauthorized']);
    expect(await failed('POST', '/api/modality/dicom', undefined, { 'X-API-Key': key })).to.deep.equal([
      401,
      'unauthorized',
    ]);
    expect((await call('GET', '/api/operator/work', undefined, { 'X-API-Key': key })).status).to.equal(200);
  });

  it('lists and shows what needs a person, and keeps who and why of what one decides', async () => {
    const [right, wrong] = [person('H1'), person('H2', { name: 'SMITH^Jane', birthDate: '19500505' })];
    await taken(orm(rig.head(), right, orderOf('H1')));
    await rig.store(crImage(tagsOf(wrong, '2.25.4001', 'H1'), '2.25.4001.1'));
    await rig.settled();
    await taken(oru(rig.head(), right, reportOf('H1', 'F')));
    const work = WORK.parse((await call('GET', '/api/operator/work?days=0')).answer);
    expect(work.map(({ kind, subject }) => [kind, subject])).to.deep.equal([
      ['review', '2.25.4001'],
      ['text-held', 'H1'],
    ]);
    expect(STUDY.parse((await call('GET', '/api/operator/studies/2.25.4001')).answer).status).to.equal('review');

    const path = '/api/operator/studies/2.25.4001/link';
    const asked = { who: 'Ann', why: 'asked the patient', accessionNumber: 'h1' };
    const { status, answer } = await call('POST', path, asked);
    expect([status, ERROR.parse(answer).error]).to.deep.equal([409, 'patient-differs']);
    expect(answer).to.have.nested.property('compared[1].images', 'SMITH^Jane');
    const despite = { accessionNumber: 'h1', despitePatient: true };
    const dry = await call('POST', path, { ...asked, ...despite, dryRun: true });
    expect(dry.answer).to.deep.include({ dryRun: true, status: 'linked', labels: ['ris-linked', 'report-final'] });
    expect(dry.answer).to.have.nested.property('texts[0].to', '006');
    expect(STUDY.parse((await call('GET', '/api/operator/studies/2.25.4001')).answer).status).to.equal('review');

    const linked = await act('2.25.4001', 'link', despite);
    expect(linked).to.deep.equal({
      status: 'linked',
      rule: 'person',
      reason: 'asked the patient',
      decidedBy: 'desk: Ann Radiographer',
      accessionNumber: 'H1',
    });
    await rig.settled();
    expect(rig.sandbox.messages.map(({ body }) => body.endsWith('ref=H1'))).to.deep.equal([true]);
    expect(await act('2.25.4001', 'release')).to.include({ status: 'review', decidedBy: 'rules' });
    expect(await act('2.25.4001', 'confirm', { despitePatient: true })).to.include({
      status: 'linked',
      accessionNumber: 'H1',
    });
  });

  it('sends no text when images are taken from a study, until it has some again', async () => {
    const [right, wrong] = [person('H3'), person('H4', { name: 'SMITH^Jane', birthDate: '19500505' })];
    await taken(orm(rig.head(), right, orderOf('H3')));
    await rig.store(crImage(tagsOf(wrong, '2.25.4003', 'H3'), '2.25.4003.1'));
    await rig.settled();
    await taken(oru(rig.head(), right, reportOf('H3', 'F')));
    const texts = () => rig.sandbox.messages.filter(({ body }) => body.endsWith('ref=H3')).length;
    expect(await act('2.25.4003', 'unlink')).to.include({ status: 'provisional', accessionNumber: null });
    await rig.settled();
    expect(texts()).to.equal(0);
    const work = WORK.parse((await call('GET', '/api/operator/work')).answer);
    expect(work).to.deep.include({ kind: 'text-held', subject: 'H3', reason: 'images-taken-away' });
    await rig.store(crImage(tagsOf(right, '2.25.4004', 'H3'), '2.25.4004.1'));
    await rig.settled();
    expect(texts()).to.equal(1);
  });

  it('has failed images tried again: one, those of a study, those of a reason', async () => {
    const uid = '2.25.4020';
    await rig.store(...ctSeries(tagsOf(person('H20'), uid, ''), `${uid}.1`, 3));
    await rig.settled();
    const fail = async (ending: string, reason: string) => {
      await rig.execute(
        `UPDATE images SET mirror_status = 'failed', mirror_reason = $2, image_url = NULL, thumbnail_url = NULL,
                           mirrored_at = NULL, render_begun = 2 WHERE sop_instance_uid LIKE $1`,
        [`${uid}.1.${ending}`, reason],
      );
    };
    const said = { who: 'Ann Radiographer', why: 'upgraded' };
    const retry = async (path: string, which: object = {}) => {
      const { status, answer } = await call('POST', `/api/operator/images/${path}`, { ...said, ...which });
      return [status, answer];
    };
    await fail('%', 'orthanc-415, undecodable');
    const work = WORK.parse((await call('GET', '/api/operator/work')).answer);
    expect(work.filter(({ kind }) => kind === 'image-failed')).to.deep.equal([
      { kind: 'image-failed', subject: uid, reason: `orthanc-415, undecodable (3 images, such as ${uid}.1.1)` },
    ]);
    // What is left of a job that used up its tries is in no way.
    await rig.execute(
      `WITH job AS (SELECT graphile_worker.add_job('mirror-image',
                      json_build_array(json_build_object('imageId', CAST(id AS text))), run_at := now() + interval '1 day',
                      max_attempts := 1)
                    FROM images WHERE sop_instance_uid = $1) SELECT count(*) FROM job`,
      [`${uid}.1.2`],
    );
    await rig.execute('UPDATE graphile_worker._private_jobs SET attempts = max_attempts WHERE max_attempts = 1');
    expect(await retry(`${uid}.1.2/retry`)).to.deep.equal([200, { images: 1 }]);
    await rig.settled();
    expect(await failed('POST', `/api/operator/images/${uid}.1.2/retry`, said)).to.deep.equal([409, 'not-failed']);
    const told = `SELECT who, outcome, detail FROM audit_log WHERE what = 'retry-images' ORDER BY id`;
    expect(await rig.rows(told, z.unknown())).to.deep.equal([
      { who: 'desk: Ann Radiographer', outcome: 'ok', detail: { images: 1, image: `${uid}.1.2` } },
      { who: 'desk: Ann Radiographer', outcome: 'refused', detail: { code: 'not-failed' } },
    ]);
    const statuses = () =>
      rig.rows(
        `SELECT mirror_status AS status, render_begun AS begun, retried_by AS by, retry_reason AS why
         FROM images WHERE sop_instance_uid LIKE $1 ORDER BY sop_instance_uid`,
        z.unknown(),
        [`${uid}.%`],
      );
    const again = { status: 'mirrored', begun: 0, by: 'desk: Ann Radiographer', why: 'upgraded' };
    const left = { status: 'failed', begun: 2, by: null, why: null };
    expect(await statuses()).to.deep.equal([left, again, left]);
    await fail('3', 'render-timeout');
    const [status, answer] = await retry('retry', { reason: 'render-timeout', studyInstanceUid: '1.2.3' });
    expect([status, ERROR.parse(answer).error]).to.deep.equal([409, 'not-failed']);
    expect(await retry('retry', { reason: 'render-timeout' })).to.deep.equal([200, { images: 1 }]);
    expect(await retry('retry', { reason: 'undecodable', studyInstanceUid: uid })).to.deep.equal([200, { images: 1 }]);
    expect(await retry('retry')).to.deep.equal([200, { images: 0 }]);
    await rig.settled();
    expect(await statuses()).to.deep.equal([again, again, again]);
  });

  it('says what is wrong with a request', async () => {
    const path = '/api/operator/studies/2.25.4001/link';
    const said = { who: 'Ann', why: 'asked' };
    expect(await failed('POST', path, said)).to.deep.equal([400, 'bad-request']);
    expect(await failed('POST', path, { ...said, who: ' ', accessionNumber: 'H1' })).to.deep.equal([
      400,
      'bad-request',
    ]);
    expect(await failed('POST', path)).to.deep.equal([400, 'bad-request']);
    expect(await failed('POST', path, 'x'.repeat(70_000))).to.deep.equal([413, 'bad-request']);
    expect(await failed('GET', '/api/operator/work?days=soon')).to.deep.equal([400, 'bad-request']);
    expect(await failed('GET', '/api/operator/studies/1.2.3')).to.deep.equal([404, 'study-unknown']);
    expect(await failed('POST', '/api/operator/studies/1.2.3/unlink', said)).to.deep.equal([404, 'study-unknown']);
    expect(await failed('POST', path, { ...said, accessionNumber: 'NONE' })).to.deep.equal([409, 'accession-unknown']);
    expect(await failed('POST', '/api/operator/messages/999999/replay', said)).to.deep.equal([404, 'message-unknown']);
    expect(await failed('GET', '/api/operator/nothing')).to.deep.equal([404, 'not-found']);
    expect(await failed('POST', path, { ...said, why: 'a\0b', accessionNumber: 'H1' })).to.deep.equal([
      400,
      'bad-request',
    ]);
    expect(await failed('GET', '/api/operator/studies/1%002')).to.deep.equal([404, 'study-unknown']);
  });

  it('describes itself as OpenAPI 3.1, to anybody, and nothing but what is there', async () => {
    const { status, answer } = await call('GET', '/api/openapi.json', undefined, {});
    expect(status).to.equal(200);
    const { openapi, paths } = DESCRIPTION.parse(answer);
    expect(openapi).to.equal('3.1.0');
    const acts = ACTS.map(({ route }) => `/api/operator${route}`);
    const messages = ['/api/operator/messages/{id}', '/api/operator/messages/try', '/api/operator/texts/{accession}'];
    const reading = ['/api/operator/work', '/api/operator/studies/{uid}', ...messages];
    expect(Object.keys(paths)).to.have.members([...reading, ...acts]);
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) {
        const known = path.replace('{uid}', '2.25.4001').replace('{id}', '999999').replace('{accession}', 'none');
        const { status: got, answer: said } = await call(
          method.toUpperCase(),
          known,
          method === 'post' ? {} : undefined,
        );
        expect(got, `${path}: ${JSON.stringify(said)}`).to.be.oneOf(
          /\/(messages\/{id}|texts\/{accession})$/.test(path) ? [404] : [200, 400],
        );
      }
    }
    const references = [...JSON.stringify(answer).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
    const { schemas } = z
      .object({ components: z.object({ schemas: z.record(z.string(), z.unknown()) }) })
      .parse(answer).components;
    expect(Object.keys(schemas)).to.include.members([...new Set(references)]);
  });

  it('logs no patient data', () => {
    for (const line of rig.logged) expect(line).not.to.match(/nguyen|smith|asked/i);
  });
});
