import type { Knex } from 'knex';
import { startAuditTrail, type AuditTrail } from '../audit/trail.ts';
import { startListening } from '../hl7/listening.ts';
import { acceptUpload } from '../images/flows/upload.ts';
import { createRenderingLock } from '../images/io/rendering-lock.ts';
import { createMirroring, RENDERING } from '../images/mirroring.ts';
import { openImageStores, type ImageStores } from '../images/stores.ts';
import { uploadEntries } from '../images/upload-audit.ts';
import type { Metrics } from '../monitoring/io/metrics.ts';
import { createReadiness, type PartReadiness } from '../monitoring/readiness.ts';
import { metricsOf, startWatching, tellTests } from '../monitoring/scrapes.ts';
import type { Log } from '../platform/log.ts';
import { patiently } from '../platform/loop.ts';
import { migrate, openDatabase } from '../platform/postgres/database.ts';
import { requeue } from '../platform/postgres/job-rows.ts';
import { startReplica } from '../platform/postgres/replica.ts';
import { MESSAGES_TOGETHER } from '../ris/receiving.ts';
import { smsCallbacks } from '../texts/callbacks.ts';
import { openTextGateway } from '../texts/gateway.ts';
import type { TextGateway } from '../texts/rules/vendor.ts';
import type { Config } from './config.ts';
import { createGuards, type Guards } from './guards.ts';
import { startHttp, type HttpServer } from './http.ts';
import { allJobs, startJobs } from './jobs.ts';
import { lead } from './leader.ts';
import { createOperations, type Operations } from './operations.ts';

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

/** What every part is given. */
interface Ground {
  readonly config: Config;
  readonly log: Log;
  readonly now: () => Date;
  readonly random: () => number;
  readonly db: Knex;
  readonly audit: AuditTrail;
  readonly metrics: Metrics;
  readonly guards: Guards;
  readonly operations: Operations;
  readonly stores: ImageStores;
  readonly gateway: TextGateway;
}

const START_PATIENCE_MS = 60_000;
const BEAT_MS = 1_000;
const MAX_UPLOAD_FILES = 2000;
const MAX_UPLOADS_AT_ONCE = 16;
const UPLOAD_STALL_TIMEOUT_MS = 60_000;

/** Opens what all parts stand on; what is opened is closed with `stack`. */
async function openGround(config: Config, overrides: Overrides, stack: AsyncDisposableStack): Promise<Ground> {
  const { log, now = () => new Date(), random = Math.random } = overrides;
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
  const stores = stack.use(await openImageStores(config));
  const gateway = stack.use(await openTextGateway(config, { now, log }));
  const guards = await createGuards({ config, db, now, onRefusedAccess: audit.refused, log });
  const metrics = metricsOf(config);
  const operations = createOperations({
    ...{ config, db, now },
    onRefused: (refused) => {
      log.warn(refused, 'HL7 message refused');
    },
    onTest: tellTests(metrics, log),
    onWarnings: metrics.hl7Warnings,
    onIgnored: ({ messageType }) => {
      metrics.hl7Ignored(messageType);
    },
  });
  return { config, log, now, random, db, audit, metrics, guards, operations, stores, gateway };
}

