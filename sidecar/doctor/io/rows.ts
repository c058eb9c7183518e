import type { Knex } from 'knex';
import { z } from 'zod';
import { execute, query } from '../../platform/postgres/query.ts';

export const PHANTOM = `
SELECT i.orthanc_id AS "orthancId", i.mirror_status AS "mirrorStatus", i.mirror_reason AS "mirrorReason", d.status,
       coalesce(d.rule, '') AS rule
FROM images i JOIN series s ON s.id = i.series_id JOIN dicom_studies d ON d.id = s.dicom_study_id
WHERE i.sop_instance_uid = :uid`;

const PHANTOM_ROW = z.object({
  orthancId: z.string(),
  mirrorStatus: z.string(),
  mirrorReason: z.string().nullable(),
  status: z.string().nullable(),
  rule: z.string(),
});
export type PhantomRow = z.output<typeof PHANTOM_ROW>;

// All rows that are about it as an image: the decisions and what was deleted are a record, and stay.
export const PHANTOM_LEFT = `
SELECT (SELECT count(*) FROM images WHERE sop_instance_uid = :instance)
     + (SELECT count(*) FROM series WHERE series_instance_uid = :series)
     + (SELECT count(*) FROM studies WHERE study_instance_uid = :study)
     + (SELECT count(*) FROM dicom_study_tags t JOIN dicom_studies d ON d.id = t.dicom_study_id
        WHERE d.study_instance_uid = :study) AS count`;

// Of a test message nothing but itself may be there.
export const TEST_MESSAGE = `
SELECT h.answer, (SELECT count(*) FROM study_facts f WHERE f.hl7_message_id = h.id)
               + (SELECT count(*) FROM patient_facts f WHERE f.hl7_message_id = h.id) AS effects
FROM hl7_messages h WHERE h.sending_application = :sender AND h.sending_facility = 'AXIS' AND h.control_id = :controlId`;

export const WITHOUT_ORDER = `
SELECT CAST(count(*) AS integer) AS texts,
       CAST(count(*) FILTER (WHERE state = 'held' AND reason = 'no-order') AS integer) AS waiting
FROM sms_messages WHERE created_at >= :since`;

// Never upwards: what is read again has no second effect, what is not read is lost until the next sweep.
export const LOWER_CURSOR = 'UPDATE feed_cursor SET seq = least(seq, CAST(:seq AS bigint))';

/** What the check of an installation reads, and the cursor that it lowers. */
export function doctorStatements(db: Knex) {
  return {
    phantom: async (instanceUid: string): Promise<PhantomRow | null> =>
      (await query(db, PHANTOM, { uid: instanceUid }, PHANTOM_ROW))[0] ?? null,
    phantomLeft: async (uids: { study: string; series: string; instance: string }): Promise<number> =>
      (await query(db, PHANTOM_LEFT, uids, z.object({ count: z.coerce.number() })))[0]?.count ?? 0,
    testMessage: async (sender: string, controlId: string) =>
      (
        await query(
          db,
          TEST_MESSAGE,
          { sender, controlId },
          z.object({ answer: z.string(), effects: z.coerce.number() }),
        )
      )[0] ?? null,
    textsWithoutOrder: async (since: Date) =>
      (await query(db, WITHOUT_ORDER, { since }, z.object({ texts: z.number(), waiting: z.number() })))[0] ?? {
        texts: 0,
        waiting: 0,
      },
    lowerCursor: (seq: number) => execute(db, LOWER_CURSOR, { seq }),
    now: async (): Promise<Date> => {
      const [row] = await query(db, 'SELECT clock_timestamp() AS now', {}, z.object({ now: z.date() }));
      if (row === undefined) throw new Error('no row');
      return row.now;
    },
  };
}
