import type { Knex } from 'knex';
import { Failure } from '../../platform/rules/failure.ts';
import type { KeptOutcome } from '../rules/kept-message.ts';
import { accessionKey } from '../rules/accession.ts';
import type { FactChanges, StudyFact } from '../rules/fold.ts';
import { keptReading } from '../rules/reading.ts';
import { senderOf, text } from './message-rows.ts';
import { STUDY_COLUMN_TYPES, STUDY_COLUMNS, STUDY_COLUMNS_SET, studyColumns } from './study-columns.ts';
import { ID_ROW, query } from '../../platform/postgres/query.ts';

// All that some messages leave behind but for reports, in one round trip: the frames themselves (which come as one value,
// each cut out of it), what they say, and of what follows from that the patients and studies that are new or changed.
// Served by indexes hl7_messages_sending_application_sending_facility_control_i_key, patients_pkey, studies_pkey.
export const SAVE_FACTS = `
WITH kept AS (
  INSERT INTO hl7_messages (id, received_at, remote_address, sending_application, sending_facility, message_type,
                            control_id, content_hash, raw, answer, reason, ignored, acknowledgment, reading)
  OVERRIDING SYSTEM VALUE
  SELECT id, :now, remote_address, application, facility, message_type, control_id, hash,
         substring(CAST(:frames AS bytea) FROM first FOR bytes), answer, reason, ignored, acknowledgment, nullif(reading, 'null')
  FROM jsonb_to_recordset(CAST(:messages AS jsonb))
    AS r(id bigint, remote_address text, application text, facility text, message_type text, control_id text, hash text,
         first integer, bytes integer, answer text, reason text, ignored boolean, acknowledgment text, reading jsonb)
  ON CONFLICT (sending_application, sending_facility, control_id, content_hash) DO NOTHING
  RETURNING id
), patients_saved AS (
  INSERT INTO patients (id, source, external_id, issuer, name, birth_date, sex, phone_number, phone_problem,
                        reported_number, deceased, merged_into, created_at, updated_at)
  OVERRIDING SYSTEM VALUE
  SELECT id, 'ris', external_id, nullif(issuer, ''), name, birth_date, sex, phone_number, phone_problem,
         reported_number, deceased, merged_into, :now, :now
  FROM jsonb_to_recordset(CAST(:patients AS jsonb))
    AS r(id bigint, external_id text, issuer text, name text, birth_date date, sex text, phone_number text,
         phone_problem text, reported_number text, deceased boolean, merged_into bigint)
  ON CONFLICT (id) DO UPDATE SET
    name = EXCLUDED.name, birth_date = EXCLUDED.birth_date, sex = EXCLUDED.sex, phone_number = EXCLUDED.phone_number,
    phone_problem = EXCLUDED.phone_problem, reported_number = EXCLUDED.reported_number, deceased = EXCLUDED.deceased,
    merged_into = EXCLUDED.merged_into, updated_at = EXCLUDED.updated_at
), patient_facts_kept AS (
  INSERT INTO patient_facts (hl7_message_id, ordinal, patient_id, said_at, of_report, facts)
  SELECT message_id, ordinal, patient_id, said_at, of_report, facts
  FROM jsonb_to_recordset(CAST(:patientFacts AS jsonb))
    AS r(message_id bigint, ordinal integer, patient_id bigint, said_at timestamptz, of_report boolean, facts jsonb)
), merges_kept AS (
  INSERT INTO patient_merges (hl7_message_id, ordinal, prior_id, survivor_id, said_at, of_identifiers, apart_from_id)
  SELECT message_id, ordinal, prior_id, survivor_id, said_at, of_identifiers, apart_from_id
  FROM jsonb_to_recordset(CAST(:merges AS jsonb))
    AS r(message_id bigint, ordinal integer, prior_id bigint, survivor_id bigint, said_at timestamptz,
         of_identifiers boolean, apart_from_id bigint)
), study_facts_kept AS (
  INSERT INTO study_facts (hl7_message_id, ordinal, accession_key, said_key, patient_id, said_at, kind, order_status, facts)
  SELECT message_id, ordinal, accession_key, said_key, patient_id, said_at, kind, order_status, facts
  FROM jsonb_to_recordset(CAST(:studyFacts AS jsonb))
    AS r(message_id bigint, ordinal integer, accession_key text, said_key text, patient_id bigint, said_at timestamptz, kind text,
         order_status text, facts jsonb)
), studies_saved AS (
  INSERT INTO studies (id, source, accession_key, ${STUDY_COLUMNS}, created_at, updated_at)
  OVERRIDING SYSTEM VALUE
  SELECT id, 'ris', accession_key, ${STUDY_COLUMNS}, :now, :now
  FROM jsonb_to_recordset(CAST(:studies AS jsonb)) AS r(id bigint, accession_key text, ${STUDY_COLUMN_TYPES})
  ON CONFLICT (id) DO UPDATE SET ${STUDY_COLUMNS_SET},
    updated_at = EXCLUDED.updated_at
)
SELECT id FROM kept`;

