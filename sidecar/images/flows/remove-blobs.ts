import type { BlobStore } from '../rules/blob-store.ts';
import { blobNames } from '../rules/rendering.ts';

export interface RemoveBlobsDeps {
  /** Whether there is (again) an image of that Orthanc id. */
  readonly isKnown: (orthancId: string) => Promise<boolean>;
  readonly removeBlob: BlobStore['remove'];
  readonly markBlobsRemoved: (orthancId: string, now: Date) => Promise<void>;
  /** Has an image of that Orthanc id, if there is one, mirrored once more. */
  readonly mirrorAgain: (orthancId: string) => Promise<void>;
  readonly now: () => Date;
}

/**
 * Removes both blobs of an image that is gone from Orthanc, unless it is there again; one that comes back meanwhile is
 * mirrored once more. Idempotent.
 */
export async function removeBlobs(deps: RemoveBlobsDeps, orthancId: string): Promise<void> {
  if (await deps.isKnown(orthancId)) return;
  const { image, thumbnail } = blobNames(orthancId);
  await deps.removeBlob(image);
  await deps.removeBlob(thumbnail);
  await deps.markBlobsRemoved(orthancId, deps.now());
  await deps.mirrorAgain(orthancId);
}
