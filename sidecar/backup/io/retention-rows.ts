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

/** Only the database's own function may take rows out of the audit log; `null` where there is none. */
export async function forgetAudit(db: Knex, before: Date): Promise<number | null> {
  const [has] = await query(db, HAS_AUDIT, {}, z.object({ found: z.boolean() }));
  return has?.found === true ? ((await query(db, FORGET_AUDIT, { before }, COUNT))[0]?.count ?? 0) : null;
}

interface BatchOf {
  readonly after: string | null;
  readonly limit: number;
  readonly now: Date;
}

/**
 * The statements that let go of what is old enough, one for each kind; each call is a transaction of its own. Of a message
 * the row stays, so that one that comes again is still known; the oldest go first.
 */
export function retentionStatements(db: Knex) {
  return {
    async messages(before: Date, { limit, now }: BatchOf) {
      const count = (await query(db, FORGET_MESSAGES, { before, limit, now }, COUNT))[0]?.count ?? 0;
      // Those that are emptied are not found again, so that the next batch begins anew.
      return { count, next: count === limit ? '' : null };
    },

    /** All at once. */
    async auditRows(before: Date) {
      return { count: (await forgetAudit(db, before)) ?? 0, next: null };
    },

    /** Of images that were deleted before then, by rows behind the one of id `after`: a job removes their blobs. */
    async blobs(before: Date, { after, limit }: BatchOf) {
      try {
        return await db.transaction(async (trx) => {
          const bindings = { before, after: after ?? '0', limit };
          const old = await query(trx, OLD_BLOBS, bindings, ID_ROW.extend({ orthancId: z.string() }));
          const orthancIds = `{${[...new Set(old.map(({ orthancId }) => orthancId))].join(',')}}`;
          if (old.length > 0) await execute(trx, ADD_BLOB_JOBS, { orthancIds });
          return { count: old.length, next: old.length === limit ? (old.at(-1)?.id ?? null) : null };
        });
      } catch (error) {
        throw postgresFailure(error);
      }
    },
  };
}
