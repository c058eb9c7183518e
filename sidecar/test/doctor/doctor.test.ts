import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { z } from 'zod';
import { freePort } from '../../dev/child.ts';
import { orm } from '../../dev/ris-messages.ts';
import { createAuthority } from '../support/certificates.ts';
import { pause } from '../support/mllp-sender.ts';
import { orthancRest } from '../support/orthanc-rest.ts';
import { startRig, type Rig } from '../support/rig.ts';
import { tlsFolder } from '../support/tls-folder.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const RESULTS = z.array(
  z.object({ check: z.string(), level: z.enum(['ok', 'warn', 'fail']), seen: z.string(), todo: z.string().optional() }),
);
const CHECKS = [
  'settings', 'sidecar', 'postgres', 'orthanc', 'dicom-echo', 'dicom-store', 'link', 'mirror', 'clean-up', 'hl7', 'blob',
  'twilio', 'text-sender', 'orders', 'clock', 'time-zone', 'disk', 'certificates',
]; // prettier-ignore
const COUNT = z.object({ count: z.coerce.number() });

const run = (
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    const env = { ...environment, PATH: process.env['PATH'] };
    const cli = ['sidecar/cli.ts', 'doctor', ...args];
    execFile(process.execPath, cli, { cwd: ROOT, env, timeout: 110_000 }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
    });
  });

