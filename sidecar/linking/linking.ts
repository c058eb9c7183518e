import { linkStudies, type LinkTx } from './flows/link.ts';
import type { Policy } from './rules/against.ts';

export interface LinkingTx extends LinkTx {
  /** Has the labels of these DICOM studies, and of those of these studies, made right. */
  addLabelJobs(dicomStudyIds: readonly string[], studyIds: readonly string[]): Promise<void>;
}

/** What decides DICOM studies and what follows of it, in the caller's transaction. */
export type Link<Tx> = (
  tx: Tx,
  dicomStudyIds: readonly string[],
  alsoTouched: readonly string[],
  at: Date,
) => Promise<void>;

/** Decides these DICOM studies, then the texts and labels of all that this or the caller touched. */
export function createLink<Tx extends LinkingTx>(
  planTexts: (tx: Tx, studyIds: readonly string[], at: Date) => Promise<void>,
  policy: Policy,
): Link<Tx> {
  return async (tx, dicomStudyIds, alsoTouched, at) => {
    const touched = [...new Set([...alsoTouched, ...(await linkStudies(tx, dicomStudyIds, at, policy))])];
    await planTexts(tx, touched, at);
    await tx.addLabelJobs(dicomStudyIds, touched);
  };
}
