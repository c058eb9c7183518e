import { run, Logger, type JobHelpers, type Runner } from 'graphile-worker';
import type { Knex } from 'knex';
import pg from 'pg';
import { z } from 'zod';
import { asFailure } from '../../core/failure.ts';
import { BLOB_FLAG, query } from './query.ts';

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
  /** The queue has stopped by itself. */
  readonly onStopped: (reason: string) => void;
  readonly log: { readonly warn: (fields: object, message: string) => void };
}

const MIRROR_PAYLOAD = z.object({ imageId: z.string() });
const LABEL_PAYLOAD = z.object({ dicomStudyId: z.string() });
const LOOK_PAYLOAD = z.object({ dicomStudyId: z.string(), look: z.number() });
const BLOBS_PAYLOAD = z.object({ orthancId: z.string() });
const SMS_PAYLOAD = z.object({ smsId: z.string() });

// A job of a process that died stays locked by it for hours; a second one under its key takes its place at once. A text
// that waits is looked at again: the hours it waits for may be set otherwise now.
export const REQUEUE_UNFINISHED = `
WITH wanted AS (
  SELECT 'mirror-image' AS task, json_build_object('imageId', CAST(id AS text)) AS payload, 'mirror-image:' || id AS key
  FROM images WHERE mirror_status = 'pending' AND NOT EXISTS (
    SELECT 1 FROM graphile_worker.jobs j
    WHERE j.key = 'mirror-image:' || images.id AND j.locked_at IS NULL AND j.attempts < j.max_attempts)
  UNION ALL
  SELECT 'send-sms', json_build_object('smsId', CAST(id AS text)), 'send-sms:' || id
  FROM sms_messages WHERE state IN ('queued', 'sending')
)
SELECT count(graphile_worker.add_job(task, payload, job_key := key)) AS count FROM wanted`;

/** Makes the jobs again that an unfinished image or text should have and has not, or that a dead process holds. */
export async function requeueUnfinished(db: Knex): Promise<number> {
  const [row] = await query(db, REQUEUE_UNFINISHED, {}, z.object({ count: z.coerce.number() }));
  return row?.count ?? 0;
}

/** As it was, but later and with no try counted. */
async function putOff({ addJob, job }: JobHelpers, outcome: { readonly again: Date } | null): Promise<void> {
  if (outcome === null) return;
  const key = job.key === null ? {} : { jobKey: job.key };
  await addJob(job.task_identifier, job.payload, {
    ...key,
    runAt: outcome.again,
    maxAttempts: job.max_attempts,
    flags: [BLOB_FLAG],
  });
}

/** Runs jobs until it is disposed of, which lets those in work finish or hands them back. Errors are retried by the queue, with backoff. */
export async function startJobs(handlers: JobHandlers, options: JobOptions): Promise<AsyncDisposable> {
  const { concurrency, databaseUrl, log } = options;
  const pgPool = new pg.Pool({
    connectionString: databaseUrl,
    max: concurrency + 2,
    application_name: 'axis-sidecar-jobs',
  });
  pgPool.on('error', () => {
    log.warn({}, 'a connection of the job queue was lost');
  });
  // One in use fails what uses it, which is told there.
  pgPool.on('connect', (client) => client.on('error', () => undefined));
  const runner: Runner = await run({
    pgPool,
    concurrency,
    noHandleSignals: true,
    pollInterval: 1000,
    forbiddenFlags: () => (handlers.blobsRest() ? [BLOB_FLAG] : null),
    // Before they are handed back, renderings are told to end.
    gracefulShutdownAbortTimeout: Math.ceil(options.closeTimeoutMs / 2),
    // The queue's own log carries error texts of whatever kind; failures are told by the event below, codes only.
    logger: new Logger(() => () => undefined),
    taskList: {
      'mirror-image': async (payload, helpers) => {
        const { job, abortSignal: stop } = helpers;
        const options = { lastAttempt: job.attempts >= job.max_attempts, stop };
        await putOff(helpers, await handlers.mirrorImage(MIRROR_PAYLOAD.parse(payload).imageId, options));
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
        await putOff(helpers, await handlers.removeBlobs(BLOBS_PAYLOAD.parse(payload).orthancId));
      },
    },
  });
  runner.events.on('job:error', ({ job, error }) => {
    const { code, kind } = asFailure(error);
    log.warn(
      { job: job.id, task: job.task_identifier, attempt: job.attempts, code, kind },
      'a job failed and is tried again',
    );
  });
  let closing = false;
  void runner.promise.then(
    () => {
      if (!closing) options.onStopped('the job queue ended');
    },
    () => {
      options.onStopped('the job queue failed');
    },
  );
  return {
    async [Symbol.asyncDispose]() {
      closing = true;
      const late = setTimeout(() => {
        void runner.kill();
      }, options.closeTimeoutMs);
      await runner.stop();
      clearTimeout(late);
      await pgPool.end();
    },
  };
}
