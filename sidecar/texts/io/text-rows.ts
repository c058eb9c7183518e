import type { Knex } from 'knex';
import { z } from 'zod';
import type { SmsPlan, SmsSubject } from '../rules/hold.ts';
import { ADD_JOBS, execute, ID_ROW, query } from '../../platform/postgres/query.ts';
import { optedOut } from './receipt-rows.ts';

// By their candidates, for which OFFSET 0 keeps the planner from reading all that is open.
const CLAIMING =
  "(SELECT status, rule, status = 'linked' AND contested IS NOT NULL AND shown IS NOT NULL AS contested FROM dicom_studies WHERE candidate_ids @> ARRAY[s.id] OFFSET 0)";
const CLAIMED_BEFORE =
  "(SELECT id FROM dicom_studies WHERE kept_claims @> ARRAY[s.id] AND kept_claims <> '{}' OFFSET 0)";

// Studies with a final report whose text is not begun. Images in review, or contested, that claim the study hold its text too: whose
// images were read is then not known.
// Served by indexes studies_pkey, patients_pkey, dicom_studies_candidates, dicom_studies_kept_claims, sms_messages_study_id_kind_key.
export const LOAD_SMS_SUBJECTS = `
SELECT s.id, s.accession_number, coalesce(s.modality, '') AS modality, p.phone_number, p.phone_problem, p.reported_number IS NOT NULL AS number_differs, f.first_final_at,
       current.status AS report_status, current.withheld, ${optedOut('p.phone_number')} AS opted_out,
       EXISTS (SELECT 1 FROM ${CLAIMING} d WHERE d.status = 'review' OR d.contested) AS in_review,
       EXISTS (SELECT 1 FROM ${CLAIMING} d WHERE d.status IN ('provisional', 'linked') AND d.rule = 'person')
         AND NOT EXISTS (SELECT 1 FROM dicom_study_links l WHERE l.study_id = s.id) AS images_taken,
       EXISTS (SELECT 1 FROM ${CLAIMED_BEFORE} d)
         AND NOT EXISTS (SELECT 1 FROM dicom_study_links l WHERE l.study_id = s.id) AS images_deleted
FROM studies s
JOIN patients p ON p.id = s.patient_id
JOIN LATERAL (
  SELECT min(r.created_at) AS first_final_at FROM reports r WHERE r.study_id = s.id AND r.status IN ('final', 'corrected')
) f ON f.first_final_at IS NOT NULL
JOIN LATERAL (
  SELECT r.status, r.withheld FROM reports r WHERE r.study_id = s.id ORDER BY r.said_at DESC, r.hl7_message_id DESC LIMIT 1
) current ON true
WHERE s.id = ANY (CAST(:ids AS bigint[])) AND s.source = 'ris'
  AND NOT EXISTS (SELECT 1 FROM sms_messages m WHERE m.study_id = s.id AND m.state NOT IN ('held', 'queued'))
ORDER BY s.id`;

const SUBJECT_ROW = z.object({
  id: z.string(),
  accession_number: z.string(),
  modality: z.string(),
  phone_number: z.string().nullable(),
  phone_problem: z.string().nullable(),
  number_differs: z.boolean(),
  opted_out: z.boolean(),
  first_final_at: z.date(),
  report_status: z.enum(['preliminary', 'final', 'corrected', 'cancelled']),
  withheld: z.string().nullable(),
  in_review: z.boolean(),
  images_taken: z.boolean(),
  images_deleted: z.boolean(),
});

// Served by index sms_messages_study_id_kind_key.
export const SAVE_SMS_PLAN = `
INSERT INTO sms_messages AS m (study_id, state, reason, to_number, body, created_at, updated_at)
VALUES (:studyId, :state, :reason, :to, :body, :now, :now)
ON CONFLICT (study_id, kind) DO UPDATE
  SET state = EXCLUDED.state, reason = EXCLUDED.reason, to_number = EXCLUDED.to_number, body = EXCLUDED.body,
      updated_at = EXCLUDED.updated_at
  WHERE m.state IN ('held', 'queued')
    AND (m.state, m.reason, m.to_number, m.body) IS DISTINCT FROM (EXCLUDED.state, EXCLUDED.reason, EXCLUDED.to_number, EXCLUDED.body)
RETURNING id, state`;

/** The name of the job, as it is stored. */
export const SEND_SMS = 'send-sms';

export const ADD_SMS_JOB = `
WITH jobs AS MATERIALIZED (
  SELECT ARRAY[ROW('${SEND_SMS}', json_build_object('smsId', CAST(:smsId AS text)), NULL, CAST(:at AS timestamptz), NULL,
                   '${SEND_SMS}:' || CAST(:smsId AS text), 0, NULL)::graphile_worker.job_spec] AS specs
)
${ADD_JOBS}`;

// Once the jobs of dead processes are released, a job that is locked is in work. A text that waits is looked at again: the
// hours it waits for may be set otherwise now.
export const REQUEUE_TEXTS = `
SELECT count(graphile_worker.add_job('${SEND_SMS}', json_build_object('smsId', CAST(id AS text)), job_key := '${SEND_SMS}:' || id)) AS count
FROM sms_messages WHERE state IN ('queued', 'sending') AND NOT EXISTS (
  SELECT 1 FROM graphile_worker.jobs j WHERE j.key = '${SEND_SMS}:' || sms_messages.id AND j.locked_at IS NOT NULL)`;

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
          numberDiffers: row.number_differs,
          optedOut: row.opted_out,
          withheld: row.withheld,
          inReview: row.in_review,
          imagesTaken: row.images_taken,
          imagesDeleted: row.images_deleted,
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

