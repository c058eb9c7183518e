import type { Knex } from 'knex';
import { z } from 'zod';
import { query } from './query.ts';
import { JOB_HOLDER_LOCK } from './replica.ts';

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

// Another took its key while it was in work, or its last try could not be told: the queue keeps such a row.
export const FORGET_USED_UP_JOBS = `
SELECT count(*) AS count FROM graphile_worker.complete_jobs(ARRAY(
  SELECT id FROM graphile_worker.jobs WHERE key IS NULL AND locked_at IS NULL AND attempts >= max_attempts))`;

/** Makes the jobs again that should be there and are not, each kind by its statement; gives how many. */
export async function requeue(db: Knex, statements: readonly string[]): Promise<number> {
  await query(db, FORGET_USED_UP_JOBS, {}, COUNT);
  let count = 0;
  for (const sql of statements) count += (await query(db, sql, {}, COUNT))[0]?.count ?? 0;
  return count;
}

/** Hands the jobs back that processes held which nothing vouches for any more; gives how many such there were. */
export async function releaseJobsOfDead(db: Knex): Promise<number> {
  const released = (await query(db, RELEASE_JOBS_OF_DEAD, {}, COUNT))[0]?.count ?? 0;
  if (released > 0) await query(db, FORGET_USED_UP_JOBS, {}, COUNT);
  return released;
}
