import pTimeout from 'p-timeout';
import { Failure } from './rules/failure.ts';

/**
 * What `work` gives, if it comes within `limitMs`; else `late` is thrown. The work itself goes on: what it holds must
 * have a limit of its own.
 */
export const within = <T>(work: Promise<T>, limitMs: number, late?: Failure): Promise<T> =>
  pTimeout(work, {
    milliseconds: limitMs,
    // Made when it is needed only: an error's stack costs more than most work.
    fallback: () => {
      throw late ?? new Failure('transient', 'timeout', `no answer within ${limitMs} ms`);
    },
  });

/** Settles when `work` did, well or not, or `limitMs` later at most. Never rejects. */
export async function settledWithin(work: Promise<unknown>, limitMs: number): Promise<void> {
  await within(work, limitMs).catch(() => undefined);
}
