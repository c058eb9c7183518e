import type { Knex } from 'knex';
import { z } from 'zod';
import type { SmsPlan, SmsSubject } from '../../core/sms-plan.ts';
import { execute, query } from './query.ts';

// Studies with a final report whose text is not begun. Images in review that claim the study hold its text too: whose
// images were read is then not known.
export const LOAD_SMS_SUBJECTS = `
SELECT s.id, s.accession_number, coalesce(s.modality, '') AS modality, p.phone_number, p.phone_problem, f.first_final_at,
       (SELECT r.status FROM reports r WHERE r.study_id = s.id ORDER BY r.version DESC LIMIT 1) AS report_status,
       EXISTS (SELECT 1 FROM dicom_studies d
               WHERE d.status = 'review' AND d.candidate_ids @> ARRAY[s.id]) AS in_review
FROM studies s
JOIN patients p ON p.id = s.patient_id
JOIN LATERAL (
  SELECT min(r.created_at) AS first_final_at FROM reports r WHERE r.study_id = s.id AND r.status IN ('final', 'corrected')
) f ON f.first_final_at IS NOT NULL
WHERE s.id = ANY (CAST(:ids AS bigint[])) AND s.source = 'ris'
  AND NOT EXISTS (SELECT 1 FROM sms_messages m WHERE m.study_id = s.id AND m.state NOT IN ('held', 'queued'))
ORDER BY s.id`;

const SUBJECT_ROW = z.object({
  id: z.string(),
  accession_number: z.string(),
  modality: z.string(),
  phone_number: z.string().nullable(),
  phone_problem: z.string().nullable(),
  first_final_at: z.date(),
  report_status: z.enum(['preliminary', 'final', 'corrected', 'cancelled']),
  in_review: z.boolean(),
});

export const SAVE_SMS_PLAN = `
INSERT INTO sms_messages AS m (study_id, state, reason, to_number, body, created_at, updated_at)
VALUES (:studyId, :state, :reason, :to, :body, :now, :now)
ON CONFLICT (study_id, kind) DO UPDATE
  SET state = EXCLUDED.state, reason = EXCLUDED.reason, to_number = EXCLUDED.to_number, body = EXCLUDED.body,
      updated_at = EXCLUDED.updated_at
  WHERE m.state IN ('held', 'queued')
    AND (m.state, m.reason, m.to_number, m.body) IS DISTINCT FROM (EXCLUDED.state, EXCLUDED.reason, EXCLUDED.to_number, EXCLUDED.body)
RETURNING id, state`;

export const ADD_SMS_JOB = `
SELECT graphile_worker.add_job('send-sms', json_build_object('smsId', CAST(:smsId AS text)),
                               job_key := 'send-sms:' || CAST(:smsId AS text), run_at := CAST(:at AS timestamptz))`;

/** The statements that plan texts, inside one transaction. */
export function smsPlanStatements(trx: Knex.Transaction) {
  return {
    async loadSmsSubjects(studyIds: readonly string[]): Promise<SmsSubject[]> {
      const rows = await query(trx, LOAD_SMS_SUBJECTS, { ids: `{${studyIds.join(',')}}` }, SUBJECT_ROW);
      return rows.map((row) => ({
        studyId: row.id,
        accessionNumber: row.accession_number,
        modality: row.modality,
        facts: {
          reportStatus: row.report_status,
          firstFinalAt: row.first_final_at,
          phoneNumber: row.phone_number,
          phoneProblem: row.phone_problem,
          inReview: row.in_review,
        },
      }));
    },

    async saveSmsPlan(subject: SmsSubject, plan: SmsPlan, body: string, now: Date): Promise<void> {
      const { studyId } = subject;
      const to = plan.state === 'queued' ? plan.to : null;
      const reason = plan.state === 'queued' ? null : plan.reason;
      const [saved] = await query(
        trx,
        SAVE_SMS_PLAN,
        { studyId, state: plan.state, reason, to, body, now },
        z.object({ id: z.string(), state: z.string() }),
      );
      if (saved?.state === 'queued') await execute(trx, ADD_SMS_JOB, { smsId: saved.id, at: now });
    },
  };
}
