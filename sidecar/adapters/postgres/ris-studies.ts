import type { Knex } from 'knex';
import type { FactChanges } from '../../core/ris-fold.ts';
import { execute } from './query.ts';

export const KEEP_STUDY_FACTS = `
INSERT INTO study_facts (hl7_message_id, ordinal, accession_key, patient_id, said_at, kind, order_status, facts)
SELECT message_id, ordinal, accession_key, patient_id, said_at, kind, order_status, facts
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
  AS r(message_id bigint, ordinal integer, accession_key text, patient_id bigint, said_at timestamptz, kind text,
       order_status text, facts jsonb)`;

// New ones and those that changed.
export const SAVE_STUDIES = `
INSERT INTO studies AS s (id, source, patient_id, accession_number, accession_key, external_id, placer_order_number,
  filler_order_number, study_instance_uid, modality, procedure_code, procedure_description, scheduled_at, study_date,
  order_status, created_at, updated_at)
OVERRIDING SYSTEM VALUE
SELECT id, 'ris', patient_id, accession_number, accession_key, external_id, placer_order_number, filler_order_number,
  study_instance_uid, modality, procedure_code, procedure_description, scheduled_at, study_date, order_status, :now, :now
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
  AS r(id bigint, patient_id bigint, accession_number text, accession_key text, external_id text, placer_order_number text,
       filler_order_number text, study_instance_uid text, modality text, procedure_code text,
       procedure_description text, scheduled_at timestamptz, study_date date, order_status text)
ON CONFLICT (accession_key) DO UPDATE SET
  patient_id = EXCLUDED.patient_id, accession_number = EXCLUDED.accession_number, external_id = EXCLUDED.external_id,
  placer_order_number = EXCLUDED.placer_order_number, filler_order_number = EXCLUDED.filler_order_number,
  study_instance_uid = EXCLUDED.study_instance_uid, modality = EXCLUDED.modality,
  procedure_code = EXCLUDED.procedure_code, procedure_description = EXCLUDED.procedure_description,
  scheduled_at = EXCLUDED.scheduled_at, study_date = EXCLUDED.study_date, order_status = EXCLUDED.order_status,
  updated_at = EXCLUDED.updated_at`;

/** The statements of what is said of studies, inside one transaction. */
export function studyStatements(trx: Knex.Transaction) {
  return {
    async saveFacts({ studyFacts, studies }: FactChanges, now: Date): Promise<void> {
      const facts = studyFacts.map((fact) => ({
        message_id: fact.messageId,
        ordinal: fact.ordinal,
        accession_key: fact.key,
        patient_id: fact.patientId,
        said_at: fact.saidAt,
        kind: fact.kind,
        order_status: fact.status,
        facts: fact.facts,
      }));
      const rows = studies.map((study) => ({
        id: study.id,
        accession_key: study.key,
        accession_number: study.accessionNumber,
        patient_id: study.patientId,
        external_id: study.externalId,
        placer_order_number: study.placerOrderNumber,
        filler_order_number: study.fillerOrderNumber,
        study_instance_uid: study.studyInstanceUid,
        modality: study.modality,
        procedure_code: study.procedureCode,
        procedure_description: study.procedureDescription,
        scheduled_at: study.scheduledAt,
        study_date: study.studyDate,
        order_status: study.orderStatus,
      }));
      await Promise.all([
        facts.length > 0 && execute(trx, KEEP_STUDY_FACTS, { rows: JSON.stringify(facts) }),
        rows.length > 0 && execute(trx, SAVE_STUDIES, { rows: JSON.stringify(rows), now }),
      ]);
    },
  };
}
