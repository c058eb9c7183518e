import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Logger,
  runTaskList,
  type JobHelpers,
  type TaskList,
  type WorkerEvents,
  type WorkerPool,
} from 'graphile-worker';
import type { Knex } from 'knex';
import { z } from 'zod';
import { asFailure } from '../../core/failure.ts';
import { mirrorJobs } from './images.ts';
import { createJobPool } from './job-pool.ts';
import { ADD_JOBS, BLOB_FLAG, query } from './query.ts';
import { JOB_HOLDER_LOCK } from './replica.ts';

export interface JobHandlers {
  /** `lastAttempt`: if it fails now, it is not tried again. Gives when to call again, not counting as tried, or null. */
  readonly mirrorImage: (
    imageId: string,
    options: { readonly lastAttempt: boolean; readonly stop: AbortSignal },
  ) => Promise<{ readonly again: Date } | null>;
  /** Gives when to call again, or null. */
  readonly sendSms: (smsId: string) => Promise<{ readonly again: Date } | null>;
  readonly labelStudy: (dicomStudyId: string) => Promise<void>;
  /** `look` counts from 0. Gives when to look again, or null. */
  readonly lookForDeleted: (dicomStudyId: string, look: number) => Promise<{ readonly again: Date } | null>;
  /** As `mirrorImage`. */
  readonly removeBlobs: (orthancId: string) => Promise<{ readonly again: Date } | null>;
  /** Whether jobs of the blob store, marked by {@link BLOB_FLAG}, had better not begin now. */
  readonly blobsRest: () => boolean;
}

export interface JobOptions {
  readonly databaseUrl: string;
  readonly concurrency: number;
  /** How long jobs in work may take when the queue is closed; then they are handed back to it. */
  readonly closeTimeoutMs: number;
  /** Vouches for the jobs that are locked under this name; none is taken before it has. */
  readonly vouch: (name: string) => Promise<void>;
  readonly log: { readonly warn: (fields: object, message: string) => void };
}

const MIRROR_PAYLOAD = z.array(z.object({ imageId: z.string().regex(/^\d+$/) }));
const LABEL_PAYLOAD = z.object({ dicomStudyId: z.string() });
const LOOK_PAYLOAD = z.object({ dicomStudyId: z.string(), look: z.number() });
const BLOBS_PAYLOAD = z.object({ orthancId: z.string() });
const SMS_PAYLOAD = z.object({ smsId: z.string() });

/** As it was, or a part of it, but later and with no try counted. */
async function putOff({ addJob, job }: JobHelpers, payload: unknown, runAt: Date): Promise<void> {
  const key = job.key === null ? {} : { jobKey: job.key };
  await addJob(job.task_identifier, payload, {
    ...key,
    runAt,
    maxAttempts: job.max_attempts,
    flags: [BLOB_FLAG],
  });
}

type End = PromiseSettledResult<{ readonly again: Date } | null>;
type PutOffEnd = PromiseFulfilledResult<{ readonly again: Date }>;
const isPutOff = (end: End | undefined): end is PutOffEnd => end?.status === 'fulfilled' && end.value !== null;

function tasks(handlers: JobHandlers): TaskList {
  return {
    'mirror-image': async (payload, helpers) => {
      const { job, abortSignal: stop } = helpers;
      const options = { lastAttempt: job.attempts >= job.max_attempts, stop };
      const images = MIRROR_PAYLOAD.parse(payload);
      const ends = await Promise.allSettled(images.map(({ imageId }) => handlers.mirrorImage(imageId, options)));
      const waiting = images.filter((_image, index) => isPutOff(ends[index]));
      const again = ends.filter(isPutOff).map(({ value }) => value.again.getTime());
      if (waiting.length > 0) await putOff(helpers, waiting, new Date(Math.max(...again)));
      // By these the queue tries again those that failed, and only those.
      return ends.map((end) => (end.status === 'rejected' ? Promise.reject(asFailure(end.reason)) : undefined));
    },
    'label-study': async (payload) => {
      await handlers.labelStudy(LABEL_PAYLOAD.parse(payload).dicomStudyId);
    },
    'send-sms': async (payload, helpers) => {
      const { smsId } = SMS_PAYLOAD.parse(payload);
      const outcome = await handlers.sendSms(smsId);
      if (outcome === null) return;
      await helpers.addJob('send-sms', { smsId }, { jobKey: `send-sms:${smsId}`, runAt: outcome.again });
    },
    'look-for-deleted': async (payload, helpers) => {
      const { dicomStudyId, look } = LOOK_PAYLOAD.parse(payload);
      const outcome = await handlers.lookForDeleted(dicomStudyId, look);
      if (outcome === null) return;
      const next = { jobKey: `look-for-deleted:${dicomStudyId}`, runAt: outcome.again };
      await helpers.addJob('look-for-deleted', { dicomStudyId, look: look + 1 }, next);
    },
    'remove-blobs': async (payload, helpers) => {
      const outcome = await handlers.removeBlobs(BLOBS_PAYLOAD.parse(payload).orthancId);
      if (outcome !== null) await putOff(helpers, payload, outcome.again);
    },
  };
}

