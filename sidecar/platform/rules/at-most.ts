/** Runs what it is given, some of it at once, the rest in the order it came; gives what that gives. */
export type AtMost = <T>(work: () => Promise<T>) => Promise<T>;

/** An {@link AtMost} of `most` at once. */
export function atMost(most: number): AtMost {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running < most) running += 1;
    else {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
