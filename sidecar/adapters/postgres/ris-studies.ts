import type { Knex } from 'knex';
import { z } from 'zod';
import { accessionKey } from '../../core/accession.ts';
import { foldStudy, type MessageFacts } from '../../core/ris-facts.ts';
import { execute, ID_ROW, query } from './query.ts';

export const KEEP_STUDY_FACTS = `
INSERT INTO study_facts (hl7_message_id, ordinal, accession_key, patient_id, said_at, kind, order_status, facts)
SELECT :messageId, ordinal, accession_key, patient_id, :saidAt, kind, order_status, facts
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
  AS r(ordinal integer, accession_key text, patient_id bigint, kind text, order_status text, facts jsonb)`;

export const LOAD_STUDY_FACTS = `
WITH keys AS (
  SELECT unnest(CAST(:keys AS text[])) AS accession_key
  UNION
  SELECT accession_key FROM study_facts WHERE patient_id = ANY (CAST(:patientIds AS bigint[]))
)
SELECT accession_key AS key, f.kind, f.order_status AS status, f.patient_id AS "patientId", f.facts,
       coalesce(p.merged_into, p.id) AS "standsFor"
FROM keys JOIN study_facts f USING (accession_key) JOIN patients p ON p.id = f.patient_id
ORDER BY accession_key, f.said_at, f.hl7_message_id, f.ordinal`;

export const SAVE_STUDIES = `
INSERT INTO studies AS s (source, patient_id, accession_number, accession_key, external_id, placer_order_number,
  filler_order_number, study_instance_uid, modality, procedure_code, procedure_description, scheduled_at, study_date,
  order_status, created_at, updated_at)
SELECT 'ris', patient_id, accession_number, accession_key, external_id, placer_order_number, filler_order_number,
  study_instance_uid, modality, procedure_code, procedure_description, scheduled_at, study_date, order_status, :now, :now
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
  AS r(patient_id bigint, accession_number text, accession_key text, external_id text, placer_order_number text,
       filler_order_number text, study_instance_uid text, modality text, procedure_code text,
       procedure_description text, scheduled_at timestamptz, study_date date, order_status text)
ORDER BY accession_key
ON CONFLICT (accession_key) DO UPDATE SET
  patient_id = EXCLUDED.patient_id, accession_number = EXCLUDED.accession_number, external_id = EXCLUDED.external_id,
  placer_order_number = EXCLUDED.placer_order_number, filler_order_number = EXCLUDED.filler_order_number,
  study_instance_uid = EXCLUDED.study_instance_uid, modality = EXCLUDED.modality,
  procedure_code = EXCLUDED.procedure_code, procedure_description = EXCLUDED.procedure_description,
  scheduled_at = EXCLUDED.scheduled_at, study_date = EXCLUDED.study_date, order_status = EXCLUDED.order_status,
  updated_at = EXCLUDED.updated_at
WHERE (s.patient_id, s.accession_number, s.external_id, s.placer_order_number, s.filler_order_number,
       s.study_instance_uid, s.modality, s.procedure_code, s.procedure_description, s.scheduled_at, s.study_date,
       s.order_status)
  IS DISTINCT FROM
      (EXCLUDED.patient_id, EXCLUDED.accession_number, EXCLUDED.external_id, EXCLUDED.placer_order_number,
       EXCLUDED.filler_order_number, EXCLUDED.study_instance_uid, EXCLUDED.modality, EXCLUDED.procedure_code,
       EXCLUDED.procedure_description, EXCLUDED.scheduled_at, EXCLUDED.study_date, EXCLUDED.order_status)`;

const FIND_STUDIES = `
SELECT id FROM studies WHERE accession_key = ANY (CAST(:keys AS text[])) ORDER BY id`;

const text = z.string().nullable().optional();
const STUDY_FACTS = z.object({
  key: z.string(),
  kind: z.enum(['order', 'report']),
  status: z.enum(['active', 'held', 'cancelled', 'completed']).nullable(),
  patientId: z.string(),
  standsFor: z.string(),
  facts: z.object({
    accessionNumber: z.string(),
    placerOrderNumber: text,
    fillerOrderNumber: text,
    studyInstanceUid: text,
    modality: text,
    procedureCode: text,
    procedureDescription: text,
    scheduled: z.object({ instant: z.string(), localDate: z.string() }).nullable().optional(),
  }),
});

/** The statements of what is said of studies, inside one transaction. */
export function studyStatements(trx: Knex.Transaction) {
  return {
    async keepStudyFacts(messageId: string, said: MessageFacts, patientIds: readonly string[]): Promise<void> {
      const orders = said.orders.map(({ patient, study, status }) => ({ patient, study, kind: 'order', status }));
      const reports = said.reports.map(({ patient, report }) => ({
        patient,
        study: report.study,
        kind: 'report',
        status: null,
      }));
      const rows = [...orders, ...reports].map(({ patient, study, kind, status }, ordinal) => ({
        ordinal,
        accession_key: accessionKey(study.accessionNumber),
        patient_id: patientIds[patient],
        kind,
        order_status: status,
        facts: study,
      }));
      await execute(trx, KEEP_STUDY_FACTS, { messageId, saidAt: said.saidAt, rows: JSON.stringify(rows) });
    },

    /** Folds these studies and all of these patients anew; gives their ids. */
    async foldStudies(keys: readonly string[], patientIds: readonly string[], now: Date): Promise<string[]> {
      const facts = await query(trx, LOAD_STUDY_FACTS, { keys, patientIds: `{${patientIds.join(',')}}` }, STUDY_FACTS);
      const rows = [...Map.groupBy(facts, ({ key }) => key)].flatMap(([key, said]) => {
        const study = foldStudy(said.map((one) => ({ ...one, patientId: one.standsFor })));
        if (study === null) return [];
        return [
          {
            accession_key: key,
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
          },
        ];
      });
      await execute(trx, SAVE_STUDIES, { rows: JSON.stringify(rows), now });
      const found = rows.map((row) => row.accession_key);
      return (await query(trx, FIND_STUDIES, { keys: found }, ID_ROW)).map(({ id }) => id);
    },
  };
}
