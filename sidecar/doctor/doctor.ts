import { randomBytes, randomUUID } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { blobKey, openBlobStore } from '../images/blobs.ts';
import { certificateEnd, shownCertificateEnd } from '../platform/net/certificates.ts';
import { cEcho, cStore, type DicomPeer } from './io/dicom-client.ts';
import { sendByMllp } from '../hl7/io/client.ts';
import { createOrthanc } from '../images/io/orthanc.ts';
import { createOrthancChecks } from './io/orthanc-checks.ts';
import { openDatabase } from '../platform/postgres/database.ts';
import { deletedImages } from '../images/io/deleted-rows.ts';
import { doctorStatements } from './io/rows.ts';
import { askReadiness } from './io/readiness-client.ts';
import { createTextGateway, warningsOf } from '../texts/gateway.ts';
import type { Config } from '../app/config.ts';
import { certificateSettings } from '../platform/settings.ts';
import { within } from '../platform/time-limit.ts';
import { hl7Timestamp } from '../hl7/rules/ack.ts';
import * as judge from './rules/findings.ts';
import { DOCTOR, testOrder } from '../hl7/rules/test-message.ts';
import { fail, ok, together, warn, type Finding, type Result } from './rules/findings.ts';
import { asFailure, Failure } from '../platform/rules/failure.ts';
import { removeBlobs } from '../images/flows/remove-blobs.ts';
import { removeDeleted } from '../images/flows/remove-deleted.ts';
import { tryPhantom } from './flows/try-phantom.ts';
import { createOperations } from '../app/operations.ts';

export interface Place {
  readonly host: string;
  readonly port: number;
}
interface Tls {
  readonly ca: string;
  readonly certificate?: string;
  readonly key?: string;
}

/** Where to knock, as those outside do; what is not given follows from the settings and Orthanc's own. */
export interface DoctorOptions {
  readonly dicom?: Partial<Place>;
  readonly calledAeTitle: string;
  readonly callingAeTitle: string;
  readonly dicomTls?: Tls;
  readonly hl7?: Partial<Place>;
  readonly hl7Tls?: Tls;
  readonly http?: Partial<Place>;
  /** Folders whose disks are looked at, such as the one that Orthanc's volume is mounted at. */
  readonly disks: readonly string[];
}

const CALL_MS = 10_000;
const CHECK_MS = 30_000;
const LOOK_EVERY_MS = 250;
const LOOKS = 80;
const WEEK_MS = 7 * 86_400_000;

const loopback = (host: string): string => (host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host);
const why = (error: unknown): string => {
  const { code, message } = asFailure(error);
  return code === 'unexpected' || message.includes(code) ? message : `${message} (${code})`;
};

const limited = <T>(work: Promise<T>): Promise<T> =>
  within(work, CHECK_MS, new Failure('transient', 'timeout', `no end within ${CHECK_MS / 1000} s`));

async function lookAtSidecar(place: Place, certificate: string | undefined): Promise<Finding> {
  const parts = await askReadiness(place, certificate, CALL_MS);
  if (parts === null) {
    return fail(`something else answers at ${place.host}:${place.port}`, 'Give the right place with --http.');
  }
  const away = parts.filter((part) => !part.ok).map(({ name, detail }) => `${name} (${detail ?? 'not ready'})`);
  if (away.length === 0) return ok(`ready: ${parts.map(({ name }) => name).join(', ')}`);
  return fail(`not ready: ${away.join(', ')}`, 'See the checks of these parts, and the log of the sidecar.');
}

async function tryBlob(config: Config): Promise<Finding> {
  const blobs = openBlobStore(config, CALL_MS);
  const name = `axis-doctor/${randomUUID()}.jpg`;
  await blobs.write(name, Buffer.from('axis doctor'));
  await blobs.remove(name);
  return ok(`a blob was written to ${blobs.name} and deleted again`);
}

async function tryTexts(config: Config): Promise<Finding> {
  const gateway = createTextGateway(config, { timeoutMs: CALL_MS });
  if (gateway === null) {
    return warn('there are no credentials, so that no text is sent', 'Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.');
  }
  const { active, status, trial } = await gateway.check();
  if (!active) return fail(`the account is ${status}`, "Put it right in Twilio's console.");
  if (config.TWILIO_API_URL !== undefined)
    return warn('an active account, not at Twilio but at TWILIO_API_URL', 'Take TWILIO_API_URL out.');
  if (!trial) return ok('the credentials hold and the account is active; nothing was sent');
  return warn('a trial account: it texts verified numbers only', "Upgrade it in Twilio's console.");
}

function lookAtSender(config: Config): Finding {
  const warnings = warningsOf(config).map(({ seen, todo }) => warn(seen, todo));
  return warnings.length > 0 ? together(warnings) : ok('texts say who sends them, and can be answered');
}

function lookAtTimeZone(zone: string, now: Date): Finding {
  const options = { timeZone: zone, dateStyle: 'full', timeStyle: 'long' } as const;
  return ok(`${zone}: it is ${new Intl.DateTimeFormat('en-AU', options).format(now)} there`);
}

