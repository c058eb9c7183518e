import type { Knex } from 'knex';
import { z } from 'zod';
import type { By } from '../../audit/rules/who.ts';
import { query } from '../../platform/postgres/query.ts';

// Served by indexes hl7_messages_pkey, studies_accession_key_key, dicom_studies_study_instance_uid_key, failures_pkey.
const END_WORK = `
INSERT INTO work_done (kind, subject, done_at, done_by, done_why)
SELECT kind, :subject, :now, :who, :why FROM (
  SELECT 'message-refused' AS kind FROM hl7_messages
  WHERE id = CAST(CASE WHEN CAST(:subject AS text) ~ '^[0-9]{1,18}$' THEN :subject END AS bigint) AND answer = 'AR'
  UNION
  SELECT 'report-withheld' FROM studies s JOIN reports r ON r.study_id = s.id
  WHERE s.accession_key = :key AND s.accession_number = :subject AND r.withheld IS NOT NULL
  UNION
  SELECT 'accession-clash' FROM studies WHERE accession_key = :key AND accession_number = :subject AND clash IS NOT NULL
  UNION
  SELECT 'image-differs' FROM dicom_studies d JOIN series e ON e.dicom_study_id = d.id JOIN images i ON i.series_id = e.id
  JOIN image_differences f ON f.orthanc_id = i.orthanc_id
  WHERE d.study_instance_uid = :subject AND f.seen_at IS NULL
  UNION
  SELECT 'image-failed' FROM dicom_studies d JOIN series e ON e.dicom_study_id = d.id JOIN images i ON i.series_id = e.id
  WHERE d.study_instance_uid = :subject AND i.mirror_status = 'failed'
  UNION
  SELECT 'failure' FROM failures f WHERE f.part || ' ' || f.subject = :subject
) listed
ON CONFLICT (kind, subject) DO UPDATE
  SET done_at = EXCLUDED.done_at, done_by = EXCLUDED.done_by, done_why = EXCLUDED.done_why
RETURNING kind`;

/** What persons have seen to, inside one transaction. */
export function doneStatements(trx: Knex.Transaction) {
  return {
    /** Ends what is listed of this subject and needs no decision. Gives its kinds. */
    endWork: async (subject: string, key: string, { who, why }: By, now: Date): Promise<string[]> =>
      (await query(trx, END_WORK, { subject, key, who, why, now }, z.object({ kind: z.string() }))).map(
        ({ kind }) => kind,
      ),
  };
}