/** Starts what works by itself: the feed's follower and the sweep in one process of all, and the job queue in each. */
function startWork(ground: Ground, onFailed: (reason: string) => void) {
  const { config, log, now, random, db, metrics, operations, stores, gateway } = ground;
  const { orthanc } = stores;
  const lock = createRenderingLock(config.DATABASE_URL, { size: config.JOB_CONCURRENCY, ...RENDERING });
  const mirroring = createMirroring({
    ...{ ...stores, db, lock, now, random, log },
    maxPixels: config.RENDER_MAX_PIXELS,
    drawnAtOnce: config.JOB_CONCURRENCY,
  });
  const removal = { ...operations.removal, present: orthanc.present };
  const jobs = allJobs({
    ...{ config, db, orthanc, gateway, mirroring, removal, now, random, log },
    settling: operations.settling,
  });
  const requeueUnfinished = (): Promise<number> =>
    requeue(
      db,
      jobs.flatMap((job) => job.requeue ?? []),
    );
  const { transaction, take, recheckPersonLinks } = operations;
  const parts = { db, orthanc, transaction, take, recheckPersonLinks, removal, requeueUnfinished, now, random, log };
  let feedBehind = false;
  const replica = startReplica({
    databaseUrl: config.DATABASE_URL,
    beatMs: BEAT_MS,
    lead: metrics.leading((over) =>
      lead({ ...parts, maxLossPercent: config.SWEEP_MAX_LOSS_PERCENT }, over, {
        batchSize: config.FEED_BATCH_SIZE,
        waitMs: config.POLL_INTERVAL_MS,
        sweepIntervalMs: config.SWEEP_INTERVAL_MS,
        labelCheckMs: config.LABEL_CHECK_INTERVAL_MS,
        retain: config,
        onFailed,
        onBehind: (isBehind) => {
          feedBehind = isBehind;
        },
        audit: config,
      }),
    ),
    random,
    log,
  });
  const queue = startJobs(jobs, {
    databaseUrl: config.DATABASE_URL,
    concurrency: config.JOB_CONCURRENCY,
    // What is new is linked first: a report may wait for it, and drawing takes the most of Orthanc.
    blobsRest: () => feedBehind || mirroring.blobsRest(),
    closeTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
    vouch: replica.vouch,
    log,
  });
  return { lock, replica, queue };
}

/** Answers HTTP: uploads, operators, the text vendor's callbacks, readiness. */
function startWeb(ground: Ground, readiness: () => Promise<PartReadiness[]>): Promise<HttpServer> {
  const { config, log, now, random, db, audit, metrics, guards, operations, stores, gateway } = ground;
  const { orthanc } = stores;
  return startHttp({
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
    readiness,
    closeTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
    sms: smsCallbacks({
      ...{ db, now, random, log },
      callbacks: gateway.callbacks,
      publicUrl: config.PUBLIC_URL,
      onRefused: audit.refused,
      recordOptChoice: operations.recordOptChoice,
    }),
    guard: guards.http,
    operator: { ...operations, log },
    upload: {
      maxFileBytes: config.MAX_UPLOAD_BYTES,
      maxFiles: MAX_UPLOAD_FILES,
      maxConcurrent: MAX_UPLOADS_AT_ONCE,
      stallTimeoutMs: UPLOAD_STALL_TIMEOUT_MS,
      accept: metrics.upload((file, signal) => acceptUpload(orthanc, file, signal)),
      onEnd: async (end) => audit.note(...(await uploadEntries(orthanc, end, now()))),
      log,
    },
  });
}

/**
 * The composition root: everything the sidecar is made of, started in order and, when disposed of, stopped in the
 * opposite one. Rejects where a part that must be right from the start is not: an Orthanc that is too old, a database
 * that cannot be migrated.
 */
export async function startSidecar(config: Config, overrides: Overrides): Promise<Sidecar> {
  await using stack = new AsyncDisposableStack();
  const failed = Promise.withResolvers<string>();
  const ground = await openGround(config, overrides, stack);
  const { log, now, db, audit, metrics, guards, operations, stores } = ground;
  const { lock, replica, queue } = startWork(ground, failed.resolve);
  stack.use(lock);
  stack.use(replica);
  // Stopped at once together, so that the slowest decides how long a stop takes, not all of them.
  const atWork: AsyncDisposable[] = [{ [Symbol.asyncDispose]: replica.standDown }, queue];
  stack.defer(async () => {
    await Promise.all(atWork.map((part) => part[Symbol.asyncDispose]()));
  });
  const working = <T extends AsyncDisposable>(part: T): T => {
    atWork.push(part);
    return part;
  };
  const hl7 = working(
    await startListening(config, {
      admit: metrics.hl7Refused(guards.admitHl7),
      handle: metrics.hl7(operations.receive),
      // Those in work and those gathered meanwhile.
      maxAtOnce: 2 * MESSAGES_TOGETHER,
      closeTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
      guard: guards.hl7,
      now,
      log,
    }),
  );
  const readiness = createReadiness({ ...stores, config, db, hl7, audit, now });
  const http = working(await startWeb(ground, readiness));
  const { port: metricsPort } = working(await startWatching({ ...stores, config, db, metrics, readiness, now }));
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
