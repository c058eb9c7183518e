import type { RemoveDeps, RemoveTx } from './flows/remove-deleted.ts';
import { takeBatch, type TakeTx } from './flows/take.ts';
import type { DicomBatch } from './rules/dicom.ts';

export interface TakingParts<Tx> {
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  /** Decides DICOM studies, and the texts of these studies besides those that this touches. */
  readonly link: (tx: Tx, dicomStudyIds: readonly string[], studyIds: readonly string[], at: Date) => Promise<void>;
  /** Whether blobs go with their images. */
  readonly removeBlobs: boolean;
  readonly now: () => Date;
}

/** Takes images in and out. */
export interface Taking<Tx> extends Pick<TakingParts<Tx>, 'transaction'> {
  /** In the caller's transaction; gives how many images are new. Idempotent. */
  readonly take: (tx: Tx, batch: DicomBatch, at: Date) => Promise<number>;
  /** What taking out deleted images needs besides Orthanc. */
  readonly removal: TakingParts<Tx>;
}

export function createTaking<Tx extends TakeTx & RemoveTx>(removal: TakingParts<Tx>): Taking<Tx> {
  const { transaction, link } = removal;
  return {
    transaction,
    take: (tx, batch, at) =>
      takeBatch({ link: (_tx, dicomStudyIds, linkedAt) => link(tx, dicomStudyIds, [], linkedAt) }, tx, batch, at),
    removal: removal satisfies Omit<RemoveDeps<Tx>, 'present'>,
  };
}