describe('axis doctor', () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig({ POLL_INTERVAL_MS: '500', HL7_ALLOWED_SENDERS: 'VOYAGER' });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const axis = (args: readonly string[], changed: Readonly<Record<string, string>> = {}) =>
    run(args, { ...rig.environment, ...changed });
  const places = (): string[] => [
    ...['--dicom', `127.0.0.1:${rig.orthanc.dicomPort}`],
    ...['--hl7', `127.0.0.1:${rig.sidecar.hl7Port}`],
    ...['--http', `127.0.0.1:${rig.sidecar.httpPort}`],
  ];
  /** What it found, and whether its exit code says so. */
  const doctor = async (changed: Readonly<Record<string, string>> = {}, ...args: readonly string[]) => {
    const { code, out, err } = await axis([...places(), ...args, '--json'], changed);
    expect(err).to.equal('');
    const results = RESULTS.parse(JSON.parse(out));
    const failed = results.filter(({ level }) => level === 'fail').map(({ check }) => check);
    expect(code, out).to.equal(failed.length > 0 ? 1 : 0);
    const without = results.filter(({ level, todo }) => level !== 'ok' && (todo ?? '') === '');
    expect(without, 'what is wrong and not said what to do about').to.deep.equal([]);
    return { results, failed, of: (check: string) => results.find((one) => one.check === check) };
  };
  const jobsDone = (): Promise<void> =>
    rig.until('the jobs', `SELECT NOT EXISTS (SELECT 1 FROM graphile_worker.jobs WHERE attempts < max_attempts)`);
  const count = async (sql: string): Promise<number> =>
    (await rig.rows(`SELECT count(*) AS count FROM ${sql}`, COUNT))[0]!.count;
  const nothingLeft = async (): Promise<void> => {
    expect(await orthancRest(rig.orthanc, 'GET', '/instances')).to.deep.equal([]);
    for (const table of ['images', 'series', 'dicom_study_tags', 'reports', 'sms_messages']) {
      expect(await count(table), table).to.equal(0);
    }
    expect(await count(`studies WHERE source = 'dicom'`)).to.equal(0);
    expect(await count(`patients WHERE external_id = 'AXIS-DOCTOR'`)).to.equal(0);
    expect(rig.sandbox.messages).to.deep.equal([]);
  };

  it('finds nothing wrong where nothing is, and leaves nothing but a record', async () => {
    const patient = { id: 'AXIS-DOCTOR', name: 'DOCTOR^AXIS', phone: '0412345678' };
    const order = { accessionNumber: 'AXIS-DOCTOR-1', modality: 'OT', procedure: 'TEST', scheduled: '202611240900' };
    // Not even an order of that very name is touched by it.
    expect(await rig.ris.send(orm(rig.head(), { ...patient, id: 'OTHER1' }, order))).to.contain('MSA|AA');
    const { results, failed, of } = await doctor();
    expect(results.map(({ check }) => check)).to.deep.equal(CHECKS);
    expect(failed, JSON.stringify(results, null, 1)).to.deep.equal([]);
    const ok = CHECKS.filter((check) => !['settings', 'twilio', 'text-sender', 'disk'].includes(check));
    expect(results.filter(({ level }) => level === 'ok').map(({ check }) => check)).to.have.members(ok);
    expect(of('settings')?.seen).to.contain('AZURE_STORAGE_CONNECTION_STRING').and.to.contain('PORTAL_URL');
    expect(of('twilio')?.seen).to.contain('TWILIO_API_URL');
    expect(of('time-zone')?.seen).to.match(/^Australia\/Melbourne: it is \w+day/);
    await jobsDone();
    await nothingLeft();
    expect(await rig.rows('SELECT status, candidate_ids AS ids FROM dicom_studies', z.unknown())).to.deep.equal([
      { status: 'deleted', ids: [] },
    ]);
    expect(await count('deleted_images WHERE blobs_removed_at IS NOT NULL')).to.equal(1);
    expect(
      await rig.rows(
        `SELECT answer, message_type FROM hl7_messages WHERE sending_application = 'AXIS-DOCTOR'`,
        z.unknown(),
      ),
    ).to.deep.equal([{ answer: 'AA', message_type: 'ORM^O01' }]);
    expect(await count('study_facts')).to.equal(1);
    await pause(3000);
    expect(rig.logged.join(''))
      .to.contain('feed followed')
      .and.not.to.match(/is read from the start|ended before its cursor/);
  });

  it('says it in words too, and may be run again and again', async () => {
    const { code, out } = await axis([...places(), '--disk', '/']);
    expect(code, out).to.equal(0);
    expect(out).to.match(/^ok {4}dicom-store {3}a test image was stored$/m);
    expect(out).to.match(/^warn {2}settings .*\n {20}→ Set them before the first patient/m);
    expect(out).to.match(/GiB free/);
    expect(out).to.match(/\n\n18 checks, 0 failed, \d to look at\n$/);
    await jobsDone();
    await nothingLeft();
  });

  it('finds a wrong AE title', async () => {
    const { failed, of } = await doctor({}, '--called', 'AXIS_PORTA');
    expect(failed).to.deep.equal(['dicom-echo', 'dicom-store']);
    expect(of('dicom-echo')?.seen).to.contain('called AE title not recognized');
    expect(of('dicom-echo')?.todo).to.contain('DicomAet');
    expect(of('orthanc')?.level).to.equal('warn');
    await nothingLeft();
  });

  it('finds a DICOM port that nothing listens on', async () => {
    const { failed, of } = await doctor({}, '--dicom', `127.0.0.1:${await freePort()}`);
    expect(failed).to.deep.equal(['dicom-echo', 'dicom-store']);
    expect(of('dicom-echo')?.todo).to.contain('DICOM_PUBLISH');
  });

  it("finds a wrong password of Orthanc's, and then stores nothing that could not be taken away", async () => {
    const { failed, of } = await doctor({ ORTHANC_PASSWORD: 'wrong' });
    expect(failed).to.deep.equal(['orthanc', 'dicom-store', 'clock', 'disk']);
    expect(of('orthanc')?.seen).to.contain('401');
    expect(of('orthanc')?.todo).to.contain('ORTHANC_PASSWORD');
    expect(of('dicom-store')?.seen).to.contain('not tried');
    await nothingLeft();
  });

  it('finds a blob store that refuses', async () => {
    const refusing = createServer((request, response) => {
      request.resume();
      response.writeHead(403, { 'x-ms-error-code': 'AuthorizationFailure' }).end();
    }).listen(0, '127.0.0.1');
    await once(refusing, 'listening');
    const { port } = z.object({ port: z.number() }).parse(refusing.address());
    try {
      const changed = rig.config.AZURE_STORAGE_CONNECTION_STRING.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`);
      const { failed, of } = await doctor({ AZURE_STORAGE_CONNECTION_STRING: changed });
      expect(failed).to.include('blob');
      expect(of('blob')?.seen).to.contain('403');
      expect(of('blob')?.todo).to.contain('AZURE_STORAGE_CONNECTION_STRING');
      expect(of('mirror')?.level).to.equal('ok');
    } finally {
      refusing.close();
      refusing.closeAllConnections();
    }
    await jobsDone();
    await nothingLeft();
  });

  it('finds credentials that Twilio refuses, and sends nothing', async () => {
    rig.sandbox.behave({ kind: 'refuse', status: 401, code: 20003 });
    const { failed, of } = await doctor();
    expect(failed).to.deep.equal(['twilio']);
    expect(of('twilio')?.seen).to.contain('20003');
    expect(of('twilio')?.todo).to.contain('TWILIO_AUTH_TOKEN');
    expect((await doctor({ TWILIO_ACCOUNT_SID: '', TWILIO_AUTH_TOKEN: '' })).of('twilio')?.seen).to.contain(
      'no credentials',
    );
    expect(rig.sandbox.messages).to.deep.equal([]);
  });

  it('finds an HL7 port that nothing listens on', async () => {
    const { failed, of } = await doctor({}, '--hl7', `127.0.0.1:${await freePort()}`);
    expect(failed).to.deep.equal(['hl7']);
    expect(of('hl7')?.todo).to.contain('HL7_PORT');
  });

  it('finds a database that is away', async () => {
    const { failed, of } = await doctor({ DATABASE_URL: `postgres://axis:x@127.0.0.1:${await freePort()}/axis` });
    expect(failed).to.deep.equal(['postgres', 'dicom-store', 'hl7', 'orders', 'clock']);
    expect(of('postgres')?.todo).to.contain('DATABASE_URL');
    await nothingLeft();
  });

  it('finds a sidecar that does not run, and takes the test image away again all the same', async () => {
    const [http, hl7] = [rig.sidecar.httpPort, rig.sidecar.hl7Port];
    await rig.stopSidecar();
    try {
      const { code, out } = await axis([
        ...[
          '--dicom',
          `127.0.0.1:${rig.orthanc.dicomPort}`,
          '--hl7',
          `127.0.0.1:${hl7}`,
          '--http',
          `127.0.0.1:${http}`,
        ],
        '--json',
      ]);
      expect(code).to.equal(1);
      const failed = RESULTS.parse(JSON.parse(out)).filter(({ level }) => level === 'fail');
      expect(failed.map(({ check }) => check)).to.deep.equal(['sidecar', 'link', 'hl7']);
      expect(failed[0]?.todo).to.contain('Start the sidecar');
    } finally {
      await rig.startSidecar();
    }
    await jobsDone();
    await nothingLeft();
  });

  it('does not understand what it has no option for, and says what is wrong with the settings', async () => {
    for (const args of [
      ['--nonsense'],
      ['--dicom', 'nowhere'],
      ['--called', ''],
      ['--dicom-ca', '/nowhere'],
      ['extra'],
    ]) {
      const { code, err } = await axis(args);
      expect(code, args.join(' ')).to.equal(2);
      expect(err).to.contain('usage: axis doctor');
    }
    const { code, err } = await axis([], { PORTAL_URL: '' });
    expect(code).to.equal(1);
    expect(err).to.contain('PORTAL_URL');
  });
});

