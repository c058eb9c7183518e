import type { Knex } from 'knex';
import pg from 'pg';
import { z } from 'zod';
import type { Manifest } from '../rules/counts.ts';
import { Failure } from '../../platform/rules/failure.ts';
import { execute, ID_ROW, postgresFailure, query } from '../../platform/postgres/query.ts';

const DATABASE_TIME = `SELECT now() AS at`;
const GOOD_BACKUPS = 'SELECT count(*) AS count, max(finished_at) AS "lastAt" FROM backups';
const SAVE_BACKUP = `
INSERT INTO backups (snapshot, taken_at, finished_at, bytes, files)
VALUES (:snapshot, :takenAt, :finishedAt, :bytes, :files)`;
const RENAME_BACKUP = 'UPDATE backups SET snapshot = :to WHERE snapshot = :from';

// The sidecar's own connections, but for the pool that the command line uses too.
const SIDECARS = `
SELECT count(*) AS count FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'axis-sidecar-%'`;
const HOLDS_TABLES = `SELECT to_regclass('public.studies') IS NOT NULL AS found`;
const HOLDS_ROWS = `
SELECT EXISTS (SELECT 1 FROM studies) OR EXISTS (SELECT 1 FROM images) OR EXISTS (SELECT 1 FROM hl7_messages) AS found`;

const LAST_RESTORE = `SELECT taken_at AS "takenAt" FROM restores ORDER BY restored_at DESC LIMIT 1`;
const LAST_MESSAGES = `
SELECT DISTINCT ON (sending_application, sending_facility)
  trim(sending_application || ' ' || sending_facility) AS sender, control_id AS "controlId", received_at AS "receivedAt"
FROM hl7_messages ORDER BY sending_application, sending_facility, received_at DESC, id DESC`;
const STUDIES_OF = `
SELECT d.study_instance_uid AS uid, count(*) AS images
FROM images i JOIN series s ON s.id = i.series_id JOIN dicom_studies d ON d.id = s.dicom_study_id
WHERE i.orthanc_id = ANY (CAST(:ids AS text[])) GROUP BY 1`;
const UNHEARD_OF = `
SELECT seen.id FROM unnest(CAST(:ids AS text[])) AS seen(id)
WHERE NOT EXISTS (SELECT 1 FROM images i WHERE i.orthanc_id = seen.id)
  AND NOT EXISTS (SELECT 1 FROM deleted_images d WHERE d.orthanc_id = seen.id)`;

// Those that were mirrored meanwhile are not among what was kept.
const DRAW_AGAIN = `
WITH lost AS (
  SELECT id FROM images i
  WHERE mirror_status = 'mirrored' AND mirrored_at < :since
    AND orthanc_id > :after AND (CAST(:upTo AS text) IS NULL OR orthanc_id <= :upTo)
    AND NOT EXISTS (SELECT 1 FROM unnest(CAST(:kept AS text[])) AS kept(id) WHERE kept.id = i.orthanc_id)
  ORDER BY orthanc_id LIMIT :limit
), again AS (
  UPDATE images SET mirror_status = 'pending', mirror_reason = NULL, image_url = NULL, thumbnail_url = NULL, mirrored_at = NULL
  WHERE id IN (SELECT id FROM lost) AND mirror_status = 'mirrored' RETURNING id
)
SELECT count(*) AS count FROM again`;

/** Any number that nothing else on this database uses for an advisory lock. */
const BACKUP_LOCK = 4_721_590_015;

const COUNT = z.object({ count: z.coerce.number() });
const FOUND = z.object({ found: z.boolean() });
const list = (ids: readonly string[]): string => `{${ids.join(',')}}`;

