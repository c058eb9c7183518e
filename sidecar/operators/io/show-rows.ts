import type { Knex } from 'knex';
import { z } from 'zod';
import { query } from '../../platform/postgres/query.ts';
import { nextStep } from '../../texts/rules/next-step.ts';
import type { MessageView, OrderView, TextView } from '../rules/work.ts';

const text = z.string().nullable();

// Served by index studies_accession_key_key.
export const SHOW_ORDER = `
SELECT s.accession_number AS "accessionNumber", s.order_status AS "orderStatus", s.modality, s.procedure_description AS procedure,
  CAST(s.study_date AS text) AS "studyDate",
  jsonb_build_object('id', p.external_id, 'name', p.name, 'birthDate', p.birth_date) AS patient,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('studyInstanceUid', d.study_instance_uid, 'status', d.status) ORDER BY d.id), '[]')
   FROM dicom_studies d WHERE d.study_id = s.id OR d.candidate_ids @> ARRAY[s.id]) AS "dicomStudies",
  (SELECT coalesce(jsonb_agg(jsonb_build_object('messageId', CAST(r.hl7_message_id AS text), 'status', r.status,
      'withheld', r.withheld, 'at', r.created_at) ORDER BY r.said_at, r.hl7_message_id), '[]')
   FROM reports r WHERE r.study_id = s.id) AS reports,
  (SELECT jsonb_build_object('state', m.state, 'reason', m.reason, 'to', right(m.to_number, 3), 'at', m.updated_at)
   FROM sms_messages m WHERE m.study_id = s.id) AS text
FROM studies s JOIN patients p ON p.id = s.patient_id
WHERE s.accession_key = :key`;

export const ORDER = z.object({
  accessionNumber: z.string(),
  orderStatus: text,
  modality: text,
  procedure: text,
  studyDate: text,
  patient: z.object({ id: text, name: text, birthDate: text }),
  dicomStudies: z.array(z.object({ studyInstanceUid: z.string(), status: text })),
  reports: z.array(z.object({ messageId: text, status: z.string(), withheld: text, at: z.string() })),
  text: z.object({ state: z.string(), reason: text, to: text, at: z.string() }).nullable(),
});

// Served by indexes studies_accession_key_key and sms_studies_pkey.
export const SHOW_TEXT = `
SELECT l.accession_number AS "accessionNumber", m.state, coalesce(m.attention, m.reason) AS reason, right(m.to_number, 3) AS "to",
  right(p.phone_number, 3) AS known, right(p.reported_number, 3) AS reported, m.attempts,
  to_jsonb(m.not_before) #>> '{}' AS "from", to_jsonb(m.sent_at) #>> '{}' AS "sentAt", m.done_by AS "doneBy",
  to_jsonb(m.done_at) #>> '{}' AS "doneAt",
  (SELECT r.status || coalesce(': ' || r.error_code, '') FROM sms_receipts r WHERE r.twilio_sid = m.twilio_sid) AS delivery,
  ARRAY(SELECT o.accession_number FROM sms_studies x JOIN studies o ON o.id = x.study_id
        WHERE x.sms_id = m.id ORDER BY o.id) AS "tellsOf"
FROM studies s JOIN sms_studies t ON t.study_id = s.id JOIN sms_messages m ON m.id = t.sms_id
JOIN studies l ON l.id = m.study_id JOIN patients p ON p.id = l.patient_id
WHERE s.accession_key = :key`;

const TEXT = z.object({
  accessionNumber: z.string(),
  tellsOf: z.array(z.string()),
  state: z.string(),
  reason: text,
  to: text,
  known: text,
  reported: text,
  from: text,
  attempts: z.number(),
  sentAt: text,
  delivery: text,
  doneBy: text,
  doneAt: text,
});

export const TEXT_VIEW = TEXT.extend({ next: text.describe('What a person can do about it, in words') });

/** The text that tells of the study with that key of its accession number; `null` where there is none. */
export async function showText(db: Knex, key: string): Promise<TextView | null> {
  const [row] = await query(db, SHOW_TEXT, { key }, TEXT);
  if (row === undefined) return null;
  const open = row.doneAt === null && row.reason !== null && row.state !== 'queued' && row.state !== 'sending';
  return { ...row, next: open ? nextStep(row.reason) : null };
}

// Served by index hl7_messages_pkey.
export const SHOW_MESSAGE = `
SELECT CAST(id AS text) AS id, sending_application AS "sendingApplication", sending_facility AS "sendingFacility",
  message_type AS "messageType", control_id AS "controlId", to_jsonb(received_at) #>> '{}' AS "receivedAt", answer, reason,
  replayed_by AS "replayedBy", to_jsonb(replayed_at) #>> '{}' AS "replayedAt"
FROM hl7_messages WHERE id = :id`;

export const MESSAGE = z.object({
  id: z.string(),
  sendingApplication: z.string(),
  sendingFacility: z.string(),
  messageType: z.string(),
  controlId: z.string(),
  receivedAt: z.string(),
  answer: z.string(),
  reason: text,
  replayedBy: text,
  replayedAt: text,
});

/** A study of the RIS by the key of its accession number; `null` where no order has it. */
export async function showOrder(db: Knex, key: string): Promise<OrderView | null> {
  return (await query(db, SHOW_ORDER, { key }, ORDER))[0] ?? null;
}

const ID = /^[1-9]\d{0,17}$/;

/** A kept HL7 message by its id; `null` where there is none. */
export async function showMessage(db: Knex, id: string): Promise<MessageView | null> {
  if (!ID.test(id)) return null;
  return (await query(db, SHOW_MESSAGE, { id }, MESSAGE))[0] ?? null;
}