describe('axis doctor, where the ports take TLS', () => {
  it('finds nothing wrong, and a certificate that is not the one of the settings', async () => {
    await using stack = new AsyncDisposableStack();
    const authority = stack.use(createAuthority('Practice CA'));
    const [own, other] = [
      stack.use(tlsFolder(authority.issue('axis'), authority.certificate)),
      authority.issue('other'),
    ];
    const { certificate, key, clientCa = '' } = own.files;
    const hl7Port = String(await freePort());
    const rig = stack.use(
      await startRig({
        HTTPS_CERTIFICATE: certificate,
        HTTPS_KEY: key,
        HL7_TLS_PORT: hl7Port,
        HL7_TLS_CERTIFICATE: certificate,
        HL7_TLS_KEY: key,
      }),
    );
    const doctor = async (changed: Readonly<Record<string, string>> = {}) => {
      const { out } = await run(
        [
          ...['--dicom', `127.0.0.1:${rig.orthanc.dicomPort}`, '--hl7-ca', clientCa],
          ...['--http', `127.0.0.1:${rig.sidecar.httpPort}`, '--json'],
        ],
        { ...rig.environment, ...changed },
      );
      return RESULTS.parse(JSON.parse(out)).filter(({ level }) => level === 'fail');
    };
    expect(await doctor()).to.deep.equal([]);
    const failed = await doctor({ HTTPS_CERTIFICATE: own.write('other.pem', other.certificate) });
    expect(failed.map(({ check }) => check)).to.deep.equal(['sidecar']);
  });
});
