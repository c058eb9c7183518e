import type { Knex } from 'knex';
import { z } from 'zod';
import type { Envelope, Outcome } from '../../core/hl7-record.ts';
import type { By } from '../../core/operator.ts';
import { execute, ID_ROW, query } from './query.ts';

export const SAVE_MESSAGE = `
INSERT INTO hl7_messages (received_at, remote_address, sending_application, sending_facility, message_type, control_id,
                          content_hash, raw, answer, reason, acknowledgment)
VALUES (:now, :remoteAddress, :sendingApplication, :sendingFacility, :messageType, :controlId, :contentHash, :raw,
        :answer, :reason, :acknowledgment)
ON CONFLICT (sending_application, sending_facility, control_id, content_hash) DO NOTHING
RETURNING id`;

export const EARLIER_ANSWER = `
SELECT acknowledgment FROM hl7_messages
WHERE sending_application = :sendingApplication AND sending_facility = :sendingFacility AND control_id = :controlId
  AND content_hash = :contentHash`;

export const LOCK_MESSAGE = `
SELECT raw, answer, received_at AS "receivedAt", forgotten_at AS "forgottenAt" FROM hl7_messages WHERE id = :id FOR UPDATE`;
const SAVE_REPLAY = `
UPDATE hl7_messages
SET answer = 'AA', acknowledgment = coalesce(:acknowledgment, acknowledgment), replayed_by = :who, replay_reason = :why,
    replayed_at = :now
WHERE id = :id`;

const KEPT_MESSAGE = z.object({
  raw: z.instanceof(Buffer),
  answer: z.enum(['AA', 'AR']),
  receivedAt: z.date(),
  forgottenAt: z.date().nullable(),
});

const text = (value: string): string => value.replaceAll('\0', '');

/** The statements of kept HL7 messages inside one transaction. */
export function messageStatements(trx: Knex.Transaction) {
  return {
    async saveMessage(
      envelope: Envelope,
      outcome: Outcome,
      now: Date,
    ): Promise<{ id: string } | { acknowledgment: string }> {
      const { contentHash, raw, remoteAddress } = envelope;
      const sender = {
        sendingApplication: text(envelope.sendingApplication),
        sendingFacility: text(envelope.sendingFacility),
        controlId: text(envelope.controlId),
        contentHash,
      };
      const rest = { messageType: text(envelope.messageType), raw, remoteAddress, now };
      const { answer, reason, acknowledgment } = outcome;
      const bindings = { ...sender, ...rest, answer, reason, acknowledgment: text(acknowledgment) };
      const [saved] = await query(trx, SAVE_MESSAGE, bindings, ID_ROW);
      if (saved !== undefined) return saved;
      const [earlier] = await query(trx, EARLIER_ANSWER, sender, z.object({ acknowledgment: z.string() }));
      if (earlier === undefined) throw new Error('a kept HL7 message is gone');
      return earlier;
    },

    lockMessage: async (id: string) => (await query(trx, LOCK_MESSAGE, { id }, KEPT_MESSAGE))[0] ?? null,

    saveReplay: (id: string, { who, why }: By, acknowledgment: string | null, now: Date) =>
      execute(trx, SAVE_REPLAY, { id, who, why, acknowledgment: acknowledgment && text(acknowledgment), now }),
  };
}
