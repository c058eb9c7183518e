import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { z } from 'zod';
import { newApiKey } from '../../access/io/api-keys.ts';
import { mllpFrame } from '../../hl7/rules/mllp.ts';
import { crImage } from '../../dev/phantoms.ts';
import { orm } from '../../dev/ris-messages.ts';
import { createAuthority, type Authority, type KeyPair } from '../support/certificates.ts';
import { ask, statusOf, type Asked } from '../support/http-client.ts';
import { connectSender } from '../support/mllp-sender.ts';
import { orderOf, person } from '../support/people.ts';
import { eventually, startRig, type Rig } from '../support/rig.ts';
import { tlsFolder, type TlsFolder } from '../support/tls-folder.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const IMAGE = crImage({ StudyInstanceUID: '2.25.9001', PatientID: 'AT1', PatientName: 'AT^Tack' }, '2.25.9001.1');
const LISTED = z.array(
  z.object({ name: z.string(), kind: z.string(), scope: z.string(), lastUsedAt: z.string().nullable() }),
);

const ROUTES = {
  upload: [['POST', '/api/modality/dicom']],
  operator: [
    ['GET', '/api/operator/work'],
    ['GET', '/api/operator/studies/1.2.3'],
    ['POST', '/api/operator/studies/1.2.3/link'],
    ['POST', '/api/operator/studies/1.2.3/unlink'],
    ['POST', '/api/operator/studies/1.2.3/confirm'],
    ['POST', '/api/operator/studies/1.2.3/release'],
    ['POST', '/api/operator/messages/1/replay'],
    ['GET', '/api/operator/nothing'],
  ],
} as const;
type Scope = keyof typeof ROUTES;
type Credential = Pick<Asked, 'headers'> & { readonly pair?: KeyPair };

