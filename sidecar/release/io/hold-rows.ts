import type { Knex } from 'knex';
import { z } from 'zod';
import type { By } from '../../audit/rules/who.ts';
import { ID_ROW, query } from '../../platform/postgres/query.ts';

// Served by index patients_ris_identity.
const FIND_PATIENTS = `
SELECT DISTINCT coalesce(merged_into, id) AS id FROM patients
WHERE source = 'ris' AND upper(external_id) = upper(:externalId)
  AND (CAST(:issuer AS text) IS NULL OR upper(coalesce(issuer, '')) = upper(CAST(:issuer AS text)))
ORDER BY id`;

// Served by index studies_patient_date.
const STUDIES_OF_PATIENT = `
SELECT s.id FROM patients p JOIN studies s ON s.patient_id = p.id
WHERE s.source = 'ris' AND (p.id = :patientId OR p.merged_into = :patientId) ORDER BY s.id`;

const HOLD = `
INSERT INTO release_holds (study_id, patient_id, held_by, reason, held_at)
VALUES (CAST(:studyId AS bigint), CAST(:patientId AS bigint), :who, :why, :now)
ON CONFLICT DO NOTHING RETURNING id`;

const UNHOLD = `
DELETE FROM release_holds
WHERE study_id = CAST(:studyId AS bigint) OR patient_id = CAST(:patientId AS bigint)
  OR patient_id IN (SELECT id FROM patients WHERE merged_into = CAST(:patientId AS bigint))
RETURNING id`;

/** What is held: one study, or all of one patient. */
export type Held = { readonly studyId: string } | { readonly patientId: string };

const bindings = (held: Held) => ({ studyId: null, patientId: null, ...held });

/** The statements of what persons keep from patients, inside one transaction. */
export function holdStatements(trx: Knex.Transaction) {
  return {
    /** Whose studies the patients of that number are; several where more than one authority gave it. */
    findPatients: async (externalId: string, issuer: string | null): Promise<string[]> =>
      (await query(trx, FIND_PATIENTS, { externalId, issuer }, ID_ROW)).map(({ id }) => id),
    studiesOfPatient: async (patientId: string): Promise<string[]> =>
      (await query(trx, STUDIES_OF_PATIENT, { patientId }, ID_ROW)).map(({ id }) => id),
    /** `false` where it is held already. */
    saveHold: async (held: Held, { who, why }: By, now: Date): Promise<boolean> =>
      (await query(trx, HOLD, { ...bindings(held), who, why, now }, z.unknown())).length > 0,
    /** `false` where it is not held. */
    removeHold: async (held: Held): Promise<boolean> =>
      (await query(trx, UNHOLD, bindings(held), z.unknown())).length > 0,
  };
}
