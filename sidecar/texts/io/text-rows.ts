import type { Knex } from 'knex';
import { z } from 'zod';
import { loadReleaseFacts } from '../../release/io/release-rows.ts';
import type { PlannedText, SmsSubject } from '../rules/together.ts';
import { ADD_JOBS, execute, ID_ROW, query } from '../../platform/postgres/query.ts';
import { optedOut } from './receipt-rows.ts';

// By their candidates, for which OFFSET 0 keeps the planner from reading all that is open.
const CLAIMING = '(SELECT id, status, rule FROM dicom_studies WHERE candidate_ids @> ARRAY[s.id] OFFSET 0)';
const CLAIMED_BEFORE =
  "(SELECT id FROM dicom_studies WHERE kept_claims @> ARRAY[s.id] AND kept_claims <> '{}' OFFSET 0)";
const HAS_IMAGES = 'EXISTS (SELECT 1 FROM dicom_study_links l WHERE l.study_id = s.id)';

// These studies, those that one message reported with them, and those that one text tells of with them.
const TOLD_WITH = `
  SELECT unnest(CAST(:ids AS bigint[]))
  UNION
  SELECT o.study_id FROM reports r CROSS JOIN LATERAL (
    SELECT study_id FROM reports WHERE hl7_message_id = r.hl7_message_id OFFSET 0) o
  WHERE r.study_id = ANY (CAST(:ids AS bigint[]))
  UNION
  SELECT o.study_id FROM sms_studies t CROSS JOIN LATERAL (
    SELECT study_id FROM sms_studies WHERE sms_id = t.sms_id OFFSET 0) o
  WHERE t.study_id = ANY (CAST(:ids AS bigint[]))`;

// Served by indexes studies_pkey, patients_pkey, dicom_studies_candidates, reports_message, sms_studies_pkey, sms_messages_pkey,
// dicom_studies_kept_claims.
export const LOAD_SMS_SUBJECTS = `
SELECT s.id, s.accession_number, coalesce(s.modality, '') AS modality, s.order_status <> 'none' AS has_order, p.id AS patient_id,
       p.phone_number, p.phone_problem, p.reported_number IS NOT NULL AS number_differs,
       ${optedOut('p.phone_number')} AS opted_out, images.are_there AS has_images,
       NOT images.are_there AND EXISTS (SELECT 1 FROM ${CLAIMING} d WHERE d.status IN ('provisional', 'linked') AND d.rule = 'person') AS images_taken,
       NOT images.are_there AND EXISTS (SELECT 1 FROM ${CLAIMED_BEFORE} d) AS images_deleted,
       CASE WHEN m.id IS NOT NULL THEN jsonb_build_object(
         'id', CAST(m.id AS text), 'studyId', CAST(m.study_id AS text), 'reason', m.reason, 'attempts', m.attempts,
         'reportId', CAST(m.report_id AS text), 'shownAt', m.shown_at,
         'approvedReportId', CAST(m.approved_report_id AS text)) END AS text
FROM (SELECT told.id FROM (${TOLD_WITH}) AS told (id)) asked
CROSS JOIN LATERAL (SELECT * FROM studies WHERE id = asked.id AND source = 'ris' OFFSET 0) s
CROSS JOIN LATERAL (SELECT * FROM patients WHERE id = s.patient_id OFFSET 0) p
CROSS JOIN LATERAL (SELECT ${HAS_IMAGES} AS are_there OFFSET 0) images
LEFT JOIN LATERAL (SELECT sms_id FROM sms_studies WHERE study_id = s.id OFFSET 0) t ON true
LEFT JOIN LATERAL (SELECT * FROM sms_messages WHERE id = t.sms_id OFFSET 0) m ON true
WHERE m.id IS NULL OR m.state IN ('held', 'queued')
ORDER BY s.id`;

const SUBJECT_ROW = z.object({
  id: z.string(),
  accession_number: z.string(),
  modality: z.string(),
  has_order: z.boolean(),
  patient_id: z.string(),
  phone_number: z.string().nullable(),
  phone_problem: z.string().nullable(),
  number_differs: z.boolean(),
  opted_out: z.boolean(),
  has_images: z.boolean(),
  images_taken: z.boolean(),
  images_deleted: z.boolean(),
  text: z
    .object({
      id: z.string(),
      studyId: z.string(),
      reason: z.string().nullable(),
      attempts: z.number(),
      reportId: z.string().nullable(),
      shownAt: z
        .string()
        .transform((text) => new Date(text))
        .nullable(),
      approvedReportId: z.string().nullable(),
    })
    .nullable(),
});

