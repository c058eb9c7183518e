import type { Knex } from 'knex';
import { z } from 'zod';
import type { By } from '../../audit/rules/who.ts';
import { query } from '../../platform/postgres/query.ts';
import type { SaidBefore } from '../../ris/rules/fold.ts';

// Served by index study_facts_accession.
export const WITHDRAW_ORDERS = `
WITH withdrawn AS (
  UPDATE study_facts SET withdrawn_at = :now, withdrawn_by = :who, withdraw_reason = :why
  WHERE accession_key = :key AND kind = 'order' AND withdrawn_at IS NULL
  RETURNING patient_id
)
SELECT ARRAY(SELECT DISTINCT CAST(patient_id AS text) FROM withdrawn) AS "patientIds"`;

/** What persons take back, inside one transaction. */
export function withdrawStatements(trx: Knex.Transaction) {
  return {
    async withdrawOrders(key: string, { who, why }: By, now: Date): Promise<SaidBefore | null> {
      const row = z.object({ patientIds: z.array(z.string()) });
      const [{ patientIds } = { patientIds: [] }] = await query(trx, WITHDRAW_ORDERS, { key, who, why, now }, row);
      return patientIds.length === 0 ? null : { patientIds, keys: [key] };
    },
  };
}
