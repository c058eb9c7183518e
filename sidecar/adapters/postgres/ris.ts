import type { Knex } from 'knex';
import { z } from 'zod';
import { accessionKey } from '../../core/accession.ts';
import type { PatientFacts } from '../../core/adt.ts';
import type { OrderStatus, StudyFacts } from '../../core/order.ts';
import type { Report } from '../../core/report.ts';
import { execute, ID_ROW, query } from './query.ts';

// An identifier without an assigning authority is taken for any authority's: a RIS does not always send one.
export const FIND_PATIENT = `
SELECT coalesce(merged_into, id) AS id, merged_into IS NOT NULL AS merged FROM patients
WHERE source = 'ris' AND upper(external_id) = upper(:externalId)
  AND (upper(coalesce(issuer, '')) = upper(:issuer) OR coalesce(issuer, '') = '' OR :issuer = '')
ORDER BY upper(coalesce(issuer, '')) = upper(:issuer) DESC, id LIMIT 1`;

const INSERT_PATIENT = `
INSERT INTO patients (source, external_id, issuer, created_at, updated_at)
VALUES ('ris', :externalId, nullif(:issuer, ''), :now, :now) RETURNING id`;

// A key that is not in :facts was not said and stays; a null deletes.
const UPDATE_PATIENT = `
UPDATE patients p SET
  name = CASE WHEN jsonb_exists(f, 'name') THEN f ->> 'name' ELSE name END,
  birth_date = CASE WHEN jsonb_exists(f, 'birthDate') THEN CAST(f ->> 'birthDate' AS date) ELSE birth_date END,
  sex = CASE WHEN jsonb_exists(f, 'sex') THEN f ->> 'sex' ELSE sex END,
  phone_number = CASE WHEN jsonb_exists(f, 'phoneNumber') THEN f ->> 'phoneNumber' ELSE phone_number END,
  phone_problem = CASE WHEN jsonb_exists(f, 'phoneProblem') THEN f ->> 'phoneProblem' ELSE phone_problem END,
  issuer = coalesce(issuer, nullif(f ->> 'issuer', '')),
  updated_at = :now
FROM (SELECT CAST(:facts AS jsonb) AS f) AS said WHERE p.id = :id`;

const MERGE_STUDIES = `UPDATE studies SET patient_id = :into, updated_at = :now WHERE patient_id = :prior AND source = 'ris'`;
const MERGE_PATIENTS = `
UPDATE patients SET merged_into = :into, updated_at = :now WHERE (id = :prior OR merged_into = :prior) AND id <> :into`;

const INSERT_STUDY = `
INSERT INTO studies (patient_id, source, accession_number, accession_key, created_at, updated_at)
VALUES (:patientId, 'ris', :accessionNumber, :accessionKey, :now, :now)
ON CONFLICT (accession_key) DO NOTHING`;

// An order's word goes before what is there; a report's only fills what is empty.
const UPDATE_STUDY = `
WITH said AS (SELECT CAST(:facts AS jsonb) AS f, CAST(:status AS text) AS status)
UPDATE studies s SET
  patient_id = :patientId,
  order_status = coalesce(said.status, order_status),
  placer_order_number = CASE WHEN jsonb_exists(f, 'placerOrderNumber') AND (said.status IS NOT NULL OR placer_order_number IS NULL)
    THEN f ->> 'placerOrderNumber' ELSE placer_order_number END,
  filler_order_number = CASE WHEN jsonb_exists(f, 'fillerOrderNumber') AND (said.status IS NOT NULL OR filler_order_number IS NULL)
    THEN f ->> 'fillerOrderNumber' ELSE filler_order_number END,
  study_instance_uid = CASE WHEN jsonb_exists(f, 'studyInstanceUid') AND (said.status IS NOT NULL OR study_instance_uid IS NULL)
    THEN f ->> 'studyInstanceUid' ELSE study_instance_uid END,
  modality = CASE WHEN jsonb_exists(f, 'modality') AND (said.status IS NOT NULL OR modality IS NULL)
    THEN f ->> 'modality' ELSE modality END,
  procedure_code = CASE WHEN jsonb_exists(f, 'procedureCode') AND (said.status IS NOT NULL OR procedure_code IS NULL)
    THEN f ->> 'procedureCode' ELSE procedure_code END,
  procedure_description = CASE WHEN jsonb_exists(f, 'procedureDescription') AND (said.status IS NOT NULL OR procedure_description IS NULL)
    THEN f ->> 'procedureDescription' ELSE procedure_description END,
  scheduled_at = CASE WHEN jsonb_exists(f, 'scheduled') AND (said.status IS NOT NULL OR scheduled_at IS NULL)
    THEN CAST(f -> 'scheduled' ->> 'instant' AS timestamptz) ELSE scheduled_at END,
  study_date = CASE WHEN jsonb_exists(f, 'scheduled') AND (said.status IS NOT NULL OR study_date IS NULL)
    THEN CAST(f -> 'scheduled' ->> 'localDate' AS date) ELSE study_date END,
  updated_at = :now
FROM said WHERE s.accession_key = :accessionKey RETURNING s.id`;