/** The statements of backups and of what follows a restore. */
export function backupStatements(db: Knex) {
  const first = async <T>(sql: string, row: z.ZodType<T>): Promise<T | undefined> => (await query(db, sql, {}, row))[0];
  return {
    databaseTime: async (): Promise<Date> =>
      (await first(DATABASE_TIME, z.object({ at: z.date() })))?.at ?? new Date(NaN),

    /** How many good backups were recorded, and when the last one ended. */
    goodBackups: async (): Promise<{ readonly count: number; readonly lastAt: Date | null }> =>
      (await first(GOOD_BACKUPS, COUNT.extend({ lastAt: z.date().nullable() }))) ?? { count: 0, lastAt: null },

    saveBackup: (made: { snapshot: string; takenAt: Date; finishedAt: Date; bytes: number; files: number }) =>
      execute(db, SAVE_BACKUP, made),

    renameBackup: (from: string, to: string) => execute(db, RENAME_BACKUP, { from, to }),

    /** How many connections sidecars have to this database. */
    sidecars: async (): Promise<number> => (await first(SIDECARS, COUNT))?.count ?? 0,

    /** Whether there is anything that a restore would replace. */
    holdsRows: async (): Promise<boolean> =>
      (await first(HOLDS_TABLES, FOUND))?.found === true && (await first(HOLDS_ROWS, FOUND))?.found === true,

    /** The moment of the backup that this database was put back from last. */
    restoredFrom: async (): Promise<Date | null> =>
      (await first(LAST_RESTORE, z.object({ takenAt: z.date() })))?.takenAt ?? null,

    /** Has images that were mirrored before `since` mirrored again: `drawLostAgain`. The sidecar's sweep takes them up. */
    drawAgain: async (
      since: Date,
      range: { readonly after: string; readonly upTo: string | null },
      kept: readonly string[],
      limit: number,
    ): Promise<number> =>
      (await query(db, DRAW_AGAIN, { since, ...range, kept: list(kept), limit }, COUNT))[0]?.count ?? 0,

    lastMessages: () =>
      query(db, LAST_MESSAGES, {}, z.object({ sender: z.string(), controlId: z.string(), receivedAt: z.date() })),

    /** How many of these images each DICOM study has. */
    studiesOf: (orthancIds: readonly string[]) =>
      query(db, STUDIES_OF, { ids: list(orthancIds) }, z.object({ uid: z.string(), images: z.coerce.number() })),

    /** Those of these that never were in this database. */
    unheardOf: async (orthancIds: readonly string[]): Promise<string[]> =>
      (await query(db, UNHEARD_OF, { ids: list(orthancIds) }, ID_ROW)).map(({ id }) => id),
  };
}

/** Before a dump is put in place: all that this project and its job queue have in a database. */
export const EMPTY_DATABASE: readonly string[] = [
  'DROP SCHEMA IF EXISTS graphile_worker CASCADE',
  'DROP SCHEMA IF EXISTS public CASCADE',
  'CREATE SCHEMA public AUTHORIZATION pg_database_owner',
  'GRANT USAGE ON SCHEMA public TO PUBLIC',
];

/** After it, in the same transaction: that it happened. */
export function restoredStatements(snapshot: string, { takenAt }: Pick<Manifest, 'takenAt'>): readonly string[] {
  const [id, at] = [pg.escapeLiteral(snapshot), pg.escapeLiteral(new Date(takenAt).toISOString())];
  return [
    `INSERT INTO public.restores (snapshot, taken_at, restored_at) VALUES (${id}, ${at}, clock_timestamp())`,
    `INSERT INTO public.backups (snapshot, taken_at, finished_at, bytes, files) VALUES (${id}, ${at}, ${at}, 0, 0)`,
    `DELETE FROM public.failures WHERE part = 'backup'`,
  ];
}

/**
 * Does `work` while no other backup or restore of this database does.
 * @throws Failure transient `backup-running` while another one does.
 */
export async function aloneWithBackups<T>(databaseUrl: string, work: () => Promise<T>): Promise<T> {
  const holder = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: 5_000,
    application_name: 'axis-backup',
    keepAlive: true,
  });
  // A lock that is lost with its connection is not worth an interrupted backup.
  holder.on('error', () => undefined);
  try {
    await holder.connect();
    const held = await holder.query('SELECT pg_try_advisory_lock($1) AS found', [BACKUP_LOCK]);
    if (z.array(FOUND).parse(held.rows)[0]?.found !== true) {
      throw new Failure('transient', 'backup-running', 'another backup or restore of this database is under way');
    }
  } catch (error) {
    await holder.end().catch(() => undefined);
    throw postgresFailure(error);
  }
  try {
    return await work();
  } finally {
    await holder.end().catch(() => undefined);
  }
}
