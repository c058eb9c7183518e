import type { Knex } from 'knex';
import { z } from 'zod';
import type { Envelope } from '../rules/kept-message.ts';
import { execute, query } from '../../platform/postgres/query.ts';
import type { By } from '../../audit/rules/who.ts';

export const LOCK_MESSAGE = `
SELECT raw, answer, reason, received_at AS "receivedAt", forgotten_at AS "forgottenAt" FROM hl7_messages WHERE id = :id FOR UPDATE`;
const SAVE_REPLAY = `
UPDATE hl7_messages
SET answer = 'AA', acknowledgment = coalesce(:acknowledgment, acknowledgment), replayed_by = :who, replay_reason = :why,
    replayed_at = :now
WHERE id = :id`;

const KEPT_MESSAGE = z.object({
  raw: z.instanceof(Buffer),
  reason: z.string().nullable(),
  answer: z.enum(['AA', 'AR']),
  receivedAt: z.date(),
  forgottenAt: z.date().nullable(),
});

/** As a column of type text takes it. */
export const text = (value: string): string => value.replaceAll('\0', '').toWellFormed();

/** What makes a frame one that came before. */
export const senderOf = ({ sendingApplication, sendingFacility, controlId, contentHash }: Envelope) => ({
  application: text(sendingApplication),
  facility: text(sendingFacility),
  control_id: text(controlId),
  hash: contentHash,
});

/** The statements of kept HL7 messages inside one transaction. */
export function messageStatements(trx: Knex.Transaction) {
  return {
    lockMessage: async (id: string) => (await query(trx, LOCK_MESSAGE, { id }, KEPT_MESSAGE))[0] ?? null,

    saveReplay: (id: string, { who, why }: By, acknowledgment: string | null, now: Date) =>
      execute(trx, SAVE_REPLAY, { id, who, why, acknowledgment: acknowledgment && text(acknowledgment), now }),
  };
}
