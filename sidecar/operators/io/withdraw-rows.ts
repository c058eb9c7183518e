import type { Knex } from 'knex';
import { z } from 'zod';
import type { By } from '../../audit/rules/who.ts';
import { query } from '../../platform/postgres/query.ts';
import type { PatientIdentity } from '../../ris/rules/facts.ts';
import type { SaidBefore } from '../../ris/rules/fold.ts';

const PATIENT_IDS = z.object({ patientIds: z.array(z.string()) });

// Served by index study_facts_accession.
export const WITHDRAW_ORDERS = `
WITH withdrawn AS (
  UPDATE study_facts SET withdrawn_at = :now, withdrawn_by = :who, withdraw_reason = :why
  WHERE accession_key = :key AND kind = 'order' AND withdrawn_at IS NULL
  RETURNING patient_id
)
SELECT ARRAY(SELECT DISTINCT CAST(patient_id AS text) FROM withdrawn) AS "patientIds"`;

// What was merged under a number without an authority was merged of whom it stands for. Served by indexes
// patients_ris_identity, patient_merges_prior.
const WITHDRAW_MERGES = `
WITH named AS (
  SELECT p.id, r.side
  FROM (VALUES ('prior', :prior, :priorIssuer), ('survivor', :survivor, :survivorIssuer)) AS r(side, number, authority)
  JOIN patients p ON p.source = 'ris' AND upper(p.external_id) = upper(CAST(r.number AS text))
   AND (r.authority = '' OR upper(coalesce(p.issuer, '')) IN ('', upper(CAST(r.authority AS text))))
), withdrawn AS (
  UPDATE patient_merges m SET withdrawn_at = :now, withdrawn_by = :who, withdraw_reason = :why
  FROM named a JOIN named b ON b.side <> a.side
  WHERE m.prior_id = a.id AND m.survivor_id = b.id AND m.apart_from_id IS NULL AND m.withdrawn_at IS NULL
  RETURNING m.prior_id, m.survivor_id
)
SELECT ARRAY(SELECT CAST(prior_id AS text) FROM withdrawn UNION SELECT CAST(survivor_id AS text) FROM withdrawn) AS "patientIds"`;

/** What persons take back, inside one transaction. */
export function withdrawStatements(trx: Knex.Transaction) {
  return {
    async withdrawMerges(
      prior: PatientIdentity,
      survivor: PatientIdentity,
      by: By,
      now: Date,
    ): Promise<SaidBefore | null> {
      const bindings = {
        ...{ prior: prior.externalId, priorIssuer: prior.issuer, who: by.who, why: by.why, now },
        ...{ survivor: survivor.externalId, survivorIssuer: survivor.issuer },
      };
      const [{ patientIds } = { patientIds: [] }] = await query(trx, WITHDRAW_MERGES, bindings, PATIENT_IDS);
      return patientIds.length === 0 ? null : { patientIds, keys: [] };
    },

    async withdrawOrders(key: string, { who, why }: By, now: Date): Promise<SaidBefore | null> {
      const [{ patientIds } = { patientIds: [] }] = await query(
        trx,
        WITHDRAW_ORDERS,
        { key, who, why, now },
        PATIENT_IDS,
      );
      return patientIds.length === 0 ? null : { patientIds, keys: [key] };
    },
  };
}
