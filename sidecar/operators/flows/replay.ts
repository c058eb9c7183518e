import { buildAck } from '../../hl7/rules/ack.ts';
import { isKeptInPart } from '../../hl7/rules/limits.ts';
import { Failure } from '../../platform/rules/failure.ts';
import type { Hl7Message } from '../../hl7/rules/message.ts';
import { isTestMessage } from '../../hl7/rules/test-message.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';
import { checkedBy } from '../rules/by.ts';
import type { By } from '../../audit/rules/who.ts';

export interface StoredMessage {
  readonly raw: Buffer;
  readonly answer: 'AA' | 'AR';
  /** Why it was refused. */
  readonly reason: string | null;
  readonly receivedAt: Date;
  /** When its text was emptied because it was old enough. */
  readonly forgottenAt: Date | null;
}

export interface ReplayTx {
  lockLinking(): Promise<void>;
  /** A kept message, locked until the transaction ends. */
  lockMessage(hl7MessageId: string): Promise<StoredMessage | null>;
  /** The message is applied now; whoever sends it again gets `acknowledgment`. */
  saveReplay(hl7MessageId: string, by: By, acknowledgment: string | null, now: Date): Promise<void>;
}

export interface ReplayDeps<Tx extends ReplayTx> {
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  readonly read: (raw: Buffer) => { readonly message: Hl7Message | null; readonly problem: string | null };
  /** Applies the message, as one that came at `receivedAt`, in place of what it said. @throws Hl7Rejection when it cannot be. */
  readonly apply: (tx: Tx, message: Hl7Message, hl7MessageId: string, receivedAt: Date) => Promise<void>;
  readonly newControlId: () => string;
  readonly now: () => Date;
}

const MAX_ID = /^[1-9]\d{0,17}$/;

/**
 * Reads a kept HL7 message again and applies it under its id, in place of what it said before, as of when it came: the
 * tables end as if it had been read so then. Idempotent. One that was refused and can be applied now counts as accepted.
 * @throws Failure permanent, nothing done: `message-unknown`, `message-forgotten`, `message-cut`, `message-refused` with why it still
 * cannot be applied, `who-missing`, `why-missing`, `too-long`.
 */
export async function replayMessage<Tx extends ReplayTx>(
  deps: ReplayDeps<Tx>,
  hl7MessageId: string,
  said: By,
): Promise<void> {
  const by = checkedBy(said);
  const unknown = new Failure('permanent', 'message-unknown', 'there is no HL7 message of that id');
  if (!MAX_ID.test(hl7MessageId)) throw unknown;
  try {
    await deps.transaction(async (tx) => {
      await tx.lockLinking();
      const kept = await tx.lockMessage(hl7MessageId);
      if (kept === null) throw unknown;
      if (kept.forgottenAt !== null) {
        throw new Failure('permanent', 'message-forgotten', 'its text is not kept any more (RETAIN_HL7_DAYS)');
      }
      if (isKeptInPart(kept.reason)) {
        throw new Failure(
          'permanent',
          'message-cut',
          'only its beginning is kept: send it again (HL7_MAX_FRAME_BYTES)',
        );
      }
      const { message, problem } = deps.read(kept.raw);
      if (message === null || problem !== null) throw new Hl7Rejection(100, problem ?? 'the message cannot be read');
      if (isTestMessage(message)) throw new Hl7Rejection(202, 'it is a test (MSH-11 T), and those have no effect');
      await deps.apply(tx, message, hl7MessageId, kept.receivedAt);
      const now = deps.now();
      const acknowledgment = kept.answer === 'AR' ? buildAck(message, { code: 'AA' }, now, deps.newControlId()) : null;
      await tx.saveReplay(hl7MessageId, by, acknowledgment, now);
    });
  } catch (error) {
    if (!(error instanceof Hl7Rejection)) throw error;
    throw new Failure('permanent', 'message-refused', error.message, { cause: error });
  }
}
