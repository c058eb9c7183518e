import type { Knex } from 'knex';
import { z } from 'zod';
import { decodeHl7 } from '../../hl7/rules/charset.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';
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
   FROM dicom_studies d WHERE d.id IN (SELECT dicom_study_id FROM dicom_study_links WHERE study_id = s.id)
     OR d.candidate_ids @> ARRAY[s.id]) AS "dicomStudies",
  (SELECT coalesce(jsonb_agg(jsonb_build_object('messageId', CAST(r.hl7_message_id AS text), 'status', r.status,
      'withheld', r.withheld, 'at', r.created_at) ORDER BY r.said_at, r.hl7_message_id), '[]')
   FROM reports r WHERE r.study_id = s.id) AS reports,
  (SELECT jsonb_build_object('state', m.state, 'reason', m.reason, 'to', right(m.to_number, 3), 'at', m.updated_at)
   FROM sms_studies t JOIN sms_messages m ON m.id = t.sms_id WHERE t.study_id = s.id) AS text
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

// Served by indexes studies_accession_key_key, sms_studies_pkey.
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
  replayed_by AS "replayedBy", to_jsonb(replayed_at) #>> '{}' AS "replayedAt", reading, raw
FROM hl7_messages WHERE id = :id`;

// The newest with that MSH-10: found from the end of hl7_messages_pkey on.
const FIND_MESSAGE = `
SELECT CAST(id AS text) AS id FROM hl7_messages WHERE control_id = :controlId ORDER BY hl7_messages.id DESC LIMIT 1`;

const PART = z.object({ what: z.string(), value: text, from: z.string() });
const UNDERSTOOD = z.array(PART);
const WARNING = z.object({ code: z.string(), field: z.string(), detail: z.string() });
export const READING = z.object({
  patient: UNDERSTOOD,
  studies: z.array(UNDERSTOOD),
  warnings: z.array(WARNING),
});

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
  reading: READING.nullable(),
  segments: z.array(z.string()),
});
// As `keptReading` of ris writes it; the first ones have the names of their parts.
const KEPT_PART = z.tuple([z.string(), text, z.string()]).transform(([what, value, from]) => ({ what, value, from }));
const KEPT_UNDERSTOOD = z.array(z.union([KEPT_PART, PART]));
const KEPT_READING = READING.extend({ patient: KEPT_UNDERSTOOD, studies: z.array(KEPT_UNDERSTOOD) });
const MESSAGE_ROW = MESSAGE.omit({ segments: true }).extend({
  reading: KEPT_READING.nullable(),
  raw: z.instanceof(Buffer),
});

/** A study of the RIS by the key of its accession number; `null` where no order has it. */
export async function showOrder(db: Knex, key: string): Promise<OrderView | null> {
  return (await query(db, SHOW_ORDER, { key }, ORDER))[0] ?? null;
}

const ID = /^[1-9]\d{0,17}$/;
const MAX_SEGMENTS = 500;
const MAX_LINE = 2000;

/** The lines of a message, as many and as long as a person can look at. */
export function segmentsOf(raw: Buffer): string[] {
  const cut = (line: string): string => (line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line);
  const lines = readable(raw)
    .split(/\r\n|\r|\n/)
    .filter((line) => line !== '');
  return lines.slice(0, MAX_SEGMENTS).map(cut);
}

function readable(raw: Buffer): string {
  try {
    return decodeHl7(raw);
  } catch (error) {
    if (error instanceof Hl7Rejection) return raw.toString('latin1');
    throw error;
  }
}

/** A kept HL7 message by its id, else the newest with that MSH-10; `null` where there is none. */
export async function showMessage(db: Knex, which: string): Promise<MessageView | null> {
  const byId = ID.test(which) ? await query(db, SHOW_MESSAGE, { id: which }, MESSAGE_ROW) : [];
  const found = byId.length > 0 ? byId : await byControlId(db, which);
  const [message] = found;
  if (message === undefined) return null;
  const { raw, ...row } = message;
  return { ...row, segments: segmentsOf(raw) };
}

async function byControlId(db: Knex, controlId: string) {
  const [row] = await query(db, FIND_MESSAGE, { controlId }, z.object({ id: z.string() }));
  return row === undefined ? [] : query(db, SHOW_MESSAGE, { id: row.id }, MESSAGE_ROW);
}

/** What may be looked at inside a transaction. */
export const viewStatements = (trx: Knex.Transaction) => ({
  viewOrder: (key: string): Promise<OrderView | null> => showOrder(trx, key),
});
