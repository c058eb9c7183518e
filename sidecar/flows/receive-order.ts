import type { PatientFacts } from '../core/adt.ts';
import type { Hl7Message } from '../core/hl7-message.ts';
import { readOrderMessage, type Hl7Settings, type OrderStatus, type StudyFacts } from '../core/order.ts';

export interface RisTx {
  lockLinking(): Promise<void>;
  /** Makes or changes the RIS patient of that identifier (a merged one: whom it was merged into); gives the row's id. */
  savePatient(patient: PatientFacts, now: Date): Promise<string>;
  /** Makes or changes the RIS study of that accession number; `status` undefined keeps the order's. */
  saveStudy(study: StudyFacts, patientId: string, status: OrderStatus | undefined, now: Date): Promise<string>;
  /** The patient's studies, all of which a changed name or number concerns. */
  studiesOfPatient(patientId: string): Promise<string[]>;
}

export interface RisDeps<Tx extends RisTx> {
  readonly settings: Hl7Settings;
  /** Links and texts that rest on these studies are decided anew. */
  readonly studiesChanged: (tx: Tx, studyIds: readonly string[], now: Date) => Promise<void>;
}

/**
 * Applies ORM^O01 or OMI^O23 in the caller's transaction: patient and studies as the RIS says, then every link and text
 * that rests on them. A cancelled order lets go of nothing.
 * @throws Hl7Rejection before anything is written.
 */
export async function receiveOrder<Tx extends RisTx>(
  deps: RisDeps<Tx>,
  tx: Tx,
  message: Hl7Message,
  now: Date,
): Promise<void> {
  const { patient, orders } = readOrderMessage(message, deps.settings);
  await tx.lockLinking();
  const patientId = await tx.savePatient(patient, now);
  const studyIds: string[] = [];
  for (const { study, status } of orders) studyIds.push(await tx.saveStudy(study, patientId, status, now));
  await deps.studiesChanged(tx, [...new Set([...studyIds, ...(await tx.studiesOfPatient(patientId))])], now);
}