function messageRows(messages: readonly KeptOutcome[]) {
  let first = 1;
  return messages.map(({ id, envelope, outcome, reading }) => {
    const { messageType, remoteAddress, raw } = envelope;
    const row = {
      ...{ id, ...senderOf(envelope), message_type: text(messageType), remote_address: remoteAddress },
      ...{ first, bytes: raw.length, ...outcome, acknowledgment: text(outcome.acknowledgment) },
      reading: reading && keptReading(reading),
    };
    first += raw.length;
    return row;
  });
}

/** The key that a fact is kept under, and the one its message said where that is another. */
export function keysOf({ key, facts }: Pick<StudyFact, 'key' | 'facts'>) {
  const said = accessionKey(facts.accessionNumber);
  return { accession_key: key, said_key: said === key ? null : said };
}

function factRows({ patients, patientFacts, merges, studyFacts, studies }: FactChanges) {
  return {
    patients: patients.map((patient) => ({
      id: patient.id,
      external_id: patient.externalId,
      issuer: patient.issuer,
      name: patient.name,
      birth_date: patient.birthDate,
      sex: patient.sex,
      phone_number: patient.phoneNumber,
      phone_problem: patient.phoneProblem,
      deceased: patient.deceased ?? null,
      reported_number: patient.reportedPhone ?? null,
      merged_into: patient.mergedInto,
    })),
    patientFacts: patientFacts.map((fact) => ({
      message_id: fact.messageId,
      ordinal: fact.ordinal,
      patient_id: fact.identityId,
      said_at: fact.saidAt,
      of_report: fact.ofReport,
      facts: fact.facts,
    })),
    merges: merges.map((merge) => ({
      message_id: merge.messageId,
      ordinal: merge.ordinal,
      prior_id: merge.priorId,
      survivor_id: merge.kind === 'apart' ? merge.priorId : merge.survivorId,
      said_at: merge.saidAt,
      of_identifiers: merge.kind === 'same',
      apart_from_id: merge.kind === 'apart' ? merge.survivorId : null,
    })),
    studyFacts: studyFacts.map((fact) => ({
      message_id: fact.messageId,
      ordinal: fact.ordinal,
      ...keysOf(fact),
      patient_id: fact.patientId,
      said_at: fact.saidAt,
      kind: fact.kind,
      order_status: fact.status,
      facts: fact.facts,
    })),
    studies: studies.map((study) => ({ id: study.id, accession_key: study.key, ...studyColumns(study) })),
  };
}

/**
 * Keeps these frames with their answers, and what they said and changed. Under the lock of linking.
 * @throws Failure transient where one of them was kept by another way meanwhile.
 */
export async function saveFacts(
  trx: Knex.Transaction,
  messages: readonly KeptOutcome[],
  changes: FactChanges,
  now: Date,
): Promise<void> {
  const rows = Object.entries({ messages: messageRows(messages), ...factRows(changes) });
  const bindings = Object.fromEntries(rows.map(([name, value]) => [name, JSON.stringify(value)]));
  const frames = Buffer.concat(messages.map(({ envelope }) => envelope.raw));
  const saved = await query(trx, SAVE_FACTS, { ...bindings, frames, now }, ID_ROW);
  if (saved.length < messages.length) {
    throw new Failure('transient', 'message-kept-meanwhile', 'another has just kept one of these messages');
  }
}
