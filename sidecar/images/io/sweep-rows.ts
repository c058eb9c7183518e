import type { Knex } from 'knex';
import { z } from 'zod';
import { execute, ID_ROW, query } from '../../platform/postgres/query.ts';

// Served by index images_orthanc_id_key.
export const UNKNOWN_INSTANCES = `
SELECT seen.id FROM unnest(CAST(:orthancIds AS text[])) AS seen(id)
WHERE NOT EXISTS (SELECT 1 FROM images i WHERE i.orthanc_id = seen.id AND i.said_key IS NOT NULL)`;

// The version as versionOf spells it.
// Served by index images_orthanc_id_key.
export const IMAGES_AFTER = `
SELECT orthanc_id AS id, file_uuid || ' ' || resent_key AS version FROM images
WHERE orthanc_id > :after ORDER BY 1 LIMIT :limit`;
// Served by index dicom_studies_pkey.
export const DICOM_STUDIES_AFTER = `
SELECT id FROM dicom_studies WHERE id > CAST(:after AS bigint) ORDER BY id LIMIT :limit`;

const VERSION_ROW = ID_ROW.extend({ version: z.string().nullable() });

const SAVE_FAILURE = `
INSERT INTO failures AS f (part, subject, code, message, first_at, last_at)
VALUES (:part, :subject, :code, :message, :now, :now)
ON CONFLICT (part, subject) DO UPDATE
  SET code = EXCLUDED.code, message = EXCLUDED.message, times = f.times + 1, last_at = EXCLUDED.last_at`;

const CLEAR_FAILURES = 'DELETE FROM failures WHERE part = :part AND subject = ANY (CAST(:subjects AS text[]))';

/** What the sweep reads, page by page; each call is a statement of its own. */
export function sweepStatements(db: Knex) {
  const idsOf = async (sql: string, bindings: Readonly<Record<string, string | number>>): Promise<string[]> =>
    (await query(db, sql, bindings, ID_ROW)).map(({ id }) => id);
  return {
    unknownInstances: (orthancIds: readonly string[]) =>
      idsOf(UNKNOWN_INSTANCES, { orthancIds: `{${orthancIds.join(',')}}` }),
    imagesAfter: (after: string, limit: number) => query(db, IMAGES_AFTER, { after, limit }, VERSION_ROW),
    dicomStudiesAfter: (after: string, limit: number) => idsOf(DICOM_STUDIES_AFTER, { after, limit }),
  };
}

/** The rows of `failures`, one for each thing that waits for a person. */
export function failureStatements(db: Knex) {
  return {
    save: (part: string, subject: string, failure: { code: string; message: string }, now: Date) =>
      execute(db, SAVE_FAILURE, { part, subject, code: failure.code, message: failure.message, now }),
    clear: (part: string, subjects: readonly string[]) => execute(db, CLEAR_FAILURES, { part, subjects }),
  };
}
