import type { PutOff } from '../../platform/rules/put-off.ts';

export interface RemoveTx {
  lockLinking(): Promise<void>;
  /** Takes these images' rows out, and has their blobs removed where that is wanted; gives their DICOM studies' ids. */
  moveDeletedImages(orthancIds: readonly string[], withBlobs: boolean, now: Date): Promise<string[]>;
  /**
   * Takes out what these DICOM studies have no image of any more; one of which nothing is left becomes `deleted`. `left`
   * are the others, `studyIds` the studies that the deleted ones were linked to or claimed.
   */
  removeEmptied(
    dicomStudyIds: readonly string[],
    now: Date,
  ): Promise<{ readonly left: readonly string[]; readonly studyIds: readonly string[] }>;
}

export interface RemoveDeps<Tx extends RemoveTx> {
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  /** Of these instances those that Orthanc has. */
  readonly present: (orthancIds: readonly string[]) => Promise<ReadonlySet<string>>;
  /** Decides what is left of DICOM studies, and the texts of these studies besides those that this touches. */
  readonly link: (tx: Tx, dicomStudyIds: readonly string[], studyIds: readonly string[], now: Date) => Promise<void>;
  readonly removeBlobs: boolean;
  readonly now: () => Date;
}

/**
 * Takes out the rows of those of these instances that Orthanc does not have any more, and decides anew what is left of
 * their DICOM studies, in one transaction. Gives how many there were. Orthanc is asked under the lock that new rows are
 * made under too, so that an instance which was sent again meanwhile is never lost.
 */
export async function removeDeleted<Tx extends RemoveTx>(
  deps: RemoveDeps<Tx>,
  orthancIds: readonly string[],
): Promise<number> {
  if (orthancIds.length === 0) return 0;
  return deps.transaction(async (tx) => {
    await tx.lockLinking();
    const present = await deps.present(orthancIds);
    const gone = orthancIds.filter((id) => !present.has(id));
    if (gone.length === 0) return 0;
    const now = deps.now();
    const touched = await tx.moveDeletedImages(gone, deps.removeBlobs, now);
    const { left, studyIds } = await tx.removeEmptied(touched, now);
    await deps.link(tx, left, studyIds, now);
    return gone.length;
  });
}

export interface LookDeps<Tx extends RemoveTx> extends RemoveDeps<Tx> {
  readonly imagesOf: (dicomStudyId: string) => Promise<readonly string[]>;
}

/** How long after one look the next is; the first is at 3 s, so that they are at 30 s and 5 min. */
const NEXT_LOOKS_MS = [27_000, 270_000];
const PAGE = 1000;

/**
 * Looks whether Orthanc has deleted images of a DICOM study that was modified there, and takes those out. `look` counts
 * from 0; gives when to look again, or `null` when nothing is left or it was looked often enough: the sweep finds what
 * goes later.
 */
export async function lookForDeleted<Tx extends RemoveTx>(
  deps: LookDeps<Tx>,
  dicomStudyId: string,
  look: number,
): Promise<PutOff> {
  const images = await deps.imagesOf(dicomStudyId);
  let left = images.length;
  for (let start = 0; start < images.length; start += PAGE) {
    const page = images.slice(start, start + PAGE);
    const present = await deps.present(page);
    left -= await removeDeleted(
      deps,
      page.filter((id) => !present.has(id)),
    );
  }
  const wait = NEXT_LOOKS_MS[look];
  return left === 0 || wait === undefined ? null : { again: new Date(deps.now().getTime() + wait) };
}