async function lookAtDisks(disks: readonly string[], held: string): Promise<Finding> {
  if (disks.length === 0) {
    const todo =
      "Look at the disks of Orthanc's and Postgres's volumes (df -h on their machine), or give them as --disk PATH.";
    return warn(`${held}; free disk cannot be seen from here`, todo);
  }
  const looked = disks.map(async (path) => {
    const { bavail, blocks, bsize } = await statfs(path);
    return judge.judgeDisk(path, bavail * bsize, blocks * bsize);
  });
  return together([ok(held), ...(await Promise.all(looked))]);
}

async function lookAtCertificates(config: Config, dicom: DicomPeer, now: Date): Promise<Finding> {
  const named = certificateSettings(config);
  const findings = named.map(async ({ setting, file }) =>
    certificateEnd(file).then(
      (end) => judge.judgeCertificate(setting, end, now),
      (error: unknown) => fail(`${setting}: ${why(error)}`, 'Name a PEM file that this user may read.'),
    ),
  );
  if (dicom.tls !== undefined) {
    const shown = `shown at ${dicom.host}:${dicom.port}`;
    findings.push(
      shownCertificateEnd(dicom, dicom.tls, CALL_MS).then(
        (end) => judge.judgeCertificate(shown, end, now),
        (error: unknown) => fail(`${shown}: ${why(error)}`, 'See the check dicom-echo.'),
      ),
    );
  }
  if (findings.length === 0) return ok('no setting of the sidecar names one');
  return together(await Promise.all(findings));
}

const DICOM_TODO: Readonly<Record<string, string>> = {
  'dicom-rejected':
    'The called AE title is DicomAet in orthanc.json; with DICOM_ALLOW_LIST the calling one and its address must be listed.',
  'dicom-unreachable':
    'See that Orthanc runs and the port is open (DICOM_PUBLISH, firewall); a TLS port needs --dicom-ca.',
  'dicom-timeout': 'See that Orthanc runs and the port is open (DICOM_PUBLISH, firewall).',
};
/** C-ECHO came through just before, so that it is not the way there. */
const storeTodo = (): string =>
  'With DICOM_ALLOW_LIST the calling AE title needs store there; else see the log of Orthanc and its disk.';
const dicomTodo = (error: unknown): string => DICOM_TODO[asFailure(error).code] ?? 'See the log of Orthanc.';

/**
 * Tries what an installation needs, each as those outside would: modality, RIS, Blob, Twilio, clocks, disk, certificates.
 * Gives a result a check, none left out, in a minute or two. It leaves nothing behind but a record: the history of a
 * DICOM study that is deleted, and a kept HL7 message. Nobody is texted.
 */
