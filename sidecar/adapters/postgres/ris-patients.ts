import type { Knex } from 'knex';
import { z } from 'zod';
import { foldPatients, type MessageFacts, type PatientIdentity } from '../../core/ris-facts.ts';
import { execute, query } from './query.ts';

export const MAKE_IDENTITIES = `
INSERT INTO patients (source, external_id, issuer, created_at, updated_at)
SELECT DISTINCT ON (upper(external_id), upper(issuer)) 'ris', external_id, nullif(issuer, ''), :now, :now
FROM jsonb_to_recordset(CAST(:identities AS jsonb)) AS r(position integer, external_id text, issuer text)
ORDER BY upper(external_id), upper(issuer), position
ON CONFLICT (upper(external_id), upper(coalesce(issuer, ''))) WHERE source = 'ris' DO NOTHING`;

export const FIND_IDENTITIES = `
SELECT p.id
FROM jsonb_to_recordset(CAST(:identities AS jsonb)) AS r(position integer, external_id text, issuer text)
JOIN patients p ON p.source = 'ris' AND upper(p.external_id) = upper(r.external_id)
               AND upper(coalesce(p.issuer, '')) = upper(r.issuer)
ORDER BY r.position`;

export const KEEP_PATIENT_FACTS = `
INSERT INTO patient_facts (hl7_message_id, ordinal, patient_id, said_at, of_report, facts)
SELECT :messageId, ordinal, patient_id, :saidAt, :ofReport, facts
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(ordinal integer, patient_id bigint, facts jsonb)`;

export const KEEP_MERGES = `
INSERT INTO patient_merges (hl7_message_id, ordinal, prior_id, survivor_id, said_at)
SELECT :messageId, ordinal, prior_id, survivor_id, :saidAt
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(ordinal integer, prior_id bigint, survivor_id bigint)`;

// All identifiers that these may stand for or be told of: the same one of any authority, and those merged with it.
const RELATED = `
WITH RECURSIVE related (id) AS (
  SELECT id FROM patients WHERE id = ANY (CAST(:ids AS bigint[]))
  UNION
  SELECT n.id FROM related JOIN patients p ON p.id = related.id JOIN LATERAL (
    SELECT o.id FROM patients o WHERE o.source = 'ris' AND upper(o.external_id) = upper(p.external_id)
    UNION ALL SELECT survivor_id FROM patient_merges WHERE prior_id = p.id
    UNION ALL SELECT prior_id FROM patient_merges WHERE survivor_id = p.id
  ) n ON true
)`;
export const LOAD_RELATED = `${RELATED}
SELECT p.id, p.external_id AS "externalId", coalesce(p.issuer, '') AS issuer
FROM related JOIN patients p ON p.id = related.id ORDER BY p.id`;

export const LOAD_MERGES = `
SELECT prior_id AS "priorId", survivor_id AS "survivorId" FROM patient_merges
WHERE prior_id = ANY (CAST(:ids AS bigint[])) ORDER BY said_at, hl7_message_id, ordinal`;

export const LOAD_PATIENT_FACTS = `
SELECT patient_id AS "identityId", of_report AS "ofReport", facts FROM patient_facts
WHERE patient_id = ANY (CAST(:ids AS bigint[])) ORDER BY said_at, hl7_message_id, ordinal`;

export const SAVE_PATIENTS = `
UPDATE patients p
SET name = r.name, birth_date = r.birth_date, sex = r.sex, phone_number = r.phone_number,
    phone_problem = r.phone_problem, merged_into = r.merged_into, updated_at = :now
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
  AS r(id bigint, name text, birth_date date, sex text, phone_number text, phone_problem text, merged_into bigint)
WHERE p.id = r.id
  AND (p.name, p.birth_date, p.sex, p.phone_number, p.phone_problem, p.merged_into)
      IS DISTINCT FROM (r.name, r.birth_date, r.sex, r.phone_number, r.phone_problem, r.merged_into)`;

const text = z.string().nullable().optional();
const IDENTITY = z.object({ id: z.string(), externalId: z.string(), issuer: z.string() });
const MERGE = z.object({ priorId: z.string(), survivorId: z.string() });
const FACTS = z.object({
  identityId: z.string(),
  ofReport: z.boolean(),
  facts: z.object({ name: text, birthDate: text, sex: text, phoneNumber: text, phoneProblem: text }),
});

const array = (ids: readonly string[]): string => `{${ids.join(',')}}`;

/** The statements of what is said of patients, inside one transaction. */
export function patientStatements(trx: Knex.Transaction) {
  return {
    /** The rows of these identifiers, made where they are not there, by position. */
    async identityIds(patients: readonly PatientIdentity[], now: Date): Promise<string[]> {
      const identities = JSON.stringify(
        patients.map(({ externalId, issuer }, position) => ({ position, external_id: externalId, issuer })),
      );
      await execute(trx, MAKE_IDENTITIES, { identities, now });
      return (await query(trx, FIND_IDENTITIES, { identities }, z.object({ id: z.string() }))).map(({ id }) => id);
    },

    async keepPatientFacts(messageId: string, said: MessageFacts, ids: readonly string[]): Promise<void> {
      const facts = said.patients.map(({ externalId: _id, issuer: _issuer, ...rest }, ordinal) => ({
        ordinal,
        patient_id: ids[ordinal],
        facts: rest,
      }));
      const told = facts.filter((row) => Object.values(row.facts).some((value) => value !== undefined));
      const merges = said.merges.map(({ prior, survivor }, ordinal) => ({
        ordinal,
        prior_id: ids[prior],
        survivor_id: ids[survivor],
      }));
      const { saidAt } = said;
      const ofReport = said.reports.length > 0;
      await execute(trx, KEEP_PATIENT_FACTS, { messageId, saidAt, ofReport, rows: JSON.stringify(told) });
      await execute(trx, KEEP_MERGES, { messageId, saidAt, rows: JSON.stringify(merges) });
    },

    /** Folds these patients and all that are related to them anew; gives for each whom it stands for. */
    async foldPatients(ids: readonly string[], now: Date): Promise<ReadonlyMap<string, string>> {
      const identities = await query(trx, LOAD_RELATED, { ids: array(ids) }, IDENTITY);
      const related = array(identities.map(({ id }) => id));
      const folded = foldPatients(
        identities,
        await query(trx, LOAD_MERGES, { ids: related }, MERGE),
        await query(trx, LOAD_PATIENT_FACTS, { ids: related }, FACTS),
      );
      const rows = folded.map((patient) => ({
        id: patient.id,
        name: patient.name,
        birth_date: patient.birthDate,
        sex: patient.sex,
        phone_number: patient.phoneNumber,
        phone_problem: patient.phoneProblem,
        merged_into: patient.mergedInto,
      }));
      await execute(trx, SAVE_PATIENTS, { rows: JSON.stringify(rows), now });
      return new Map(folded.map(({ id, mergedInto }) => [id, mergedInto ?? id]));
    },
  };
}
