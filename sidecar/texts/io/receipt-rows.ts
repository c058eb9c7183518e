import type { Knex } from 'knex';
import { z } from 'zod';
import type { OptChoice } from '../rules/opt-out.ts';
import { DELIVERY_STATUSES, type Receipt } from '../rules/receipt.ts';
import { execute, ID_ROW, query } from '../../platform/postgres/query.ts';

/** Whether that number's last word is that it wants no texts. `number` is an SQL expression. */
export const optedOut = (number: string): string => `coalesce(
  (SELECT o.opted_out FROM sms_opt_outs o WHERE o.number = ${number} ORDER BY o.said_at DESC, o.id DESC LIMIT 1), false)`;

// As `standingReceipt` has it.
export const KEEP_RECEIPT = `
INSERT INTO sms_receipts AS r (twilio_sid, status, error_code, received_at)
VALUES (:vendorId, :status, :errorCode, :now)
ON CONFLICT (twilio_sid) DO UPDATE
  SET status = EXCLUDED.status, error_code = EXCLUDED.error_code, received_at = EXCLUDED.received_at
  WHERE (array_position(CAST(:order AS text[]), r.status), coalesce(r.error_code, 0))
      < (array_position(CAST(:order AS text[]), EXCLUDED.status), coalesce(EXCLUDED.error_code, 0))`;

const KEEP_OPT_CHOICE = `
INSERT INTO sms_opt_outs (source, number, opted_out, said_at) VALUES (:vendorId, :number, :optedOut, :now)
ON CONFLICT (source) DO NOTHING RETURNING id`;

// OFFSET 0 keeps the planner from beginning with all texts that are held.
// Served by indexes patients_phone_number, studies_patient_date, sms_messages_study_id_kind_key.
export const STUDIES_TEXTING = `
SELECT s.id
FROM (SELECT id FROM patients WHERE phone_number = :number OFFSET 0) p
CROSS JOIN LATERAL (SELECT id FROM studies WHERE patient_id = p.id OFFSET 0) s
CROSS JOIN LATERAL (SELECT state FROM sms_messages WHERE study_id = s.id OFFSET 0) m
WHERE m.state IN ('held', 'queued') ORDER BY s.id`;

/** Keeps what became of a text, whoever's id it is; receipts may come in any order and any number of times. */
export async function keepReceipt(db: Knex, { vendorId, status, errorCode }: Receipt, now: Date): Promise<void> {
  const order = `{${DELIVERY_STATUSES.join(',')}}`;
  await execute(db, KEEP_RECEIPT, { vendorId, status, errorCode, order, now });
}

/** The statements of a number's word for or against texts, inside one transaction. */
export function optChoiceStatements(trx: Knex.Transaction) {
  return {
    async keepOptChoice({ vendorId, number, optedOut: out }: OptChoice, now: Date): Promise<boolean> {
      const kept = await query(trx, KEEP_OPT_CHOICE, { vendorId, number, optedOut: out, now }, z.unknown());
      return kept.length > 0;
    },
    async studiesTexting(number: string): Promise<string[]> {
      return (await query(trx, STUDIES_TEXTING, { number }, ID_ROW)).map(({ id }) => id);
    },
  };
}