const SMS_ROW = z.object({
  state: z.string(),
  to: z.string().nullable(),
  body: z.string(),
  attempts: z.number(),
  notBefore: z.date().nullable(),
  since: z.date().nullable(),
  modality: z.string(),
  accessionNumber: z.string(),
});

// Served by index sms_messages_pkey.
export const LOCK_SMS = `
SELECT m.state, m.to_number AS "to", m.body, m.attempts, m.not_before AS "notBefore", m.sending_since AS since,
       coalesce(s.modality, '') AS modality, s.accession_number AS "accessionNumber"
FROM sms_messages m JOIN studies s ON s.id = m.study_id WHERE m.id = :smsId FOR UPDATE OF m`;

// Whether the number said STOP since the text was planned is asked in the very statement that begins.
// Served by indexes sms_messages_pkey, sms_opt_outs_number.
export const BEGIN_SENDING = `
UPDATE sms_messages m SET state = 'sending', reason = NULL, body = :body, sending_since = :now, attempts = attempts + 1, updated_at = :now
WHERE id = :smsId AND NOT ${optedOut('m.to_number')}
RETURNING id, (SELECT min(taken_at) FROM restores) AS "lookFrom"`;
const BEGUN_ROW = ID_ROW.extend({ lookFrom: z.date().nullable() });

const HOLD_OPTED_OUT = `
UPDATE sms_messages SET state = 'held', reason = 'opted-out', to_number = NULL, updated_at = :now WHERE id = :smsId`;

// Served by index sms_messages_pkey.
export const MARK_SENT = `
UPDATE sms_messages SET state = 'sent', reason = NULL, twilio_sid = :vendorId, sent_at = :now, updated_at = :now
WHERE id = :smsId AND state = 'sending' AND sending_since = :since`;

const MARK_FAILED = `
UPDATE sms_messages SET state = 'failed', reason = :reason, updated_at = :now
WHERE id = :smsId AND state = 'sending' AND sending_since = :since`;

// As of when the call began: a START since then holds.
const MARK_OPTED_OUT = `
WITH failed AS (${MARK_FAILED} RETURNING id, to_number)
INSERT INTO sms_opt_outs (source, number, opted_out, said_at)
SELECT 'refused text ' || id, to_number, true, CAST(:since AS timestamptz) FROM failed
ON CONFLICT (source) DO NOTHING`;

const REQUEUE = `
UPDATE sms_messages SET state = 'queued', reason = :reason, not_before = :notBefore, updated_at = :now
WHERE id = :smsId AND state = 'sending' AND sending_since = :since`;

type Claim =
  | { state: 'send'; to: string; body: string; since: Date; attempt: number; lookFrom: Date | null }
  | { state: 'settle'; to: string; body: string; since: Date }
  | { state: 'later'; at: Date }
  | { state: 'done' };

/**
 * The statements of sending one text; each call is a transaction of its own. `words` are those of the text when it is
 * begun: who planned it may not have known where the portal is.
 */
export function smsStatements(db: Knex, words: (study: Pick<SmsSubject, 'modality' | 'accessionNumber'>) => string) {
  return {
    claim: (smsId: string, now: Date, mayBegin: Date): Promise<Claim> =>
      db.transaction(async (trx): Promise<Claim> => {
        const [row] = await query(trx, LOCK_SMS, { smsId }, SMS_ROW);
        if (row === undefined || row.to === null) return { state: 'done' };
        const { to } = row;
        if (row.state === 'sending' && row.since !== null) {
          return { state: 'settle', to, body: row.body, since: row.since };
        }
        if (row.state !== 'queued') return { state: 'done' };
        const due = row.notBefore !== null && row.notBefore > mayBegin ? row.notBefore : mayBegin;
        if (due > now) return { state: 'later', at: due };
        const body = words(row);
        const [begun] = await query(trx, BEGIN_SENDING, { smsId, body, now }, BEGUN_ROW);
        if (begun === undefined) {
          await execute(trx, HOLD_OPTED_OUT, { smsId, now });
          return { state: 'done' };
        }
        return { state: 'send', to, body, since: now, attempt: row.attempts + 1, lookFrom: begun.lookFrom };
      }),
    markSent: (smsId: string, since: Date, vendorId: string, now: Date) =>
      execute(db, MARK_SENT, { smsId, since, vendorId, now }),
    markFailed: (smsId: string, since: Date, reason: string, now: Date) =>
      execute(db, MARK_FAILED, { smsId, since, reason, now }),
    markOptedOut: (smsId: string, since: Date, reason: string, now: Date) =>
      execute(db, MARK_OPTED_OUT, { smsId, since, reason, now }),
    requeue: (smsId: string, since: Date, reason: string, notBefore: Date, now: Date) =>
      execute(db, REQUEUE, { smsId, since, reason, notBefore, now }),
  };
}