// Which images a job is for only its payload tells, which the queue's view does not show.
export const REQUEUE_IMAGES = `
WITH waiting AS MATERIALIZED (
  SELECT CAST(image ->> 'imageId' AS bigint) AS id
  FROM graphile_worker._private_jobs j
  JOIN graphile_worker._private_tasks t ON t.id = j.task_id AND t.identifier = 'mirror-image'
  CROSS JOIN LATERAL json_array_elements(CASE json_typeof(j.payload) WHEN 'array' THEN j.payload END) image
  WHERE j.attempts < j.max_attempts OR j.locked_at IS NOT NULL
), again AS (
  SELECT id FROM images WHERE mirror_status = 'pending' AND NOT EXISTS (SELECT 1 FROM waiting WHERE waiting.id = images.id)
), jobs AS MATERIALIZED (${mirrorJobs('again')})
${ADD_JOBS}`;

// Once the jobs of dead processes are released, a job that is locked is in work. A text that waits is looked at again: the
// hours it waits for may be set otherwise now.
export const REQUEUE_TEXTS = `
SELECT count(graphile_worker.add_job('send-sms', json_build_object('smsId', CAST(id AS text)), job_key := 'send-sms:' || id)) AS count
FROM sms_messages WHERE state IN ('queued', 'sending') AND NOT EXISTS (
  SELECT 1 FROM graphile_worker.jobs j WHERE j.key = 'send-sms:' || sms_messages.id AND j.locked_at IS NOT NULL)`;

export const RELEASE_JOBS_OF_DEAD = `
WITH dead AS (
  SELECT DISTINCT j.locked_by FROM graphile_worker.jobs j
  WHERE j.locked_at IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.classid = ${JOB_HOLDER_LOCK} AND l.objsubid = 2
      AND CAST(l.objid AS bigint) = CAST(hashtext(j.locked_by) AS bigint) & 4294967295
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
)
SELECT count(*) AS count FROM dead, LATERAL graphile_worker.force_unlock_workers(ARRAY[dead.locked_by])`;

const COUNT = z.object({ count: z.coerce.number() });

/** Makes the jobs again that unfinished images and texts should have and have not; gives how many jobs. */
export async function requeueUnfinished(db: Knex): Promise<number> {
  await query(db, FORGET_USED_UP_JOBS, {}, COUNT);
  let count = 0;
  for (const sql of [REQUEUE_IMAGES, REQUEUE_TEXTS]) count += (await query(db, sql, {}, COUNT))[0]?.count ?? 0;
  return count;
}

// Another took its key while it was in work, or its last try could not be told: the queue keeps such a row.
export const FORGET_USED_UP_JOBS = `
SELECT count(*) AS count FROM graphile_worker.complete_jobs(ARRAY(
  SELECT id FROM graphile_worker.jobs WHERE key IS NULL AND locked_at IS NULL AND attempts >= max_attempts))`;

/** Hands the jobs back that processes held which nothing vouches for any more; gives how many such there were. */
export async function releaseJobsOfDead(db: Knex): Promise<number> {
  const released = (await query(db, RELEASE_JOBS_OF_DEAD, {}, COUNT))[0]?.count ?? 0;
  if (released > 0) await query(db, FORGET_USED_UP_JOBS, {}, COUNT);
  return released;
}

