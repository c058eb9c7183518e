import type { DicomBatch } from '../rules/dicom.ts';

export interface TakeTx {
  /** Until the transaction ends, no other one decides links or changes what they rest on. */
  lockLinking(): Promise<void>;
  /** Upserts DICOM studies with their tags; gives the ids of those that were new or learned something. */
  saveStudies(batch: DicomBatch): Promise<string[]>;
  /**
   * Brings images that were there up to what Orthanc has of them now, with a mirror job for each whose file is another
   * one, and notes what differs where a file came again. `dicomStudyIds` are those whose images changed; `stored` are the
   * Orthanc ids of images whose file is another one.
   */
  takeAgain(
    batch: DicomBatch,
    now: Date,
  ): Promise<{ readonly dicomStudyIds: readonly string[]; readonly stored: readonly string[] }>;
  /**
   * Keeps what instances say themselves and forgets what none says any more; gives the ids of the DICOM studies of which
   * that is another than before. After {@link takeAgain}.
   */
  saveSaid(batch: DicomBatch, changed: readonly string[]): Promise<string[]>;
  /** Adds series and images that were not there, with a mirror job for each such image. After the studies are linked. */
  saveImages(batch: DicomBatch): Promise<number>;
  /** Notes what differs of images that are new and whose files came again already. After {@link saveImages}. */
  noteFirstDifferences(batch: DicomBatch, now: Date): Promise<void>;
  /** Has it looked, from `at` on, whether all of the studies that these instances are of is still in Orthanc. */
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
 * jobs. Gives how many images are new. Idempotent. What an instance says itself counts in whatever order they come, and a
 * file that is another one under the same identifiers is decided on and drawn anew.
 */
export async function takeBatch<Tx extends TakeTx>(
  deps: TakeDeps<Tx>,
  tx: Tx,
  batch: DicomBatch,
  now: Date,
): Promise<number> {
  await tx.lockLinking();
  const learned = await tx.saveStudies(batch);
  const again = await tx.takeAgain(batch, now);
  const said = await tx.saveSaid(batch, again.dicomStudyIds);
  await deps.link(tx, [...new Set([...learned, ...again.dicomStudyIds, ...said])], now);
  const added = await tx.saveImages(batch);
  await tx.noteFirstDifferences(batch, now);
  const modified = added === 0 ? [] : batch.instances.flatMap(({ modifiedFrom }) => modifiedFrom ?? []);
  // Of a study that was deleted and sent again perhaps not all came.
  const looked = [...new Set([...modified, ...again.stored])];
  if (looked.length > 0) await tx.addLooks(looked, new Date(now.getTime() + FIRST_LOOK_MS));
  return added;
}
