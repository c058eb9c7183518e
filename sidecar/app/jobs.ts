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
import { lookForDeleted, type RemoveDeps } from '../images/flows/remove-deleted.ts';
import { deletedImages } from '../images/io/deleted-rows.ts';
import type { Orthanc } from '../images/io/orthanc.ts';
import type { Mirroring } from '../images/mirroring.ts';
import { labelStudy } from '../linking/flows/label.ts';
import { loadLabelFacts } from '../linking/io/label-rows.ts';
import type { TextGateway } from '../texts/rules/vendor.ts';
import { createSendSms } from '../texts/sending.ts';
import type { Config } from './config.ts';
import type { Tx } from './transaction.ts';
import { asFailure } from '../platform/rules/failure.ts';
import { createJobPool } from '../platform/postgres/job-pool.ts';
import { BLOB_FLAG } from '../platform/postgres/query.ts';
import { FORGET_USED_UP_JOBS } from '../images/io/requeue-rows.ts';

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

/** What the jobs do, each by the wing it belongs to. */
export function jobHandlers(parts: {
  readonly config: Config;
  readonly db: Knex;
  readonly orthanc: Orthanc;
  readonly gateway: TextGateway;
  readonly mirroring: Mirroring;
  readonly removal: RemoveDeps<Tx>;
  /** Whether there is more of the feed than was read. */
  readonly feedBehind: () => boolean;
  readonly now: () => Date;
  readonly random: () => number;
}): JobHandlers {
  const { config, db, orthanc, gateway, mirroring, removal, feedBehind, now, random } = parts;
  const { imagesOf } = deletedImages(db);
  const labelling = {
    ...orthanc,
    load: (id: string) => loadLabelFacts(db, [id]),
    labels: async (id: string) => (await orthanc.labels([id])).get(id) ?? null,
  };
  return {
    ...mirroring,
    // What is new is linked first: a report may wait for it, and drawing takes the most of Orthanc.
    blobsRest: () => feedBehind() || mirroring.blobsRest(),
    lookForDeleted: (dicomStudyId, look) => lookForDeleted({ ...removal, imagesOf }, dicomStudyId, look),
    sendSms: createSendSms({ ...config, timeZone: config.PRACTICE_TIME_ZONE }, { db, gateway, now, random }),
    labelStudy: (dicomStudyId) => labelStudy(labelling, dicomStudyId),
  };
}
