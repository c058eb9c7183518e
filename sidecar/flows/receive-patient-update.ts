import { readPatientMessage } from '../core/adt.ts';
import type { Hl7Message } from '../core/hl7-message.ts';
import type { Hl7Settings } from '../core/hl7-settings.ts';
import { saidAt, type MessageFacts } from '../core/ris-facts.ts';

export interface PatientTx {
  lockLinking(): Promise<void>;
  /** Keeps what the message says and folds what it bears on anew; gives the ids of those RIS studies. */
  keepFacts(hl7MessageId: string, facts: MessageFacts, now: Date): Promise<string[]>;
}

export interface PatientDeps<Tx extends PatientTx> {
  readonly settings: Hl7Settings;
  readonly studiesChanged: (tx: Tx, studyIds: readonly string[], now: Date) => Promise<void>;
}

/**
 * Applies ADT^A08, A31 (and A01, A04, A05, A28) and the merges of A40 in the caller's transaction, then decides anew every
 * link and text of the patient. Everything of a merged patient, known or not, is the survivor's, now and for whatever
 * comes later.
 * @throws Hl7Rejection before anything is written.
 */
export async function receivePatientUpdate<Tx extends PatientTx>(
  deps: PatientDeps<Tx>,
  tx: Tx,
  message: Hl7Message,
  hl7MessageId: string,
  now: Date,
): Promise<void> {
  const update = readPatientMessage(message, deps.settings);
  const merges = update.kind === 'merge' ? update.merges : [];
  await tx.lockLinking();
  const facts = {
    saidAt: saidAt(message, now, deps.settings.timeZone),
    patients: update.kind === 'merge' ? merges.flatMap(({ patient, prior }) => [patient, prior]) : [update.patient],
    merges: merges.map((_, index) => ({ prior: index * 2 + 1, survivor: index * 2 })),
    orders: [],
    reports: [],
  };
  await deps.studiesChanged(tx, await tx.keepFacts(hl7MessageId, facts, now), now);
}
