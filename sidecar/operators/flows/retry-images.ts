import { Failure } from '../../platform/rules/failure.ts';
import type { FailedImages } from '../rules/work.ts';
import { checkedBy } from '../rules/by.ts';
import type { By } from '../../audit/rules/who.ts';

export interface RetryTx {
  /** Has these images mirrored as if they had never been tried, and keeps who wanted it; gives how many they are. */
  retryImages(which: FailedImages, by: By, now: Date): Promise<number>;
}

export interface RetryDeps<Tx extends RetryTx> {
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  readonly now: () => Date;
}

/**
 * Has failed images tried again, in one transaction with their jobs: after an upgrade, or once what failed them is
 * mended. Gives how many. Those that are not failed are left alone.
 * @throws Failure permanent, nothing done: `not-failed` where one image or study is named and has none, `who-missing`,
 * `why-missing`, `too-long`.
 */
export async function retryImages<Tx extends RetryTx>(
  deps: RetryDeps<Tx>,
  which: FailedImages,
  said: By,
): Promise<number> {
  const by = checkedBy(said);
  const images = await deps.transaction((tx) => tx.retryImages(which, by, deps.now()));
  if (images === 0 && (which.image !== null || which.studyInstanceUid !== null)) {
    throw new Failure('permanent', 'not-failed', 'no failed image is that, or of that');
  }
  return images;
}
