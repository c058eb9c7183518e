import type { Knex } from 'knex';
import { z } from 'zod';
import { ADD_BLOB_JOBS } from '../../images/io/deleted-rows.ts';
import { execute, ID_ROW, postgresFailure, query } from '../../platform/postgres/query.ts';

// One that was refused waits for a person, who may replay it, for as long as it is refused.
export const FORGET_MESSAGES = `
WITH old AS MATERIALIZED (
  SELECT id FROM hl7_messages
  WHERE answer = 'AA' AND forgotten_at IS NULL AND received_at < :before AND coalesce(replayed_at, received_at) < :before
  ORDER BY received_at LIMIT :limit FOR UPDATE SKIP LOCKED
), emptied AS (
  UPDATE hl7_messages m SET raw = '', forgotten_at = :now FROM old WHERE m.id = old.id RETURNING 1
)
SELECT count(*) AS count FROM emptied`;

const HAS_AUDIT = `SELECT to_regprocedure('audit_forget_before(timestamptz)') IS NOT NULL AS found`;
const FORGET_AUDIT = `SELECT audit_forget_before(CAST(:before AS timestamptz)) AS count`;

// One that is there again keeps its blobs.
export const OLD_BLOBS = `
SELECT d.id, d.orthanc_id AS "orthancId" FROM deleted_images d
WHERE d.id > CAST(:after AS bigint) AND d.blobs_removed_at IS NULL AND d.deleted_at < :before
  AND NOT EXISTS (SELECT 1 FROM images i WHERE i.orthanc_id = d.orthanc_id)
ORDER BY d.id LIMIT :limit`;

const COUNT = z.object({ count: z.coerce.number() });

/** The statements that let go of what is old enough; each call is a transaction of its own. */
export function retentionStatements(db: Knex) {
  return {
    forgetMessages: async (before: Date, limit: number, now: Date): Promise<number> =>
      (await query(db, FORGET_MESSAGES, { before, limit, now }, COUNT))[0]?.count ?? 0,

    /** Only the database's own function may take rows out of the audit log; `null` where there is none. */
    async forgetAudit(before: Date): Promise<number | null> {
      const [has] = await query(db, HAS_AUDIT, {}, z.object({ found: z.boolean() }));
      return has?.found === true ? ((await query(db, FORGET_AUDIT, { before }, COUNT))[0]?.count ?? 0) : null;
    },

    /** Gives the ids of the rows, in their order, whose blobs a job removes now. */
    async removeBlobs(before: Date, after: string, limit: number): Promise<readonly string[]> {
      try {
        return await db.transaction(async (trx) => {
          const old = await query(trx, OLD_BLOBS, { before, after, limit }, ID_ROW.extend({ orthancId: z.string() }));
          const orthancIds = `{${[...new Set(old.map(({ orthancId }) => orthancId))].join(',')}}`;
          if (old.length > 0) await execute(trx, ADD_BLOB_JOBS, { orthancIds });
          return old.map(({ id }) => id);
        });
      } catch (error) {
        throw postgresFailure(error);
      }
    },
  };
}
