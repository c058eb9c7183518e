import type { Knex } from 'knex';
import { z } from 'zod';
import { mirrorJobs } from './image-rows.ts';
import { ADD_JOBS, query } from '../../platform/postgres/query.ts';
import { JOB_HOLDER_LOCK } from '../../platform/postgres/replica.ts';

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

export const COUNT = z.object({ count: z.coerce.number() });

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