// A text that was refused for now keeps its reason and its pause.
const WAS_TRIED = `m.state = 'queued' AND EXCLUDED.state = 'queued' AND m.reason IS NOT NULL`;
const STAYING_REASON = `CASE WHEN ${WAS_TRIED} THEN m.reason ELSE EXCLUDED.reason END`;
const STAYING_PAUSE = `CASE WHEN ${WAS_TRIED} THEN greatest(m.not_before, EXCLUDED.not_before) ELSE EXCLUDED.not_before END`;

// Served by index sms_messages_study_id_kind_key.
export const SAVE_SMS_PLAN = `
INSERT INTO sms_messages AS m (study_id, state, reason, to_number, body, not_before, patient_id, report_id, shown_at,
                               created_at, updated_at)
VALUES (:studyId, :state, :reason, :to, :body, CAST(:from AS timestamptz), :patientId, :reportId, :shownAt, :now, :now)
ON CONFLICT (study_id, kind) DO UPDATE
  SET state = EXCLUDED.state, reason = ${STAYING_REASON}, to_number = EXCLUDED.to_number, body = EXCLUDED.body,
      not_before = ${STAYING_PAUSE}, patient_id = EXCLUDED.patient_id, report_id = coalesce(EXCLUDED.report_id, m.report_id),
      shown_at = coalesce(EXCLUDED.shown_at, m.shown_at), updated_at = EXCLUDED.updated_at
  WHERE m.state IN ('held', 'queued')
    AND (m.state, m.reason, m.to_number, m.body, m.patient_id, m.report_id, m.shown_at, m.not_before)
      IS DISTINCT FROM (EXCLUDED.state, ${STAYING_REASON}, EXCLUDED.to_number, EXCLUDED.body, EXCLUDED.patient_id,
        coalesce(EXCLUDED.report_id, m.report_id), coalesce(EXCLUDED.shown_at, m.shown_at), ${STAYING_PAUSE})
RETURNING id, state`;

// The waiting texts of the others give way, and this one tells of them all and of no other. One that was begun stays.
const GIVE_WAY = `
DELETE FROM sms_messages WHERE study_id = ANY (CAST(:others AS bigint[])) AND state IN ('held', 'queued')`;
const TELL_OF = `
WITH gone AS (
  DELETE FROM sms_studies WHERE sms_id = :smsId AND study_id <> ALL (CAST(:ids AS bigint[]))
)
INSERT INTO sms_studies AS t (study_id, sms_id) SELECT unnest(CAST(:ids AS bigint[])), :smsId
ON CONFLICT (study_id) DO UPDATE SET sms_id = EXCLUDED.sms_id
  WHERE EXISTS (SELECT 1 FROM sms_messages m WHERE m.id = t.sms_id AND m.state IN ('held', 'queued'))`;

const TAKE_BACK = `
WITH gone AS (
  DELETE FROM sms_messages
  WHERE study_id = ANY (CAST(:ids AS bigint[])) AND state IN ('held', 'queued') AND attempts = 0
)
UPDATE sms_messages SET state = 'held', reason = 'no-report', to_number = NULL, updated_at = :now
WHERE study_id = ANY (CAST(:ids AS bigint[])) AND state = 'queued' AND attempts > 0`;