const RESTART_MS = 1000;
/** What a queue that runs no job any more still has to write may take so long. */
const END_MS = 5_000;

/**
 * Runs jobs until it is disposed of, which lets those in work finish or hands them back. Errors are retried by the queue,
 * with backoff. Where the end of a job could not be written, the queue is started anew and that job is run again: jobs
 * are idempotent.
 */
export function startJobs(handlers: JobHandlers, options: JobOptions): AsyncDisposable {
  const { concurrency, databaseUrl, log } = options;
  const pgPool = createJobPool(databaseUrl, concurrency + 2);
  pgPool.on('error', () => {
    log.warn({}, 'a connection of the job queue was lost');
  });
  const events: WorkerEvents = new EventEmitter();
  events.on('job:error', ({ job, error, batchJobErrors }) => {
    const failures = (batchJobErrors ?? [error]).map(asFailure);
    for (const { code, kind } of new Map(failures.map((failure) => [failure.code, failure])).values()) {
      const about = { job: job.id, task: job.task_identifier, attempt: job.attempts, code, kind };
      log.warn(about, 'a job failed and is tried again');
    }
  });
  const vouching: GraphileConfig.Plugin = {
    name: 'axis-vouching',
    version: '1.0.0',
    worker: { hooks: { startWorker: (_context, { worker }) => options.vouch(worker.workerPool.id) } },
  };
  let queue: WorkerPool | undefined;
  let idle = Promise.withResolvers<undefined>();
  for (const name of ['gracefulShutdown:complete', 'forcefulShutdown:complete', 'forcefulShutdown:error'] as const) {
    events.on(`pool:${name}`, ({ workerPool }) => {
      if (workerPool === queue) idle.resolve(undefined);
    });
  }
  /** What an ended queue held is handed back. */
  const handBack = async (): Promise<void> => {
    if (queue === undefined) return;
    await pgPool.query('SELECT graphile_worker.force_unlock_workers($1::text[])', [[queue.id]]);
    await pgPool.query(FORGET_USED_UP_JOBS);
  };
  const start = (): WorkerPool =>
    // Not `run`: its clock for recurring jobs, of which there are none, would go on for ever where a queue never ends.
    runTaskList(
      {
        concurrency,
        events,
        noHandleSignals: true,
        pollInterval: 1000,
        forbiddenFlags: () => (handlers.blobsRest() ? [BLOB_FLAG] : null),
        // Before they are handed back, renderings are told to end.
        gracefulShutdownAbortTimeout: Math.ceil(options.closeTimeoutMs / 2),
        // Without these the queue does not wait for what it writes of a job's end: an error of it ends the process, and a
        // stop leaves the job locked.
        preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 }, plugins: [vouching] },
        // The queue's own log carries error texts of whatever kind; failures are told by the event above, codes only.
        logger: new Logger(() => () => undefined),
      },
      tasks(handlers),
      pgPool,
    );
  const closing = new AbortController();
  const closed = (): boolean => closing.signal.aborted;
  const stop = (): void => {
    if (queue !== undefined) Promise.resolve(queue.gracefulShutdown()).catch(() => undefined);
  };
  const supervise = async (): Promise<void> => {
    while (!closed()) {
      try {
        await handBack();
        idle = Promise.withResolvers();
        queue = start();
        if (closed()) stop();
        // A queue that could not write the ends of several jobs counts them wrong and waits for ever.
        await Promise.race([queue.promise, idle.promise.then(() => sleep(END_MS, undefined, { ref: false }))]);
      } catch (error) {
        if (!closed()) log.warn({ code: asFailure(error).code }, 'the job queue ended and is started again');
      }
      await sleep(RESTART_MS, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  };
  const supervised = supervise();
  return {
    async [Symbol.asyncDispose]() {
      closing.abort();
      const late = setTimeout(() => {
        if (queue !== undefined) Promise.resolve(queue.forcefulShutdown('the sidecar stops')).catch(() => undefined);
      }, options.closeTimeoutMs);
      stop();
      await supervised;
      clearTimeout(late);
      await pgPool.end();
    },
  };
}
