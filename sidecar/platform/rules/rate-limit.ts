export interface RateLimit {
  /**
   * Counts one more of `key` at `now`; gives 0 where it is within the limit, else the seconds (1 or more) until the next
   * may come.
   */
  readonly take: (key: string, now: Date) => number;
}

/** Whoever comes when there is no room to tell any more apart. */
const OTHERS = '';

/**
 * At most `limit` of each key in `windowMs`, counted from its first. Holds at most `maxKeys` keys: those that come when
 * that many are counted share one count.
 */
export function createRateLimit(options: {
  readonly limit: number;
  readonly windowMs: number;
  readonly maxKeys: number;
}): RateLimit {
  const { limit, windowMs, maxKeys } = options;
  const windows = new Map<string, { count: number; readonly endsAt: number }>();
  const forgetEnded = (at: number): void => {
    // In the order in which they began, and so end.
    for (const [key, { endsAt }] of windows) {
      if (endsAt > at) return;
      windows.delete(key);
    }
  };
  return {
    take(key, now) {
      const at = now.getTime();
      forgetEnded(at);
      const own = windows.has(key) || windows.size < maxKeys ? key : OTHERS;
      const window = windows.get(own) ?? { count: 0, endsAt: at + windowMs };
      window.count += 1;
      windows.set(own, window);
      return window.count <= limit ? 0 : Math.max(1, Math.ceil((window.endsAt - at) / 1000));
    },
  };
}