// What became known after the text was begun, and after a person saw to it. A patient who was put right is no matter any
// more; a withdrawal or a correction stays until it is seen, and a report given again after its withdrawal is a correction.
// Served by indexes sms_studies_pkey, sms_messages_pkey, reports_study_id_version_key.
export const MARK_ATTENTION = `
UPDATE sms_messages m
SET attention = seen.attention, attention_since = CASE WHEN seen.attention IS NOT NULL THEN CAST(:now AS timestamptz) END
FROM (
  SELECT x.id, CASE
    WHEN x.patient_id IS NOT NULL AND x.done_patient_id IS DISTINCT FROM s.patient_id
      AND (SELECT coalesce(a.merged_into, a.id) FROM patients a WHERE a.id = x.patient_id)
        IS DISTINCT FROM (SELECT coalesce(a.merged_into, a.id) FROM patients a WHERE a.id = s.patient_id)
      THEN 'text-to-former-patient'
    WHEN EXISTS (
      SELECT 1 FROM (SELECT study_id FROM sms_studies WHERE sms_id = x.id OFFSET 0) o
      CROSS JOIN LATERAL (
        SELECT status, created_at FROM reports
        WHERE study_id = o.study_id AND withheld IS NULL AND status <> 'preliminary'
        ORDER BY said_at DESC, hl7_message_id DESC LIMIT 1) last
      WHERE last.status = 'cancelled' AND last.created_at > since.at) THEN 'report-withdrawn'
    WHEN EXISTS (
      SELECT 1 FROM (SELECT study_id FROM sms_studies WHERE sms_id = x.id OFFSET 0) o
      CROSS JOIN LATERAL (
        SELECT status, withheld, created_at FROM reports WHERE study_id = o.study_id OFFSET 0) r
      WHERE r.status IN ('corrected', 'cancelled') AND r.withheld IS NULL AND r.created_at > since.at) THEN 'report-corrected'
    END AS attention
  FROM (SELECT DISTINCT told.sms_id FROM unnest(CAST(:ids AS bigint[])) AS asked (id)
        CROSS JOIN LATERAL (SELECT sms_id FROM sms_studies WHERE study_id = asked.id OFFSET 0) told) t
  CROSS JOIN LATERAL (SELECT * FROM sms_messages WHERE id = t.sms_id OFFSET 0) x
  CROSS JOIN LATERAL (SELECT patient_id FROM studies WHERE id = x.study_id OFFSET 0) s
  CROSS JOIN LATERAL (SELECT greatest(coalesce(x.sending_since, x.sent_at), x.done_at) AS at OFFSET 0) since
  WHERE x.state = 'sent'
) seen
WHERE m.id = seen.id AND m.attention IS DISTINCT FROM seen.attention`;

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

export interface Requeued {
  readonly since: Date;
  readonly reason: string;
  readonly notBefore: Date;
  readonly isCounted: boolean;
}

const studiesOf = async (trx: Knex, smsId: string): Promise<string[]> =>
  (await query(trx, STUDIES_OF_TEXT, { smsId }, ID_ROW)).map(({ id }) => id);

/** The statements that plan texts, inside one transaction. */
export function smsPlanStatements(trx: Knex.Transaction) {
  return {
    async loadSmsSubjects(studyIds: readonly string[]): Promise<SmsSubject[]> {
      const rows = await query(trx, LOAD_SMS_SUBJECTS, { ids: `{${studyIds.join(',')}}` }, SUBJECT_ROW);
      if (rows.length === 0) return [];
      const facts = await loadReleaseFacts(
        trx,
        rows.map(({ id }) => id),
      );
      const releaseOf = new Map(facts.map((one) => [one.studyId, one]));
      return rows.flatMap((row) => {
        const release = releaseOf.get(row.id);
        if (release === undefined) return [];
        const { text, id: studyId, patient_id: patientId, accession_number: accessionNumber, modality } = row;
        return [
          {
            ...{ studyId, patientId, accessionNumber, modality, release, text },
            hasOrder: row.has_order,
            hasImages: row.has_images,
            facts: {
              phoneNumber: row.phone_number,
              phoneProblem: row.phone_problem,
              numberDiffers: row.number_differs,
              optedOut: row.opted_out,
              imagesTaken: row.images_taken,
              imagesDeleted: row.images_deleted,
            },
          },
        ];
      });
    },

    async saveSmsPlan({ lead, members, plan, body, shown }: PlannedText, now: Date): Promise<void> {
      const { studyId, patientId } = lead;
      const others = members.filter((member) => member !== lead).map((member) => member.studyId);
      if (others.length > 0) await execute(trx, GIVE_WAY, { others });
      const planned =
        plan.state === 'queued'
          ? { to: plan.to, reason: null, from: plan.from }
          : { to: null, reason: plan.reason, from: null };
      const shownAs = { reportId: shown?.reportId ?? null, shownAt: shown?.at ?? null };
      const row = { studyId, patientId, state: plan.state, ...planned, ...shownAs, body, now };
      const [saved] = await query(trx, SAVE_SMS_PLAN, row, z.object({ id: z.string(), state: z.string() }));
      if (saved?.state === 'queued') await execute(trx, ADD_SMS_JOB, { smsId: saved.id, at: planned.from ?? now });
      const smsId = saved?.id ?? lead.text?.id;
      const wasTold = members.every(({ text }) => text?.id === smsId);
      if (smsId !== undefined && (others.length > 0 || !wasTold)) {
        await execute(trx, TELL_OF, { smsId, ids: [studyId, ...others] });
      }
    },

    takeBackTexts: (studyIds: readonly string[], now: Date) =>
      execute(trx, TAKE_BACK, { ids: `{${studyIds.join(',')}}`, now }),

    /** The studies that a text tells of which is yet to be begun. */
    studiesOfQueued: async (smsId: string): Promise<string[]> =>
      (await query(trx, STUDIES_OF_QUEUED, { smsId }, ID_ROW)).map(({ id }) => id),

    /** It waits again, if it still says `sending` since `since`; then gives the studies that it tells of. */
    async requeueText(smsId: string, again: Requeued, now: Date): Promise<string[]> {
      const { since, reason, notBefore, isCounted } = again;
      const rows = await query(trx, REQUEUE, { smsId, since, reason, notBefore, isCounted, now }, ID_ROW);
      return rows.length === 0 ? [] : studiesOf(trx, smsId);
    },

    /** Marks it as sent, and gives the studies that it tells of. */
    async markTextSent(smsId: string, since: Date, vendorId: string, now: Date): Promise<string[]> {
      await execute(trx, MARK_SENT, { smsId, since, vendorId, now });
      return studiesOf(trx, smsId);
    },

    markAttention: (studyIds: readonly string[], now: Date) =>
      execute(trx, MARK_ATTENTION, { ids: `{${studyIds.join(',')}}`, now }),
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
  except: z.array(z.string()),
});