const EXTERNAL_ID = `
UPDATE studies SET external_id = coalesce(filler_order_number, placer_order_number)
WHERE id = :id AND external_id IS DISTINCT FROM coalesce(filler_order_number, placer_order_number)`;

const SAVE_REPORT = `
INSERT INTO reports (study_id, version, status, body, reported_at, hl7_message_id, created_at)
SELECT :studyId, 1 + coalesce(max(version), 0), :status, :body, CAST(:reportedAt AS timestamptz), :hl7MessageId, :now
FROM reports WHERE study_id = :studyId RETURNING id`;

const SAVE_ATTACHMENT = `
INSERT INTO report_attachments (report_id, ordinal, content_type, content) VALUES (:reportId, :ordinal, :contentType, :content)`;

const FOUND_PATIENT = z.object({ id: z.string(), merged: z.boolean() });

function one<T>(rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined) throw new Error('a statement that must give a row gave none');
  return row;
}

/** The statements of what the RIS says, inside one transaction. */
export function risStatements(trx: Knex.Transaction) {
  const findPatient = async (patient: { externalId: string; issuer: string }) =>
    (await query(trx, FIND_PATIENT, { externalId: patient.externalId, issuer: patient.issuer }, FOUND_PATIENT))[0];

  const makePatient = async (patient: { externalId: string; issuer: string }, now: Date): Promise<string> => {
    const { externalId, issuer } = patient;
    return one(await query(trx, INSERT_PATIENT, { externalId, issuer, now }, ID_ROW)).id;
  };

  const studyOfAccession = async (accessionNumber: string) =>
    (
      await query(
        trx,
        'SELECT id, patient_id AS "patientId" FROM studies WHERE accession_key = :key',
        { key: accessionKey(accessionNumber) },
        z.object({ id: z.string(), patientId: z.string() }),
      )
    )[0];

  return {
    async savePatient(patient: PatientFacts, now: Date): Promise<string> {
      const found = await findPatient(patient);
      // Whom a patient was merged into is known better than by what is still sent under the retired identifier.
      if (found?.merged === true) return found.id;
      const id = found?.id ?? (await makePatient(patient, now));
      await execute(trx, UPDATE_PATIENT, { id, facts: JSON.stringify(patient), now });
      return id;
    },

    async mergePatients(prior: { externalId: string; issuer: string }, patientId: string, now: Date): Promise<void> {
      const found = await findPatient(prior);
      const priorId = found?.id ?? (await makePatient(prior, now));
      if (priorId === patientId) return;
      await execute(trx, MERGE_STUDIES, { prior: priorId, into: patientId, now });
      await execute(trx, MERGE_PATIENTS, { prior: priorId, into: patientId, now });
    },

    studyOfAccession,

    async saveStudy(study: StudyFacts, patientId: string, status: OrderStatus | undefined, now: Date): Promise<string> {
      const { accessionNumber, ...facts } = study;
      const key = accessionKey(accessionNumber);
      await execute(trx, INSERT_STUDY, { patientId, accessionNumber, accessionKey: key, now });
      const saved = await query(
        trx,
        UPDATE_STUDY,
        { patientId, accessionKey: key, facts: JSON.stringify(facts), status: status ?? null, now },
        ID_ROW,
      );
      const { id } = one(saved);
      await execute(trx, EXTERNAL_ID, { id });
      return id;
    },

    async studiesOfPatient(patientId: string): Promise<string[]> {
      const sql = `SELECT id FROM studies WHERE patient_id = :patientId AND source = 'ris' ORDER BY id`;
      return (await query(trx, sql, { patientId }, ID_ROW)).map(({ id }) => id);
    },

    async saveReport(studyId: string, report: Report, hl7MessageId: string, now: Date): Promise<void> {
      const { status, body, reportedAt } = report;
      const saved = await query(
        trx,
        SAVE_REPORT,
        { studyId, status, body: body.replaceAll('\0', ''), reportedAt, hl7MessageId, now },
        ID_ROW,
      );
      const reportId = one(saved).id;
      for (const [ordinal, { contentType, base64 }] of report.attachments.entries()) {
        const content = Buffer.from(base64, 'base64');
        await execute(trx, SAVE_ATTACHMENT, { reportId, ordinal, contentType, content });
      }
    },
  };
}
