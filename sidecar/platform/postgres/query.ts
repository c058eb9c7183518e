import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import { z } from 'zod';
import { Failure, type FailureKind } from '../rules/failure.ts';

type Binding = string | number | boolean | Date | Buffer | null | readonly string[];

// PostgreSQL error classes (manual, appendix A) that say nothing against the statement itself: connection, resources,
// operator intervention, lock not available, serialization, and a server that is read-only or starting.
const TRANSIENT_CLASSES = new Set(['08', '40', '53', '55', '57', '58', '25', 'XX']);
// What pg and knex throw without a code.
const CONNECTION_LOST = /connection|timeout|terminat/i;
const DRIVER_CODE = z.object({ code: z.string() });

/**
 * What Postgres or its driver threw, classified: a SQLSTATE of a data or programming error is permanent, all else
 * transient, since a transaction whose end is unknown is answered by doing the same idempotent work again. The message
 * carries the SQLSTATE only: Postgres quotes values in its own.
 */
export function postgresFailure(error: unknown): Error {
  if (!(error instanceof Error)) return new Failure('transient', 'postgres-unknown', 'PostgreSQL: not an error');
  const code = DRIVER_CODE.safeParse(error).data?.code;
  const fromDriver =
    error.name === 'KnexTimeoutError' || (error.name === 'Error' && CONNECTION_LOST.test(error.message));
  if (error instanceof Failure || (code === undefined && !fromDriver)) return error;
  const isSqlState = code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E');
  const kind: FailureKind = isSqlState && !TRANSIENT_CLASSES.has(code.slice(0, 2)) ? 'permanent' : 'transient';
  const name = code ?? 'connection';
  return new Failure(kind, `postgres-${name}`, `PostgreSQL: ${name}`, { cause: error });
}

const names = new Map<string, string>();

/** A statement is prepared under a name that follows from its text: each connection then plans it once. */
function nameOf(sql: string): string {
  let name = names.get(sql);
  if (name === undefined) {
    name = `axis_${createHash('sha256').update(sql).digest('hex').slice(0, 32)}`;
    names.set(sql, name);
  }
  return name;
}

// Made once: zod compiles a schema when it is first used.
const RESULT = z.object({ rows: z.array(z.unknown()) });

const IN_FAILED_TRANSACTION = 'postgres-25P02';
const firstFailures = new WeakMap<Knex, Error>();

/**
 * What failed in this transaction first. Of statements that were sent together, those after one that fails do too, with a
 * word on that only; and theirs may be heard before its own.
 */
function firstOf(db: Knex, failure: Error): Error {
  const first = firstFailures.get(db);
  if (first === undefined && db.isTransaction === true) firstFailures.set(db, failure);
  const isConsequence = failure instanceof Failure && failure.code === IN_FAILED_TRANSACTION;
  return isConsequence ? (first ?? failure) : failure;
}

/** Runs one statement with named bindings (`:name`) and checks each row against `row`. */
export async function query<T>(
  db: Knex,
  sql: string,
  bindings: Readonly<Record<string, Binding>>,
  row: z.ZodType<T>,
): Promise<T[]> {
  try {
    const result: unknown = await db.raw(sql, bindings).options({ name: nameOf(sql) });
    return RESULT.parse(result).rows.map((one) => row.parse(one));
  } catch (error) {
    if (error instanceof z.ZodError) throw error;
    throw firstOf(db, postgresFailure(error));
  }
}

/** Runs one statement whose rows, if any, do not matter. */
export async function execute(db: Knex, sql: string, bindings: Readonly<Record<string, Binding>>): Promise<void> {
  await query(db, sql, bindings, z.unknown());
}

export const ID_ROW = z.object({ id: z.string() });

/** Marks the jobs that need the blob store. */
export const BLOB_FLAG = 'blob';

/**
 * Ends a statement whose `jobs` is one row, `specs` (`NULL` for none): adds these jobs and gives `count`, how many unless
 * said otherwise. The queue looks for each by its key first; the plan for that is made once a connection, and while the
 * queue is small it would be to read all of it. With these settings it can only be to look each up.
 */
export const addJobs = (count = 'count(added)'): string => `
SELECT ${count} AS count, set_config('enable_seqscan', min(was.seqscan), true),
       set_config('enable_indexscan', min(was.indexscan), true)
FROM jobs
CROSS JOIN LATERAL (
  SELECT current_setting('enable_seqscan') AS seqscan, current_setting('enable_indexscan') AS indexscan, jobs.specs OFFSET 0
) was
LEFT JOIN LATERAL graphile_worker.add_jobs(
  CASE WHEN set_config('enable_seqscan', 'off', was.seqscan <> '') = set_config('enable_indexscan', 'off', true)
    THEN was.specs END) added ON was.specs IS NOT NULL`;

export const ADD_JOBS = addJobs();