// Served by index sms_messages_pkey.
export const LOCK_SMS = `
SELECT m.state, m.to_number AS "to", m.body, m.attempts, m.not_before AS "notBefore", m.sending_since AS since,
       coalesce(s.modality, '') AS modality, s.accession_number AS "accessionNumber", m.former_sids AS except
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
UPDATE sms_messages SET state = 'queued', reason = :reason, not_before = :notBefore, updated_at = :now,
    attempts = CASE WHEN :isCounted THEN attempts ELSE greatest(attempts - 1, 0) END
WHERE id = :smsId AND state = 'sending' AND sending_since = :since RETURNING id`;

const IS_SENDING = `
SELECT id FROM sms_messages WHERE id = :smsId AND state = 'sending' AND sending_since = :since`;
const STUDIES_OF_TEXT = 'SELECT study_id AS id FROM sms_studies WHERE sms_id = :smsId';
const STUDIES_OF_QUEUED = `
SELECT t.study_id AS id FROM sms_messages m JOIN sms_studies t ON t.sms_id = m.id WHERE m.id = :smsId AND m.state = 'queued'`;

type Claim =
  | {
      state: 'send';
      to: string;
      body: string;
      since: Date;
      attempt: number;
      lookFrom: Date | null;
      except: readonly string[];
    }
  | { state: 'settle'; to: string; body: string; since: Date; except: readonly string[] }
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
        const { to, except } = row;
        if (row.state === 'sending' && row.since !== null) {
          return { state: 'settle', to, body: row.body, since: row.since, except };
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
        return { state: 'send', to, body, since: now, attempt: row.attempts + 1, lookFrom: begun.lookFrom, except };
      }),
    markSent: (smsId: string, since: Date, vendorId: string, now: Date) =>
      execute(db, MARK_SENT, { smsId, since, vendorId, now }),
    markFailed: (smsId: string, since: Date, reason: string, now: Date) =>
      execute(db, MARK_FAILED, { smsId, since, reason, now }),
    markOptedOut: (smsId: string, since: Date, reason: string, now: Date) =>
      execute(db, MARK_OPTED_OUT, { smsId, since, reason, now }),
    requeue: (smsId: string, since: Date, reason: string, notBefore: Date, now: Date, isCounted: boolean) =>
      execute(db, REQUEUE, { smsId, since, reason, notBefore, isCounted, now }),
    isSending: async (smsId: string, since: Date): Promise<boolean> =>
      (await query(db, IS_SENDING, { smsId, since }, ID_ROW)).length > 0,
  };
}
