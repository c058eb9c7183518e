import { randomUUID } from 'node:crypto';
import { createBlobStore } from './adapters/azure.ts';
import { createCodec } from './adapters/codec.ts';
import { startHl7Listener } from './adapters/hl7.ts';
import { startHttp } from './adapters/http.ts';
import { createOrthanc } from './adapters/orthanc.ts';
import { migrate, openDatabase } from './adapters/postgres/database.ts';
import { deletedImages } from './adapters/postgres/deletions.ts';
import { loadLabelFacts } from './adapters/postgres/labels.ts';
import { startJobs } from './adapters/postgres/jobs.ts';
import { createRenderingLock } from './adapters/postgres/rendering-lock.ts';
import { startReplica } from './adapters/postgres/replica.ts';
import { smsStatements } from './adapters/postgres/sms.ts';
import { startSmsSandbox } from './adapters/sms-sandbox.ts';
import { createTwilio } from './adapters/twilio.ts';
import { startAuditTrail } from './audit.ts';
import type { Config } from './config.ts';
import { asFailure } from './core/failure.ts';
import { acceptUpload } from './flows/accept-upload.ts';
import { labelStudy } from './flows/label-study.ts';
import { lookForDeleted } from './flows/remove-deleted.ts';
import { sendSms } from './flows/send-sms.ts';
import { createGuards } from './guards.ts';
import type { Log } from './log.ts';
import { lead } from './leading.ts';
import { patiently } from './loop.ts';
import { createMirroring, RENDERING } from './mirroring.ts';
import { createOperations, MESSAGES_TOGETHER } from './operations.ts';
import { createReadiness } from './readiness.ts';
import { smsCallbacks, statusCallback } from './sms-callbacks.ts';
import { uploadEntries } from './upload-audit.ts';
import { metricsOf, startWatching, tellTests } from './watching.ts';

export interface Sidecar extends AsyncDisposable {
  /** As the next: 0 where there is none. */
  readonly hl7Port: number;
  readonly hl7TlsPort: number;
  readonly httpPort: number;
  readonly metricsPort: number | null;
  /** Settles with a reason when the sidecar cannot go on; the process should then end. */
  readonly failed: Promise<string>;
}

export interface Overrides {
  readonly log: Log;
  readonly now?: () => Date;
  readonly random?: () => number;
}

const ORTHANC_TIMEOUT_MS = 10_000;
const BLOB_TIMEOUT_MS = 30_000;
const TWILIO_TIMEOUT_MS = 10_000;
const START_PATIENCE_MS = 60_000;
const BEAT_MS = 1_000;
const MAX_RENDER_FILE_BYTES = 512 * 1024 * 1024;
const MAX_UPLOAD_FILES = 2000;
const MAX_UPLOADS_AT_ONCE = 16;
const UPLOAD_STALL_TIMEOUT_MS = 60_000;

/**
 * The composition root: everything the sidecar is made of, started in order and, when disposed of, stopped in the
 * opposite one. Rejects where a part that must be right from the start is not: an Orthanc that is too old, a database
 * that cannot be migrated.
 */
