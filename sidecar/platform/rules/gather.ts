export interface GatherOptions<T> {
  /** So many things are taken together at most. */
  readonly most: number;
  /** They weigh no more than that together, but for one that alone does. */
  readonly mostWeight: number;
  readonly weigh: (thing: T) => number;
  /** Takes that are in work at once at most: more than one only where one is overdue. */
  readonly mostTakes: number;
  /** Settles when nobody is to wait for this take any longer: it is done, or overdue. Never rejects. */
  readonly patience: (take: Promise<unknown>) => Promise<unknown>;
  /** Runs it once all that is there by now has come in. */
  readonly soon: (begin: () => void) => void;
}

/**
 * Gathers what comes while something is in work, to be taken together next, in the order it came. `take` gives what each
 * comes to, by position; where it rejects, each of them does.
 */
export function gather<T, R>(
  take: (things: readonly T[]) => Promise<readonly R[]>,
  options: GatherOptions<T>,
): (thing: T) => Promise<R> {
  const { most, mostWeight, weigh, mostTakes, patience, soon } = options;
  interface Waiting {
    readonly thing: T;
    readonly resolve: (result: Promise<R>) => void;
  }
  const waiting: Waiting[] = [];
  let busy = false;
  let takes = 0;
  const next = (): Waiting[] => {
    let [count, weight] = [0, 0];
    for (const { thing } of waiting.slice(0, most)) {
      weight += weigh(thing);
      if (count > 0 && weight > mostWeight) break;
      count += 1;
    }
    return waiting.splice(0, count);
  };
  const begin = (): void => {
    if (busy || takes >= mostTakes || waiting.length === 0) return;
    busy = true;
    soon(() => {
      const together = next();
      takes += 1;
      const taken = take(together.map(({ thing }) => thing));
      for (const [index, { resolve }] of together.entries()) resolve(taken.then((results) => at(results, index)));
      const ended = (): void => {
        takes -= 1;
        begin();
      };
      taken.then(ended, ended);
      void patience(taken).then(() => {
        busy = false;
        begin();
      });
    });
  };
  return (thing) => {
    const { promise, resolve } = Promise.withResolvers<R>();
    waiting.push({ thing, resolve });
    begin();
    return promise;
  };
}

function at<R>(results: readonly R[], index: number): R {
  const [result] = results.slice(index, index + 1);
  if (result === undefined) throw new RangeError('something was taken and came to nothing');
  return result;
}
