import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { z } from 'zod';
import { newApiKey } from '../../access/io/api-keys.ts';
import { AUDIT_EVENTS } from '../../audit/rules/entry.ts';
import { crImage } from '../../dev/phantoms.ts';
import { orm, oru } from '../../dev/ris-messages.ts';
import { parseXml, schemaProblems } from '../support/audit-xml.ts';
import { createAuthority, type Authority } from '../support/certificates.ts';
import { orderOf, person, reportOf, tagsOf } from '../support/people.ts';
import { eventually, startRig, type Rig } from '../support/rig.ts';
import { startSyslogServer, type SyslogServer } from '../support/syslog-server.ts';

const CLI = fileURLToPath(new URL('../../cli.ts', import.meta.url));
const ROW = z.object({
  id: z.coerce.number(),
  event: z.enum(AUDIT_EVENTS),
  who: z.string(),
  source: z.string(),
  what: z.string(),
  study: z.string().nullable(),
  accession: z.string().nullable(),
  outcome: z.string(),
  detail: z.record(z.string(), z.unknown()),
});
const ROWS = `SELECT id, event, who, source, what, study_instance_uid AS study, accession_number AS accession, outcome, detail
  FROM audit_log WHERE id > $1 ORDER BY id`;
const READY = z.object({
  parts: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string().optional() })),
});