export async function runDoctor(config: Config, options: DoctorOptions, now: () => Date): Promise<Result[]> {
  await using stack = new AsyncDisposableStack();
  const results: Result[] = [];
  /** `todo` for what went wrong without the check saying so. */
  const check = async (name: string, todo: string | ((error: unknown) => string), look: () => Promise<Finding>) => {
    const finding = await limited(look()).catch((error: unknown) =>
      fail(why(error), typeof todo === 'string' ? todo : todo(error)),
    );
    results.push({ check: name, ...finding });
    return finding.level !== 'fail';
  };

  const db = stack.adopt(openDatabase(config.DATABASE_URL, 2), (pool) => pool.destroy());
  const account = {
    url: config.ORTHANC_URL,
    username: config.ORTHANC_USERNAME,
    password: config.ORTHANC_PASSWORD,
    timeoutMs: CALL_MS,
  };
  const archive = createOrthancChecks(account);
  const orthanc = stack.adopt(createOrthanc({ ...account, maxFileBytes: 1 }), (client) => {
    client.close();
  });
  const rows = doctorStatements(db);
  const operations = createOperations({ config, db, now, onRefused: () => undefined });
  const deleted = deletedImages(db);
  const blobs = openBlobStore(config, CALL_MS);

  await check('settings', '', () => Promise.resolve(judge.judgeSettings(config, blobKey(config))));
  const http = { host: loopback(config.HTTP_HOST), port: config.HTTP_PORT, ...options.http };
  const secured = config.HTTPS_CERTIFICATE === undefined ? '' : ', by TLS with the certificate of HTTPS_CERTIFICATE';
  await check(
    'sidecar',
    `Start the sidecar; it should answer at ${http.host}:${http.port} (or --http)${secured}.`,
    () => lookAtSidecar(http, config.HTTPS_CERTIFICATE),
  );
  const postgresUp = await check(
    'postgres',
    'Start Postgres; see DATABASE_URL and the database’s password.',
    async () => {
      await rows.testMessage(DOCTOR, '');
      return ok('it answers, and has the tables');
    },
  );

  let dicomPort = 4242;
  const orthancTodo = 'Start Orthanc; see ORTHANC_URL, ORTHANC_USERNAME and ORTHANC_PASSWORD.';
  const orthancUp = await check('orthanc', orthancTodo, async () => {
    await orthanc.system();
    const { version, aeTitle, dicomPort: own } = await archive.system();
    dicomPort = own;
    const seen = `version ${version}, AE title ${aeTitle}, DICOM port ${own}`;
    if (aeTitle === options.calledAeTitle) return ok(seen);
    return warn(seen, `Modalities must call ${aeTitle}, or DicomAet in orthanc.json must be ${options.calledAeTitle}.`);
  });

  const peer: DicomPeer = {
    host: new URL(config.ORTHANC_URL).hostname,
    port: dicomPort,
    ...options.dicom,
    calledAeTitle: options.calledAeTitle,
    callingAeTitle: options.callingAeTitle,
    timeoutMs: CALL_MS,
    tls: options.dicomTls,
  };
  const echoed = await check('dicom-echo', dicomTodo, async () => {
    await cEcho(peer);
    return ok(`${peer.calledAeTitle} at ${peer.host}:${peer.port} answers ${peer.callingAeTitle}`);
  });
  if (echoed && orthancUp && postgresUp) {
    const uids = { study: newUid(), series: newUid(), instance: newUid() };
    const removal = { ...operations.removal, present: orthanc.present };
    const phantom = await tryPhantom(
      {
        store: (at) => cStore(peer, judge.phantomElements(at)),
        storeTodo,
        archive,
        rows,
        lowerCursor: async () => rows.lowerCursor(await orthanc.lastSeq()),
        removeDeleted: (orthancIds) => removeDeleted(removal, orthancIds),
        removeBlobs: (orthancId) => removeBlobs({ ...deleted, removeBlob: blobs.remove, now }, orthancId),
        pause: () => sleep(LOOK_EVERY_MS),
        patience: LOOKS,
      },
      uids,
    );
    results.push(...phantom);
  } else {
    const todo = 'Mend that first; without Orthanc and Postgres a test image could not be taken away again.';
    results.push({ check: 'dicom-store', ...fail('not tried, since a check before failed', todo) });
  }

  const hl7Port = options.hl7Tls === undefined ? config.HL7_PORT : config.HL7_TLS_PORT;
  const hl7 = { host: loopback(config.HL7_HOST), port: hl7Port, ...options.hl7 };
  const hl7Todo = `See that the sidecar runs and listens at ${hl7.host}:${hl7.port} (HL7_PORT, HL7_PUBLISH, firewall; or --hl7), and lets this machine in (HL7_ALLOWED_ADDRESSES).`;
  await check('hl7', hl7Todo, async () => {
    const controlId = `DOC${randomBytes(8).toString('hex').toUpperCase()}`;
    const to = { ...hl7, timeoutMs: CALL_MS, tls: options.hl7Tls };
    const answered = judge.judgeAck(await sendByMllp(to, testOrder(controlId, hl7Timestamp(now()))), controlId);
    if (answered.level !== 'ok') return answered;
    const kept = await rows.testMessage(DOCTOR, controlId);
    if (kept === null)
      return fail('answered AA, and not kept', 'Another sidecar answers there, or another database is set here.');
    if (kept.effects === 0) return ok('a test order (MSH-11 T) was answered AA and kept, and nothing followed of it');
    return fail('a test order had an effect', 'Tell who looks after the sidecar: test messages must have none.');
  });
  await check('blob', 'See AZURE_STORAGE_CONNECTION_STRING, its key, and the account’s firewall.', () =>
    tryBlob(config),
  );
  await check('twilio', 'See TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, and that api.twilio.com can be reached.', () =>
    tryTexts(config),
  );
  await check('text-sender', '', () => Promise.resolve(lookAtSender(config)));
  await check('orders', 'See the check of Postgres.', async () => {
    const { texts, waiting } = await rows.textsWithoutOrder(new Date(now().getTime() - WEEK_MS));
    return judge.judgeOrders(texts, waiting, !config.TEXT_WITHOUT_ORDER);
  });
  await check('clock', 'See the checks of Orthanc and Postgres.', async () => {
    const off = async (whose: string, ask: () => Promise<Date>, resolutionMs: number): Promise<Finding> => {
      const before = now().getTime();
      const theirs = (await ask()).getTime() + resolutionMs / 2;
      return judge.judgeClock(whose, (theirs - (before + now().getTime()) / 2) / 1000);
    };
    return together([await off('Orthanc', archive.now, 1000), await off('Postgres', rows.now, 0)]);
  });
  await check('time-zone', '', () => Promise.resolve(lookAtTimeZone(config.PRACTICE_TIME_ZONE, now())));
  await check('disk', 'See the check of Orthanc, and that the folders of --disk are there.', async () => {
    const { instances, megabytes } = await archive.statistics();
    return lookAtDisks(options.disks, `Orthanc holds ${instances} instances, ${megabytes} MB`);
  });
  await check('certificates', '', () => lookAtCertificates(config, peer, now()));
  return results;
}

function newUid(): string {
  return judge.uidOf(randomUUID());
}
