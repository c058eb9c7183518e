import type { Knex } from 'knex';
import type { FactChanges } from '../../core/ris-fold.ts';
import { execute } from './query.ts';

// New ones and those that changed.
export const SAVE_PATIENTS = `
INSERT INTO patients AS p (id, source, external_id, issuer, name, birth_date, sex, phone_number, phone_problem, merged_into,
                           created_at, updated_at)
OVERRIDING SYSTEM VALUE
SELECT id, 'ris', external_id, nullif(issuer, ''), name, birth_date, sex, phone_number, phone_problem, merged_into, :now, :now
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
  AS r(id bigint, external_id text, issuer text, name text, birth_date date, sex text, phone_number text,
       phone_problem text, merged_into bigint)
ON CONFLICT (id) DO UPDATE SET
  name = EXCLUDED.name, birth_date = EXCLUDED.birth_date, sex = EXCLUDED.sex, phone_number = EXCLUDED.phone_number,
  phone_problem = EXCLUDED.phone_problem, merged_into = EXCLUDED.merged_into, updated_at = EXCLUDED.updated_at`;

export const KEEP_PATIENT_FACTS = `
INSERT INTO patient_facts (hl7_message_id, ordinal, patient_id, said_at, of_report, facts)
SELECT message_id, ordinal, patient_id, said_at, of_report, facts
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
  AS r(message_id bigint, ordinal integer, patient_id bigint, said_at timestamptz, of_report boolean, facts jsonb)`;

export const KEEP_MERGES = `
INSERT INTO patient_merges (hl7_message_id, ordinal, prior_id, survivor_id, said_at)
SELECT message_id, ordinal, prior_id, survivor_id, said_at
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
  AS r(message_id bigint, ordinal integer, prior_id bigint, survivor_id bigint, said_at timestamptz)`;

/** The statements of what is said of patients, inside one transaction. */
export function patientStatements(trx: Knex.Transaction) {
  return {
    async saveFacts({ patients, patientFacts, merges }: FactChanges, now: Date): Promise<void> {
      const rows = patients.map((patient) => ({
        id: patient.id,
        external_id: patient.externalId,
        issuer: patient.issuer,
        name: patient.name,
        birth_date: patient.birthDate,
        sex: patient.sex,
        phone_number: patient.phoneNumber,
        phone_problem: patient.phoneProblem,
        merged_into: patient.mergedInto,
      }));
      const facts = patientFacts.map((fact) => ({
        message_id: fact.messageId,
        ordinal: fact.ordinal,
        patient_id: fact.identityId,
        said_at: fact.saidAt,
        of_report: fact.ofReport,
        facts: fact.facts,
      }));
      const merged = merges.map((merge) => ({
        message_id: merge.messageId,
        ordinal: merge.ordinal,
        prior_id: merge.priorId,
        survivor_id: merge.survivorId,
        said_at: merge.saidAt,
      }));
      await Promise.all([
        rows.length > 0 && execute(trx, SAVE_PATIENTS, { rows: JSON.stringify(rows), now }),
        facts.length > 0 && execute(trx, KEEP_PATIENT_FACTS, { rows: JSON.stringify(facts) }),
        merged.length > 0 && execute(trx, KEEP_MERGES, { rows: JSON.stringify(merged) }),
      ]);
    },
  };
}
