import { addressKey, plainAddress } from '../../platform/rules/address.ts';
/** Somebody who was not let in. `code` says why, without anything that the stranger sent. */
export interface Refusal {
  /** Where: `upload`, `operator`, `hl7`, … */
  readonly what: string;
  /** The address. */
  readonly from: string;
  readonly code: string;
}

export interface CountedRefusal extends Refusal {
  /** How many this tells of. */
  readonly count: number;
}

export interface RefusalCounts {
  /** Counts one; gives what is to be written now. */
  readonly take: (refusal: Refusal, now: Date) => CountedRefusal | null;
  /** What was only counted and whose time has come; of everything with `all`. */
  readonly due: (now: Date, all?: boolean) => CountedRefusal[];
}

const OTHERS = 'others';

/**
 * Lets nobody fill the log by being refused: of one network, place and code the first refusal is told at once and those
 * of the next `windowMs` as one when that is over; of no more than `maxSources` at once, all others as one.
 */
export function createRefusalCounts(options: {
  readonly windowMs: number;
  readonly maxSources: number;
}): RefusalCounts {
  const { windowMs, maxSources } = options;
  const windows = new Map<string, { refusal: Refusal; count: number; endsAt: number }>();
  return {
    take(refusal, now) {
      const own = `${addressKey(refusal.from)} ${refusal.what} ${refusal.code}`;
      const known = windows.has(own) || windows.size < maxSources;
      const key = known ? own : OTHERS;
      const window = windows.get(key);
      if (window !== undefined) {
        window.count += 1;
        return null;
      }
      const kept = known
        ? { ...refusal, from: plainAddress(refusal.from) }
        : { what: OTHERS, from: OTHERS, code: OTHERS };
      windows.set(key, { refusal: kept, count: 0, endsAt: now.getTime() + windowMs });
      return { ...kept, count: 1 };
    },
    due(now, all = false) {
      const told: CountedRefusal[] = [];
      for (const [key, window] of windows) {
        if (!all && window.endsAt > now.getTime()) continue;
        if (window.count === 0 || all) windows.delete(key);
        if (window.count > 0) told.push({ ...window.refusal, count: window.count });
        window.count = 0;
        window.endsAt = now.getTime() + windowMs;
      }
      return told;
    },
  };
}
