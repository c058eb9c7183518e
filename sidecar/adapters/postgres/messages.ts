import type { Knex } from 'knex';
import { z } from 'zod';
import { Failure } from '../../core/failure.ts';
import type { Envelope, KeptOutcome } from '../../core/hl7-record.ts';
import type { By } from '../../core/operator.ts';
import { execute, ID_ROW, query } from './query.ts';

// For each frame the acknowledgment it got, else an id, in the order that the frames came.
export const LOOK_UP_MESSAGES = `
SELECT acknowledgment,
       CASE WHEN acknowledgment IS NULL THEN CAST(nextval('hl7_messages_id_seq') AS text) END AS id
FROM (
  SELECT m.acknowledgment
  FROM unnest(CAST(:applications AS text[]), CAST(:facilities AS text[]), CAST(:controlIds AS text[]),
              CAST(:hashes AS text[])) WITH ORDINALITY AS r(application, facility, control_id, hash, position)
  LEFT JOIN LATERAL (
    SELECT acknowledgment FROM hl7_messages
    WHERE sending_application = r.application AND sending_facility = r.facility AND control_id = r.control_id
      AND content_hash = r.hash OFFSET 0
  ) m ON true
  ORDER BY r.position OFFSET 0
) AS looked_up`;

// The frames come as one value, each cut out of it.
export const SAVE_MESSAGES = `
INSERT INTO hl7_messages (id, received_at, remote_address, sending_application, sending_facility, message_type, control_id,
                          content_hash, raw, answer, reason, acknowledgment)
OVERRIDING SYSTEM VALUE
SELECT id, :now, remote_address, application, facility, message_type, control_id, hash,
       substring(CAST(:frames AS bytea) FROM first FOR bytes), answer, reason, acknowledgment
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
  AS r(id bigint, remote_address text, application text, facility text, message_type text, control_id text, hash text,
       first integer, bytes integer, answer text, reason text, acknowledgment text)
ON CONFLICT (sending_application, sending_facility, control_id, content_hash) DO NOTHING
RETURNING id`;

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

const LOOKED_UP = z.union([
  z.object({ id: z.string(), acknowledgment: z.null() }),
  z.object({ id: z.null(), acknowledgment: z.string() }),
]);
type LookedUp = z.output<typeof LOOKED_UP>;

const text = (value: string): string => value.replaceAll('\0', '').toWellFormed();

const senderOf = ({ sendingApplication, sendingFacility, controlId, contentHash }: Envelope) => ({
  application: text(sendingApplication),
  facility: text(sendingFacility),
  control_id: text(controlId),
  hash: contentHash,
});

/** The statements of kept HL7 messages inside one transaction. */
export function messageStatements(trx: Knex.Transaction) {
  return {
    /**
     * For each of these frames, no two of them the same, the acknowledgment it got when it came before, else the id to
     * keep it under. Under {@link lockLinking}.
     */
    async lookUpMessages(envelopes: readonly Envelope[]): Promise<LookedUp[]> {
      const senders = envelopes.map(senderOf);
      const bindings = {
        applications: senders.map(({ application }) => application),
        facilities: senders.map(({ facility }) => facility),
        controlIds: senders.map(({ control_id }) => control_id),
        hashes: senders.map(({ hash }) => hash),
      };
      return query(trx, LOOK_UP_MESSAGES, bindings, LOOKED_UP);
    },

    /** Keeps these frames with their answers. @throws Failure transient where one came by another way meanwhile. */
    async saveMessages(messages: readonly KeptOutcome[], now: Date): Promise<void> {
      if (messages.length === 0) return;
      let first = 1;
      const rows = messages.map(({ id, envelope, outcome }) => {
        const { messageType, remoteAddress, raw } = envelope;
        const row = {
          ...{ id, ...senderOf(envelope), message_type: text(messageType), remote_address: remoteAddress },
          ...{ first, bytes: raw.length, ...outcome, acknowledgment: text(outcome.acknowledgment) },
        };
        first += raw.length;
        return row;
      });
      const frames = Buffer.concat(messages.map(({ envelope }) => envelope.raw));
      const saved = await query(trx, SAVE_MESSAGES, { rows: JSON.stringify(rows), frames, now }, ID_ROW);
      if (saved.length < rows.length) {
        throw new Failure('transient', 'message-kept-meanwhile', 'another has just kept one of these messages');
      }
    },

    lockMessage: async (id: string) => (await query(trx, LOCK_MESSAGE, { id }, KEPT_MESSAGE))[0] ?? null,

    saveReplay: (id: string, { who, why }: By, acknowledgment: string | null, now: Date) =>
      execute(trx, SAVE_REPLAY, { id, who, why, acknowledgment: acknowledgment && text(acknowledgment), now }),
  };
}
