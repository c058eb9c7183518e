import type { Knex } from 'knex';
import { z } from 'zod';
import type { By } from '../../audit/rules/who.ts';
import { execute, query } from '../../platform/postgres/query.ts';

// Served by indexes studies_accession_key_key, sms_studies_pkey, sms_receipts_pkey.
const FIND_TEXT = `
SELECT m.id AS "smsId", m.study_id AS "studyId", m.state, m.reason,
       m.attention IS NOT NULL OR EXISTS (
         SELECT 1 FROM sms_receipts r WHERE r.twilio_sid = m.twilio_sid AND r.status IN ('canceled', 'undelivered', 'failed')
           AND (m.done_at IS NULL OR m.done_at < r.received_at)) AS "needsSight",
       m.done_at IS NOT NULL AS "isDone",
       ARRAY(SELECT study_id FROM sms_studies o WHERE o.sms_id = m.id) AS "studyIds"
FROM studies s JOIN sms_studies t ON t.study_id = s.id JOIN sms_messages m ON m.id = t.sms_id
WHERE s.accession_key = :key
FOR UPDATE OF m`;

const TEXT = z.object({
  smsId: z.string(),
  studyId: z.string(),
  state: z.enum(['held', 'queued', 'sending', 'sent', 'failed']),
  reason: z.string().nullable(),
  needsSight: z.boolean(),
  isDone: z.boolean(),
  studyIds: z.array(z.string()),
});

// Of the last version that may be shown: where it is withdrawn, the rule of release says no all the same.
const APPROVE = `
UPDATE sms_messages m
SET state = 'held', reason = 'approved', attempts = 0, not_before = NULL, sending_since = NULL, sent_at = NULL,
    former_sids = CASE WHEN twilio_sid IS NULL THEN former_sids ELSE array_append(former_sids, twilio_sid) END,
    twilio_sid = NULL, attention = NULL, attention_since = NULL, done_at = NULL, done_by = NULL, done_why = NULL,
    done_patient_id = NULL, approved_by = :who, updated_at = :now,
    approved_report_id = (SELECT r.id FROM reports r WHERE r.study_id = m.study_id AND r.withheld IS NULL
      AND r.status IN ('final', 'corrected') ORDER BY r.said_at DESC, r.hl7_message_id DESC LIMIT 1)
WHERE id = :smsId`;

const END = `
UPDATE sms_messages m
SET done_at = :now, done_by = :who, done_why = :why, attention = NULL, attention_since = NULL, updated_at = :now,
    done_patient_id = (SELECT patient_id FROM studies WHERE id = m.study_id),
    state = CASE WHEN state IN ('held', 'queued') THEN 'failed' ELSE state END,
    reason = CASE WHEN state IN ('held', 'queued') THEN 'ended' ELSE reason END
WHERE id = :smsId`;

/** The statements of what persons decide about texts, inside one transaction. */
export function textDecisionStatements(trx: Knex.Transaction) {
  return {
    findText: async (accessionKey: string) => (await query(trx, FIND_TEXT, { key: accessionKey }, TEXT))[0] ?? null,
    approveText: (smsId: string, { who }: By, now: Date) => execute(trx, APPROVE, { smsId, who, now }),
    endText: (smsId: string, { who, why }: By, now: Date) => execute(trx, END, { smsId, who, why, now }),
  };
}
