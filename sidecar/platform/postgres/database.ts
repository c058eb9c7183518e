import { readdir, readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { runMigrations } from 'graphile-worker';
import knex, { type Knex } from 'knex';
import pg from 'pg';
import { z } from 'zod';
import { Failure } from '../rules/failure.ts';
import { postgresFailure, query } from './query.ts';

const SQL_FOLDER = new URL('../../../sql/', import.meta.url);

// Any number that nothing else on this database uses for an advisory lock.
export const MIGRATION_LOCK = 4_721_590_001;

const SQL_MIGRATIONS = {
  getMigrations: async () => (await readdir(SQL_FOLDER)).filter((name) => /^\d{4}-.*\.sql$/.test(name)).sort(),
  getMigrationName: (name: string) => name,
  getMigration: async (name: string) => {
    const sql = await readFile(new URL(name, SQL_FOLDER), 'utf8');
    return {
      up: async (db: Knex) => {
        await db.raw(sql.replaceAll('?', '\\?'));
      },
      down: () => Promise.reject(new Error('migrations only go forward')),
    };
  },
};

const ignore = (): void => undefined;

interface Limits {
  readonly statementMs: number;
  /** Longer: a server that keeps its own limit on statements has said something by then. */
  readonly silenceMs: number;
}
const LIMITS: Limits = { statementMs: 60_000, silenceMs: 65_000 };
/** An index on a large table takes its time, and a migration that is cut off would only begin again. */
const MIGRATION_LIMITS: Limits = { statementMs: 3_600_000, silenceMs: 3_605_000 };

/**
 * A socket that nothing came through for so long is closed: what waits on it would wait until TCP gives up, a quarter of
 * an hour; one that idles is made anew.
 */
export function endIfSilent<T extends Socket>(socket: T, silenceMs = LIMITS.silenceMs): T {
  return socket.setTimeout(silenceMs, () => socket.destroy(new Error('connection timeout: the server is silent')));
}

/** pg lets each statement go by itself; so those that are given at once leave in one piece. */
class PoolSocket extends Socket {
  override uncork(): void {
    process.nextTick(() => {
      super.uncork();
    });
  }
}

/** Statements of a transaction that do not wait for each other go out at once (pg's pipeline mode). */
const pipelined = (silenceMs: number) => ({ pipeline: true, stream: () => endIfSilent(new PoolSocket(), silenceMs) });

/**
 * A pool of at most `poolSize` connections; opens none until the first query. `destroy()` closes it. What waits for a
 * server that is silent fails after `silenceMs`, transient.
 */
export function openDatabase(databaseUrl: string, poolSize: number, { statementMs, silenceMs } = LIMITS): Knex {
  return knex({
    client: 'pg',
    connection: {
      connectionString: databaseUrl,
      application_name: 'axis-sidecar',
      connectionTimeoutMillis: 5_000,
      statement_timeout: statementMs,
      idle_in_transaction_session_timeout: 60_000,
      keepAlive: true,
      ...pipelined(silenceMs),
    },
    // What goes wrong is thrown, and told where it is caught.
    log: { warn: ignore, error: ignore, deprecate: ignore, debug: ignore },
    pool: { min: 0, max: poolSize },
    acquireConnectionTimeout: 10_000,
  });
}

const KNOWN_TO_DATABASE = `SELECT to_regclass('knex_migrations') IS NOT NULL AS known`;
const APPLIED_MIGRATIONS = 'SELECT name FROM knex_migrations ORDER BY id';

/** @throws Failure permanent `database-newer` where the database has migrations that this program does not know. */
async function refuseNewer(holder: pg.Client): Promise<void> {
  const { rows: there } = await holder.query<{ known: boolean }>(KNOWN_TO_DATABASE);
  if (there[0]?.known !== true) return;
  const known = new Set(await SQL_MIGRATIONS.getMigrations());
  const { rows } = await holder.query<{ name: string }>(APPLIED_MIGRATIONS);
  const newer = rows.map(({ name }) => name).filter((name) => !known.has(name));
  if (newer.length === 0) return;
  const message = `the database is of a newer version than this program, by ${newer.join(', ')}: start that version`;
  throw new Failure('permanent', 'database-newer', message);
}

/**
 * Brings the database to the newest schema, this project's (`sql/`) and the job queue's. Several processes may call it
 * at once: one migrates, the others wait for it. An advisory lock of a session, so that a crash leaves no lock behind.
 * @throws Failure, permanent where a migration itself cannot be applied, or the database is newer (`database-newer`).
 */
export async function migrate(databaseUrl: string): Promise<void> {
  const db = openDatabase(databaseUrl, 2, MIGRATION_LIMITS);
  const holder = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 5_000 });
  // A connection that is cut while it idles tells nobody else, and without a listener the process ends. What is being
  // migrated then goes on: each migration is a transaction, and of two that run one only comes through.
  holder.on('error', ignore);
  try {
    await holder.connect();
    await holder.query('SET lock_timeout = 0; SET statement_timeout = 3600000');
    await holder.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await refuseNewer(holder);
    await db.migrate.forceFreeMigrationsLock({ migrationSource: SQL_MIGRATIONS });
    await db.migrate.latest({ migrationSource: SQL_MIGRATIONS });
    await runMigrations({ connectionString: databaseUrl });
  } catch (error) {
    throw postgresFailure(error);
  } finally {
    await Promise.all([holder.end().catch(ignore), db.destroy()]);
  }
}

/** Answers when the database does. @throws Failure transient when it does not. */
export async function pingDatabase(db: Knex): Promise<void> {
  await query(db, 'SELECT 1 AS one', {}, z.object({ one: z.number() }));
}
