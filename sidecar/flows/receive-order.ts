import type { Hl7Message } from '../core/hl7-message.ts';
import type { Hl7Settings } from '../core/hl7-settings.ts';
import { readOrderMessage } from '../core/order.ts';
import { saidAt, type MessageFacts } from '../core/ris-facts.ts';

export interface RisTx {
  lockLinking(): Promise<void>;
  /** Keeps what the message says and folds what it bears on anew; gives the ids of those RIS studies. */
  keepFacts(hl7MessageId: string, facts: MessageFacts, now: Date): Promise<string[]>;
}

export interface RisDeps<Tx extends RisTx> {
  readonly settings: Hl7Settings;
  /** Links and texts that rest on these studies are decided anew. */
  readonly studiesChanged: (tx: Tx, studyIds: readonly string[], now: Date) => Promise<void>;
}

/**
 * Applies ORM^O01 or OMI^O23 in the caller's transaction: patient and studies as the RIS says, then every link and text
 * that rests on them. A cancelled order lets go of nothing. Idempotent; what was said later holds, whenever it comes.
 * @throws Hl7Rejection before anything is written.
 */
export async function receiveOrder<Tx extends RisTx>(
  deps: RisDeps<Tx>,
  tx: Tx,
  message: Hl7Message,
  hl7MessageId: string,
  now: Date,
): Promise<void> {
  const { patient, orders } = readOrderMessage(message, deps.settings);
  await tx.lockLinking();
  const facts = {
    saidAt: saidAt(message, now, deps.settings.timeZone),
    patients: [patient],
    merges: [],
    orders: orders.map((order) => ({ patient: 0, ...order })),
    reports: [],
  };
  await deps.studiesChanged(tx, await tx.keepFacts(hl7MessageId, facts, now), now);
}
