import type { DicomBatch } from '../rules/dicom.ts';

export interface TakeTx {
  /** Until the transaction ends, no other one decides links or changes what they rest on. */
  lockLinking(): Promise<void>;
  /** Upserts DICOM studies with their tags; gives the ids of those that were new or learned something. */
  saveStudies(batch: DicomBatch): Promise<string[]>;
  /** Adds series and images that were not there, with a mirror job for each such image. After the studies are linked. */
  saveImages(batch: DicomBatch): Promise<number>;
  /** Has it looked, from `at` on, whether the instances that others were modified from are still in Orthanc. */
  addLooks(sources: readonly string[], at: Date): Promise<void>;
}

export interface TakeDeps<Tx extends TakeTx> {
  /** Decides these DICOM studies; their labels are made right even where the decision stands: one may be new to them. */
  readonly link: (tx: Tx, dicomStudyIds: readonly string[], now: Date) => Promise<void>;
}

/** How long after a modification it is first looked whether Orthanc has deleted what was modified. */
const FIRST_LOOK_MS = 3_000;

/**
 * Takes instances that Orthanc has, from its feed or the sweep, in the caller's transaction: rows, link decisions and
 * jobs. Gives how many images are new. Idempotent.
 */
export async function takeBatch<Tx extends TakeTx>(
  deps: TakeDeps<Tx>,
  tx: Tx,
  batch: DicomBatch,
  now: Date,
): Promise<number> {
  await tx.lockLinking();
  await deps.link(tx, await tx.saveStudies(batch), now);
  const added = await tx.saveImages(batch);
  const sources = new Set(batch.instances.flatMap(({ modifiedFrom }) => modifiedFrom ?? []));
  if (added > 0) await tx.addLooks([...sources], new Date(now.getTime() + FIRST_LOOK_MS));
  return added;
}