describe('attacks with keys and certificates', () => {
  const desk = newApiKey('desk', randomBytes(32));
  let own: Authority;
  let other: Authority;
  let folder: TlsFolder;
  let rig: Rig;
  let addresses = 1;
  before(async () => {
    [own, other] = [createAuthority('Practice CA'), createAuthority('Another CA')];
    folder = tlsFolder(own.issue('axis'), own.certificate);
    const { certificate, key, clientCa = '' } = folder.files;
    rig = await startRig({
      HTTPS_CERTIFICATE: certificate,
      HTTPS_KEY: key,
      HTTPS_CLIENT_CA: clientCa,
      OPERATOR_API_KEYS: desk.entry,
      HL7_TLS_PORT: '0',
      HL7_TLS_CERTIFICATE: certificate,
      HL7_TLS_KEY: key,
      HL7_TLS_CLIENT_CA: clientCa,
      HL7_ALLOWED_ADDRESSES: '127.0.0.1/32, ::1',
    });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
    await Promise.all([own, other].map((authority) => authority[Symbol.asyncDispose]()));
  });

  const axis = (...args: string[]): Promise<{ code: number; out: string; err: string }> =>
    new Promise((resolve) => {
      const env = { ...rig.environment, PATH: '/usr/local/bin:/usr/bin:/bin' };
      execFile(process.execPath, ['sidecar/cli.ts', ...args], { cwd: ROOT, env }, (error, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
      });
    });
  const done = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await axis(...args);
    expect(code, err).to.equal(0);
    return out;
  };
  const addKey = async (name: string, scope: Scope): Promise<string> =>
    /: (axis_\S+)\n$/.exec(await done('api-key', 'add', name, '--for', scope))?.[1] ?? '';
  const addCertificate = async (name: string, scope: Scope, days?: number): Promise<KeyPair> => {
    const pair = own.issue(name, days);
    await done('certificate', 'add', name, folder.write(`${name}.pem`, pair.certificate), '--for', scope);
    return pair;
  };
  const bearer = (key: string): Credential => ({ headers: { Authorization: `Bearer ${key}` } });
  /** A request from an address of its own, since those that fail are counted. */
  const as = ({ headers, pair }: Credential, asked: Omit<Asked, 'port'>): Asked => ({
    from: `127.0.1.${(addresses = (addresses % 250) + 1)}`,
    ...asked,
    port: rig.sidecar.httpPort,
    headers: { ...asked.headers, ...headers },
    tls: { ca: own.certificate, ...(pair && { cert: pair.certificate, key: pair.key }) },
  });
  const upload = { method: 'POST', path: '/api/modality/dicom', body: IMAGE } as const;
  const uploads = (credential: Credential) =>
    statusOf(as(credential, { ...upload, headers: { 'Content-Type': 'application/dicom' } }));
  const looks = (credential: Credential) => statusOf(as(credential, { path: '/api/operator/work' }));
  /** What each route answers to a credential. */
  const answers = async (scope: Scope, credential: Credential): Promise<unknown[]> => {
    const told: unknown[] = [];
    for (const [method, path] of ROUTES[scope]) {
      const { status, headers, member } = await ask(as(credential, { method, path }));
      expect(headers['www-authenticate']).to.match(/^Bearer realm=/);
      told.push(`${status} ${String(member('error'))}`);
    }
    return told;
  };

  it('get 401 on every route without the credential for it, and nobody is told why', async () => {
    const withdrawn = await addKey('withdrawn', 'operator');
    await done('api-key', 'withdraw', 'withdrawn');
    const both: Credential[] = [
      {},
      bearer('axis_guessed'),
      bearer(withdrawn),
      bearer(newApiKey('desk', Buffer.alloc(32)).entry),
      bearer(desk.entry.slice('desk:'.length)),
      { headers: { Authorization: `Basic ${Buffer.from(`desk:${desk.key}`).toString('base64')}` } },
      { headers: { 'X-API-Key': '' } },
      { pair: other.issue('modality') },
      { pair: own.issue('not registered') },
      { pair: await addCertificate('expired', 'operator', -1) },
    ];
    const upper: Credential[] = [bearer(rig.apiKey), bearer(await addKey('up', 'upload'))];
    const lower: Credential[] = [bearer(desk.key), bearer(await addKey('op', 'operator'))];
    upper.push({ pair: await addCertificate('up-pair', 'upload') });
    lower.push({ pair: await addCertificate('op-pair', 'operator') });
    for (const credential of [...both, ...upper]) {
      const told = await answers('operator', credential);
      expect(told).to.deep.equal(ROUTES.operator.map(() => '401 unauthorized'));
    }
    for (const credential of [...both, ...lower]) {
      expect(await answers('upload', credential)).to.deep.equal(['401 unauthorized']);
    }
    expect(await Promise.all(upper.map(uploads))).to.deep.equal(upper.map(() => 200));
    expect(await Promise.all(lower.map(looks))).to.deep.equal(lower.map(() => 200));
    // A key is judged by itself, whatever certificate comes with it.
    expect(await looks({ ...bearer('axis_guessed'), pair: lower[2]!.pair! })).to.equal(401);
    const codes = rig.logged.flatMap((line) => /"code":"([\w-]+)".*"not let in"/.exec(line)?.[1] ?? []);
    expect([...new Set(codes)]).to.include.members([
      'no-key',
      'key-unknown',
      'withdrawn',
      'not-for-this',
      'certificate-unknown',
      'CERT_HAS_EXPIRED',
    ]);
  });

  it('are at an end within seconds of a withdrawal, which is not undone by another of that name', async () => {
    const key = await addKey('ct-9', 'upload');
    const pair = await addCertificate('mr-9', 'upload');
    const open = async () => (await uploads(bearer(key))) === 200 && (await uploads({ pair })) === 200;
    await eventually('both to be known', open, 10_000);
    expect((await axis('api-key', 'add', 'ct-9', '--for', 'upload')).err).to.include('key-exists');
    await done('api-key', 'withdraw', 'ct-9');
    await done('certificate', 'withdraw', 'mr-9');
    const audit = await rig.rows(
      `SELECT event || ' ' || (detail->>'name') AS line FROM audit_log WHERE detail->>'name' IN ('ct-9', 'mr-9') ORDER BY id`,
      z.object({ line: z.string() }),
    );
    expect(audit.map(({ line }) => line)).to.include.members([
      'key-made ct-9',
      'key-made mr-9',
      'key-withdrawn ct-9',
      'key-withdrawn mr-9',
    ]);
    // 429 once so many were refused that it is for their number.
    const refused = async (credential: Credential) => [401, 429].includes(await uploads(credential));
    const closed = async () => (await refused(bearer(key))) && (await refused({ pair }));
    await eventually('the withdrawal to hold', closed, 10_000);
    const again = await addKey('ct-9', 'upload');
    await eventually('the new one to be known', async () => (await uploads(bearer(again))) === 200, 10_000);
    expect(await refused(bearer(key))).to.equal(true);
    expect((await axis('api-key', 'withdraw', 'nobody')).err).to.include('key-unknown');
  });

  it('find no key in what is listed, kept or logged', async () => {
    const key = await addKey('us-1', 'upload');
    await eventually('the key to be known', async () => (await uploads(bearer(key))) === 200, 10_000);
    const listed = LISTED.parse(JSON.parse(await done('api-key', 'list', '--json')));
    expect(listed.find(({ name }) => name === 'us-1')).to.include({ kind: 'key', scope: 'upload' });
    expect(listed.find(({ name }) => name === 'us-1')?.lastUsedAt).to.be.a('string');
    const rows = await rig.rows('SELECT * FROM api_keys', z.record(z.string(), z.unknown()));
    const text = [await done('api-key', 'list'), JSON.stringify([listed, rows]), ...rig.logged].join('\n');
    expect(text).to.include('us-1').and.not.include('axis_');
  });

  it('get 429 after some failures, while who has a key gets in from the same address', async () => {
    const from = '127.0.2.1';
    const told = [];
    for (let count = 0; count < 40; count += 1) {
      told.push(await statusOf({ ...as(bearer(`axis_${count}`), { path: '/api/operator/work' }), from }));
    }
    expect(told).to.deep.equal([...Array.from({ length: 30 }, () => 401), ...Array.from({ length: 10 }, () => 429)]);
    const { status, headers } = await ask({ ...as({}, { path: '/api/operator/work' }), from });
    expect([status, Number(headers['retry-after']) > 0]).to.deep.equal([429, true]);
    expect(await statusOf({ ...as(bearer(desk.key), { path: '/api/operator/work' }), from })).to.equal(200);
    const lines = rig.logged.filter((line) => line.includes(`"from":"${from}"`));
    expect(lines, 'a line for some, not for each').to.have.length(10);
  });

  it('come to nothing by HL7 too, where a RIS shows its certificate and is at its address', async () => {
    const { hl7TlsPort, hl7Port } = rig.sidecar;
    const ris = own.issue('ris');
    const message = orm(rig.head(), person('K1'), orderOf('K1')).replace(/\r?\n/g, '\r');
    using sender = await connectSender(hl7TlsPort, '127.0.0.1', {
      ca: own.certificate,
      cert: ris.certificate,
      key: ris.key,
    });
    await sender.write(mllpFrame(Buffer.from(`${message}\r`)));
    expect((await sender.answers(1, 10_000))[0]).to.contain('MSA|AA|');
    const [study] = await rig.rows(`SELECT 1 AS one FROM studies WHERE accession_number = 'K1'`, z.unknown());
    expect(study).to.deep.equal({ one: 1 });

    using bare = await connectSender(hl7TlsPort, '127.0.0.1', { ca: own.certificate });
    await bare.untilClosed();
    const elsewhere = connect({ port: hl7Port, host: '127.0.0.1', localAddress: '127.0.0.2' });
    elsewhere.on('error', () => undefined);
    await once(elsewhere, 'close');
    const lines = rig.logged.filter((line) => line.includes('"not let in"'));
    expect(lines.filter((line) => line.includes('"what":"hl7-tls","from":"127.0.0.1"'))).to.have.length(1);
    expect(lines.filter((line) => line.includes('"what":"hl7","from":"127.0.0.2","code":"address"'))).to.have.length(1);
  });

  it('are told no more of a command line that is wrong than what it takes', async () => {
    for (const wrong of [
      ['api-key', 'add', 'a'],
      ['api-key', 'add', 'a', '--for', 'everything'],
      ['api-key', 'add', 'a b', '--for', 'upload'],
      ['certificate', 'add', 'a', '--for', 'upload'],
      ['certificate', 'x'],
      ['api-key', 'withdraw'],
    ]) {
      expect((await axis(...wrong)).code, wrong.join(' ')).to.equal(2);
    }
    const missing = await axis('certificate', 'add', 'a', '/nowhere.pem', '--for', 'upload');
    expect([missing.code, missing.err]).to.deep.equal([
      1,
      'axis: no-certificate: /nowhere.pem is no certificate in PEM that can be read\n',
    ]);
    expect(await done('api-key', 'spare')).to.match(
      /key, for its owner only: +axis_\S+\nentry.*: +spare:[0-9a-f]{64}\n/,
    );
  });
});
