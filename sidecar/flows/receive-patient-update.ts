import { readPatientMessage, type PatientFacts } from '../core/adt.ts';
import type { Hl7Message } from '../core/hl7-message.ts';
import type { Hl7Settings } from '../core/order.ts';

export interface PatientTx {
  lockLinking(): Promise<void>;
  savePatient(patient: PatientFacts, now: Date): Promise<string>;
  /** Everything of the prior patient, known or not, becomes `patientId`'s, now and for every later message. */
  mergePatients(prior: { externalId: string; issuer: string }, patientId: string, now: Date): Promise<void>;
  studiesOfPatient(patientId: string): Promise<string[]>;
}

export interface PatientDeps<Tx extends PatientTx> {
  readonly settings: Hl7Settings;
  readonly studiesChanged: (tx: Tx, studyIds: readonly string[], now: Date) => Promise<void>;
}

/**
 * Applies ADT^A08, A31 (and A01, A04, A05, A28) and the merge A40 in the caller's transaction, then decides anew every
 * link and text of the patient.
 * @throws Hl7Rejection before anything is written.
 */
export async function receivePatientUpdate<Tx extends PatientTx>(
  deps: PatientDeps<Tx>,
  tx: Tx,
  message: Hl7Message,
  now: Date,
): Promise<void> {
  const update = readPatientMessage(message, deps.settings.phoneRegion);
  await tx.lockLinking();
  const patientId = await tx.savePatient(update.patient, now);
  if (update.kind === 'merge') await tx.mergePatients(update.prior, patientId, now);
  await deps.studiesChanged(tx, await tx.studiesOfPatient(patientId), now);
}