describe('the audit log of a sidecar', () => {
  const operator = newApiKey('desk', randomBytes(32));
  let authority: Authority;
  let syslog: SyslogServer;
  let rig: Rig;
  const startSyslog = async (port?: number) => {
    const { certificate: cert, key } = authority.issue('syslog');
    return startSyslogServer({ tls: { cert, key }, ...(port !== undefined && { port }) });
  };
  before(async () => {
    authority = createAuthority('logs');
    syslog = await startSyslog();
    rig = await startRig({
      OPERATOR_API_KEYS: operator.entry,
      AUDIT_SYSLOG: `tls://localhost:${syslog.port}`,
      AUDIT_SYSLOG_CA: authority.certificate,
    });
    await rig.until('the start to be written', `SELECT EXISTS (SELECT 1 FROM audit_log WHERE event = 'started')`);
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
    await syslog[Symbol.asyncDispose]();
    await authority[Symbol.asyncDispose]();
  });

  const last = async (): Promise<number> =>
    (await rig.rows('SELECT coalesce(max(id), 0) AS id FROM audit_log', z.object({ id: z.coerce.number() })))[0]!.id;
  const since = (id: number) => rig.rows(ROWS, ROW, [id]);
  const http = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${rig.sidecar.httpPort}${path}`, init);
  const operate = (method: string, path: string, body?: object) =>
    http(`/api/operator${path}`, {
      method,
      headers: { Authorization: `Bearer ${operator.key}`, 'Content-Type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
  const upload = (files: readonly Buffer[], headers: Record<string, string> = { 'X-API-Key': rig.apiKey }) => {
    const form = new FormData();
    for (const file of files) form.append('file', new Blob([new Uint8Array(file)]), 'NGUYEN.dcm');
    return http('/api/modality/dicom', { method: 'POST', headers, body: form });
  };
  const axis = async (...args: readonly string[]) => {
    const env = { PATH: process.env['PATH'], ...rig.environment };
    return promisify(execFile)(process.execPath, [CLI, ...args], { env });
  };

  it('tells of an upload by study, apart from what was refused of it', async () => {
    const before = await last();
    const one = person('U1');
    const files = [
      crImage(tagsOf(one, '2.25.701', 'U1'), '2.25.701.1'),
      crImage(tagsOf(one, '2.25.702', 'U2'), '2.25.702.1'),
    ];
    expect((await upload([files[0]!, files[1]!, files[0]!, Buffer.from('no image of NGUYEN')])).status).to.equal(200);
    const rows = await since(before);
    const about = { who: 'test', source: '127.0.0.1', what: 'dicom', accession: null };
    expect(rows.map(({ id: _, ...row }) => row)).to.deep.equal([
      { ...about, event: 'upload', study: '2.25.701', outcome: 'ok', detail: { stored: 1, alreadyStored: 1 } },
      { ...about, event: 'upload', study: '2.25.702', outcome: 'ok', detail: { stored: 1, alreadyStored: 0 } },
      {
        ...about,
        event: 'upload-refused',
        study: null,
        outcome: 'refused',
        detail: { status: 200, refused: 1, notTaken: 0 },
      },
    ]);
  });

  it('tells of who is refused, once', async () => {
    const before = await last();
    for (let times = 0; times < 14; times += 1) {
      expect((await upload([Buffer.from('x')], { 'X-API-Key': 'wrong' })).status).to.equal(401);
      expect((await http('/api/operator/work')).status).to.equal(401);
    }
    const refused = ({ event, who, source, what, outcome, detail }: z.output<typeof ROW>) => [
      event, who, source, what, outcome, detail,
    ]; // prettier-ignore
    await eventually('the rows', async () => (await since(before)).length === 2);
    expect((await since(before)).map(refused)).to.deep.equal([
      ['access-refused', '', '127.0.0.1', 'upload', 'refused', { code: 'key-unknown', count: 1 }],
      ['access-refused', '', '127.0.0.1', 'operator', 'refused', { code: 'no-key', count: 1 }],
    ]);
  });

  it('tells of what operators see, do and are refused, and of the text that follows', async () => {
    const [right, wrong] = [person('H1'), person('H2', { name: 'SMITH^Jane', birthDate: '19500505' })];
    await rig.ris.send(orm(rig.head(), right, orderOf('H1')));
    await rig.store(crImage(tagsOf(wrong, '2.25.4001', 'H1'), '2.25.4001.1'));
    await rig.settled();
    await rig.ris.send(oru(rig.head(), right, reportOf('H1', 'F')));
    const before = await last();
    const said = { who: 'Ann', why: 'NGUYEN herself said so' };
    expect((await operate('GET', '/work')).status).to.equal(200);
    expect((await operate('GET', '/studies/2.25.4001')).status).to.equal(200);
    expect((await operate('GET', '/studies/9.9.9')).status).to.equal(404);
    expect((await operate('POST', '/studies/2.25.4001/link', { ...said, accessionNumber: 'NGUYEN' })).status).to.equal(
      409,
    );
    const link = { ...said, accessionNumber: 'H1' };
    expect((await operate('POST', '/studies/2.25.4001/link', link)).status).to.equal(409);
    expect((await operate('POST', '/studies/2.25.4001/link', { ...link, despitePatient: true })).status).to.equal(200);
    await rig.settled();
    const [{ id } = { id: '0' }] = await rig.rows(
      'SELECT max(id) AS id FROM hl7_messages',
      z.object({ id: z.string() }),
    );
    expect((await operate('POST', `/messages/${id}/replay`, said)).status).to.equal(200);
    expect((await operate('POST', '/messages/999999/replay', said)).status).to.equal(404);
    const rows = await since(before);
    expect(rows.map((row) => [row.event, row.who, row.what, row.study, row.accession, row.outcome])).to.deep.equal([
      ['operator-view', 'desk', 'work', null, null, 'ok'],
      ['operator-view', 'desk', 'study', '2.25.4001', null, 'ok'],
      ['operator-act', 'desk: Ann', 'link', '2.25.4001', null, 'refused'],
      ['operator-act', 'desk: Ann', 'link', '2.25.4001', null, 'refused'],
      ['operator-act', 'desk: Ann', 'link', '2.25.4001', 'H1', 'ok'],
      ['text-sent', 'sidecar', 'final-report', null, 'H1', 'ok'],
      ['replay', 'desk: Ann', 'replay', null, null, 'ok'],
      ['replay', 'desk: Ann', 'replay', null, null, 'refused'],
    ]);
    expect(rows.filter(({ event }) => event !== 'text-sent').every(({ source }) => source === '127.0.0.1')).to.equal(
      true,
    );
  });

  it('does nothing, and shows nothing, that it cannot write down', async () => {
    const before = await last();
    await rig.execute('ALTER TABLE audit_log RENAME TO audit_log_away');
    try {
      expect((await operate('GET', '/studies/2.25.4001')).status).to.equal(503);
      expect((await operate('POST', '/studies/2.25.4001/unlink', { who: 'Ann', why: 'x' })).status).to.equal(503);
      const decided = 'SELECT status FROM dicom_studies WHERE study_instance_uid = $1';
      expect(await rig.rows(decided, z.object({ status: z.string() }), ['2.25.4001'])).to.deep.equal([
        { status: 'linked' },
      ]);
    } finally {
      await rig.execute('ALTER TABLE audit_log_away RENAME TO audit_log');
    }
    expect(await since(before)).to.deep.equal([]);
  });

  it('answers an upload whose row it cannot write yet, and writes it later', async () => {
    const before = await last();
    const unblocked = Promise.withResolvers<undefined>();
    const blocking = rig.rows(
      `SELECT pg_sleep(4) IS NULL AS slept FROM (SELECT * FROM audit_head FOR UPDATE) AS held`,
      z.unknown(),
    );
    void blocking.finally(() => {
      unblocked.resolve(undefined);
    });
    await eventually('the log to be held', async () => {
      const held = await rig.rows('SELECT 1 AS one FROM audit_head FOR UPDATE SKIP LOCKED', z.unknown());
      return held.length === 0;
    });
    const image = crImage(tagsOf(person('U3'), '2.25.703', 'U3'), '2.25.703.1');
    expect((await upload([image])).status).to.equal(200);
    expect(await since(before)).to.deep.equal([]);
    await unblocked.promise;
    await eventually('the row', async () => (await since(before)).some(({ study }) => study === '2.25.703'));
    const ready = READY.parse(await (await http('/readyz')).json());
    expect(ready.parts.find(({ name }) => name === 'audit')).to.deep.equal({ name: 'audit', ok: true });
  });

  it('sends all of it by syslog, in order, also what happened while the server was away', async () => {
    const ids = () =>
      syslog.messages.map((message) =>
        Number(
          /^<85>1 \S+ \S+ axis-portal-sidecar \d+ DICOM\+RFC3881 \[meta sequenceId="(\d+)"\] \uFEFF/.exec(message)?.[1],
        ),
      );
    await eventually('all to be sent', async () => ids().at(-1) === (await last()));
    const whileThere = [...syslog.messages];
    const { port } = syslog;
    await syslog[Symbol.asyncDispose]();
    for (let times = 0; times < 5; times += 1) await operate('GET', '/work');
    await eventually('the export to fail', () =>
      Promise.resolve(rig.logged.some((line) => line.includes('the audit log could not be sent'))),
    );
    syslog = await startSyslog(port);
    await eventually('the rest to be sent', async () => ids().at(-1) === (await last()));
    const all = [...whileThere, ...syslog.messages];
    const order = all.map((message) => Number(/sequenceId="(\d+)"/.exec(message)?.[1]));
    expect([...new Set(order)]).to.deep.equal(Array.from({ length: await last() }, (_, index) => index + 1));
    expect(syslog.problems).to.deep.equal([]);
    for (const message of all) {
      const xml = message.slice(message.indexOf('\uFEFF') + 1);
      expect(schemaProblems(parseXml(xml)), xml).to.deep.equal([]);
    }
  });

  it('is printed and checked by the command line, which is told of too', async () => {
    await axis('show', '2.25.4001');
    const { stdout } = await axis('audit', '--json', '--who', 'Auditor');
    const printed = stdout
      .trimEnd()
      .split('\n')
      .map((line) => ROW.omit({ study: true, accession: true }).parse(JSON.parse(line)));
    expect(printed.map(({ id }) => id)).to.deep.equal(Array.from({ length: printed.length }, (_, index) => index + 1));
    expect(printed.slice(-2).map(({ event, what }) => [event, what])).to.deep.equal([
      ['operator-view', 'study'],
      ['audit-read', 'audit'],
    ]);
    expect(printed.at(-1)!.who).to.equal('Auditor');
    expect((await axis('audit', '--since', '2100-01-01T00:00:00Z')).stdout).to.equal('');
    const checked = (await axis('audit', 'verify')).stdout;
    const [, noted = ''] = /to note elsewhere: +(\d+:[0-9a-f]{64})\n/.exec(checked) ?? [];
    expect((await axis('audit', 'verify', '--noted', noted)).stdout).to.equal(checked);
    await rig.execute('ALTER TABLE audit_log DISABLE TRIGGER USER');
    await rig.execute(`UPDATE audit_log SET who = 'somebody' WHERE id = 2`);
    await rig.execute('ALTER TABLE audit_log ENABLE TRIGGER USER');
    const broken = await axis('audit', 'verify').catch((error: unknown) => error);
    expect(z.object({ code: z.number(), stderr: z.string() }).parse(broken)).to.deep.equal({
      code: 1,
      stderr: 'axis: audit-broken: row 2: is not as it was written\n',
    });
  });

  it('tells of the stop and the start, and knows no patient', async () => {
    const before = await last();
    await rig.stopSidecar();
    await rig.startSidecar();
    await eventually('the rows', async () => (await since(before)).length >= 4);
    expect((await since(before)).map(({ event, detail }) => [event, detail['count']])).to.deep.equal([
      ['access-refused', 13],
      ['access-refused', 13],
      ['stopped', undefined],
      ['started', undefined],
    ]);
    const everything = JSON.stringify(await since(0)) + syslog.messages.join('\n');
    expect(everything).not.to.match(/nguyen|smith|said so|\+61|results|19500505/i);
  });
});
