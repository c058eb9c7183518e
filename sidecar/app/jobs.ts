import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger, runTaskList, type Task, type WorkerEvents, type WorkerPool } from 'graphile-worker';
import type { Knex } from 'knex';
import type { RemoveDeps } from '../images/flows/remove-deleted.ts';
import type { Orthanc } from '../images/io/orthanc.ts';
import { imageJobs } from '../images/jobs.ts';
import type { Mirroring } from '../images/mirroring.ts';
import { labelJob } from '../linking/jobs.ts';
import type { Job } from '../platform/jobs.ts';
import { FORGET_USED_UP_JOBS } from '../platform/postgres/job-rows.ts';
import { sendJob } from '../texts/jobs.ts';
import type { TextGateway } from '../texts/rules/vendor.ts';
import type { Log } from '../platform/log.ts';
import { sendingBy, type Settling } from '../texts/sending.ts';
import type { Config } from './config.ts';
import type { Tx } from './transaction.ts';
import { asFailure } from '../platform/rules/failure.ts';
import { createJobPool } from '../platform/postgres/job-pool.ts';
import { BLOB_FLAG } from '../platform/postgres/query.ts';

export interface JobOptions {
  readonly databaseUrl: string;
  readonly concurrency: number;
  /** Whether jobs that wait for the blob store had better not begin now. */
  readonly blobsRest: () => boolean;
  /** How long jobs in work may take when the queue is closed; then they are handed back to it. */
  readonly closeTimeoutMs: number;
  /** Vouches for the jobs that are locked under this name; none is taken before it has. */
  readonly vouch: (name: string) => Promise<void>;
  readonly log: { readonly warn: (fields: object, message: string) => void };
}

function taskOf({ name, waitsForBlobs, run }: Job): Task {
  return async (payload, { job, addJob, abortSignal: stop }) => {
    const { later, failures } = await run(payload, { lastAttempt: job.attempts >= job.max_attempts, stop });
    if (later !== null) {
      const key = later.key ?? job.key;
      await addJob(name, later.payload, {
        ...(key !== null && { jobKey: key }),
        runAt: later.at,
        maxAttempts: job.max_attempts,
        ...(waitsForBlobs && { flags: [BLOB_FLAG] }),
      });
    }
    // By these the queue tries again those that failed, and only those.
    return failures?.map((failure) => (failure === null ? undefined : Promise.reject(failure)));
  };
}

const RESTART_MS = 1000;
/** What a queue that runs no job any more still has to write may take so long. */
const END_MS = 5_000;

/**
 * Runs jobs until it is disposed of, which lets those in work finish or hands them back. Errors are retried by the queue,
 * with backoff. Where the end of a job could not be written, the queue is started anew and that job is run again: jobs
 * are idempotent.
 */
export function startJobs(jobs: readonly Job[], options: JobOptions): AsyncDisposable {
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
        forbiddenFlags: () => (options.blobsRest() ? [BLOB_FLAG] : null),
        // Before they are handed back, renderings are told to end.
        gracefulShutdownAbortTimeout: Math.ceil(options.closeTimeoutMs / 2),
        // Without these the queue does not wait for what it writes of a job's end: an error of it ends the process, and a
        // stop leaves the job locked.
        preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 }, plugins: [vouching] },
        // The queue's own log carries error texts of whatever kind; failures are told by the event above, codes only.
        logger: new Logger(() => () => undefined),
      },
      Object.fromEntries(jobs.map((job) => [job.name, taskOf(job)])),
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

/** All kinds of jobs, each by the wing it belongs to. */
export function allJobs(parts: {
  readonly config: Config;
  readonly db: Knex;
  readonly orthanc: Orthanc;
  readonly gateway: TextGateway;
  readonly settling: Settling;
  readonly log: Pick<Log, 'error' | 'info'>;
  readonly mirroring: Mirroring;
  readonly removal: RemoveDeps<Tx>;
  readonly now: () => Date;
  readonly random: () => number;
}): readonly Job[] {
  const { config, db, orthanc, gateway, settling, mirroring, removal, now, random, log } = parts;
  return [
    ...imageJobs({ db, mirroring, removal }),
    labelJob({ db, archive: orthanc }),
    sendJob(sendingBy({ ...config, timeZone: config.PRACTICE_TIME_ZONE }, { db, gateway, settling, now, random, log })),
  ];
}
