import type { Knex } from 'knex';
import { z } from 'zod';
import type { Envelope, Outcome } from '../../core/hl7-record.ts';
import { ID_ROW, query } from './query.ts';

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
  };
}