export async function startSidecar(config: Config, overrides: Overrides): Promise<Sidecar> {
  const { log, now = () => new Date(), random = Math.random } = overrides;
  await using stack = new AsyncDisposableStack();
  const failed = Promise.withResolvers<string>();

  const db = stack.adopt(openDatabase(config.DATABASE_URL, config.DATABASE_POOL_SIZE), (pool) => pool.destroy());
  await patiently(() => migrate(config.DATABASE_URL), {
    limitMs: START_PATIENCE_MS,
    now,
    random,
    onFailure: (code) => {
      log.warn({ code }, 'waiting for the database');
    },
  });

  const audit = stack.use(startAuditTrail(db, { now, random, log }));
  const orthanc = stack.adopt(
    createOrthanc({
      url: config.ORTHANC_URL,
      username: config.ORTHANC_USERNAME,
      password: config.ORTHANC_PASSWORD,
      timeoutMs: ORTHANC_TIMEOUT_MS,
      maxFileBytes: MAX_RENDER_FILE_BYTES,
    }),
    (client) => {
      client.close();
    },
  );
  const blobs = createBlobStore(
    config.AZURE_STORAGE_CONNECTION_STRING,
    config.AZURE_STORAGE_CONTAINER,
    BLOB_TIMEOUT_MS,
  );
  const tooOld = await orthanc.system().then(
    () => null,
    (error: unknown) => (asFailure(error).kind === 'permanent' ? asFailure(error) : null),
  );
  if (tooOld !== null) throw tooOld;
  const codec = stack.use(createCodec({ maxPixels: config.RENDER_MAX_PIXELS, timeoutMs: config.RENDER_TIMEOUT_MS }));

  const twilioAccount =
    config.TWILIO_ACCOUNT_SID !== undefined && config.TWILIO_AUTH_TOKEN !== undefined
      ? { accountSid: config.TWILIO_ACCOUNT_SID, authToken: config.TWILIO_AUTH_TOKEN, apiUrl: config.TWILIO_API_URL }
      : await (async () => {
          const sandbox = stack.use(await startSmsSandbox({ host: '127.0.0.1', port: 0, now }));
          log.warn('NO TEXT WILL BE SENT: there are no Twilio credentials, so a sandbox takes the messages');
          return { accountSid: `AC${'0'.repeat(32)}`, authToken: randomUUID(), apiUrl: sandbox.url };
        })();
  const sms = createTwilio({
    ...twilioAccount,
    from: config.TWILIO_FROM ?? '+61400000000',
    messagingServiceSid: config.TWILIO_MESSAGING_SERVICE_SID,
    statusCallback: statusCallback(config.PUBLIC_URL),
    timeoutMs: TWILIO_TIMEOUT_MS,
  });
  const guards = await createGuards({ config, db, now, onRefusedAccess: audit.refused, log });

  const metrics = metricsOf(config);
  const operations = createOperations({
    ...{ config, db, now },
    onRefused: (refused) => {
      log.warn(refused, 'HL7 message refused');
    },
    onTest: tellTests(metrics, log),
  });

  const lock = stack.use(createRenderingLock(config.DATABASE_URL, { size: config.JOB_CONCURRENCY, ...RENDERING }));
  const mirroring = createMirroring({
    ...{ db, orthanc, blobs, codec, lock, now, random, log },
    container: config.AZURE_STORAGE_CONTAINER,
    maxPixels: config.RENDER_MAX_PIXELS,
    drawnAtOnce: config.JOB_CONCURRENCY,
  });
  const texts = smsStatements(db);
  const deleted = deletedImages(db);
  const removal = { ...operations.removal, present: orthanc.present };
  const parts = { db, orthanc, operations, removal, now, random, log, maxLossPercent: config.SWEEP_MAX_LOSS_PERCENT };
  // What is new is linked first: a report may wait for it, and drawing takes the most of Orthanc.
  let feedBehind = false;
  const replica = stack.use(
    startReplica({
      databaseUrl: config.DATABASE_URL,
      beatMs: BEAT_MS,
      lead: metrics.leading((over) =>
        lead(parts, over, {
          batchSize: config.FEED_BATCH_SIZE,
          waitMs: config.POLL_INTERVAL_MS,
          sweepIntervalMs: config.SWEEP_INTERVAL_MS,
          retain: config,
          onFailed: failed.resolve,
          onBehind: (isBehind) => {
            feedBehind = isBehind;
          },
          audit: config,
        }),
      ),
      random,
      log,
    }),
  );
  // Stopped at once together, so that the slowest decides how long a stop takes, not all of them.
  const atWork: AsyncDisposable[] = [];
  stack.defer(async () => {
    await Promise.all(atWork.map((part) => part[Symbol.asyncDispose]()));
  });
  const working = <T extends AsyncDisposable>(part: T): T => {
    atWork.push(part);
    return part;
  };
  working({ [Symbol.asyncDispose]: replica.standDown });
  working(
    startJobs(
      {
        ...mirroring,
        blobsRest: () => feedBehind || mirroring.blobsRest(),
        lookForDeleted: (dicomStudyId, look) =>
          lookForDeleted({ ...removal, imagesOf: deleted.imagesOf }, dicomStudyId, look),
        sendSms: (smsId) =>
          sendSms(
            {
              ...texts,
              send: sms.send,
              find: sms.find,
              now,
              random,
              hours: config.SMS_HOURS,
              timeZone: config.PRACTICE_TIME_ZONE,
              hearsStart: config.PUBLIC_URL !== undefined,
            },
            smsId,
          ),
        labelStudy: (dicomStudyId) =>
          labelStudy(
            {
              ...orthanc,
              load: (id) => loadLabelFacts(db, [id]),
              labels: async (id) => (await orthanc.labels([id])).get(id) ?? null,
            },
            dicomStudyId,
          ),
      },
      {
        databaseUrl: config.DATABASE_URL,
        concurrency: config.JOB_CONCURRENCY,
        closeTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
        vouch: replica.vouch,
        log,
      },
    ),
  );

  const hl7 = working(
    await startHl7Listener({
      host: config.HL7_HOST,
      port: config.HL7_PORT,
      maxFrameBytes: config.HL7_MAX_FRAME_BYTES,
      maxConnections: config.HL7_MAX_CONNECTIONS,
      idleTimeoutMs: config.HL7_IDLE_TIMEOUT_MS,
      frameTimeoutMs: 120_000,
      answerTimeoutMs: 30_000,
      // Those in work and those gathered meanwhile.
      maxAtOnce: 2 * MESSAGES_TOGETHER,
      closeTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
      now,
      newControlId: () => randomUUID().replaceAll('-', '').slice(0, 20),
      guard: guards.hl7,
      log,
      handle: metrics.hl7(guards.admitting(operations.receive)),
    }),
  );

  const readiness = createReadiness({ config, db, orthanc, blobs, hl7, audit, now });
  const http = working(
    await startHttp({
      host: config.HTTP_HOST,
      port: config.HTTP_PORT,
      readiness,
      closeTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
      sms: smsCallbacks({
        ...twilioAccount,
        publicUrl: config.PUBLIC_URL,
        onRefused: audit.refused,
        db,
        operations,
        now,
        random,
        log,
      }),
      guard: guards.http,
      operator: { ...operations, log },
      upload: {
        maxFileBytes: config.MAX_UPLOAD_BYTES,
        maxFiles: MAX_UPLOAD_FILES,
        maxConcurrent: MAX_UPLOADS_AT_ONCE,
        stallTimeoutMs: UPLOAD_STALL_TIMEOUT_MS,
        accept: metrics.upload((file, signal) => acceptUpload({ store: orthanc.store }, file, signal)),
        onEnd: async (end) => audit.note(...(await uploadEntries(orthanc, end, now()))),
        log,
      },
    }),
  );

  const { port: metricsPort } = working(await startWatching({ config, db, orthanc, metrics, readiness, now }));
  log.info({ hl7Port: hl7.port, hl7TlsPort: hl7.tlsPort, httpPort: http.port, metricsPort }, 'listening');
  const running = stack.move();
  return {
    hl7Port: hl7.port,
    hl7TlsPort: hl7.tlsPort,
    httpPort: http.port,
    metricsPort,
    failed: failed.promise,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
