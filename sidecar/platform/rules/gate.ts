import { retryDelayMs } from './failure.ts';

/**
 * What is known of a service that much work waits for. It rests after some failures in a row: nobody calls it until
 * `restsUntil`, then one does to see, while the others go on waiting.
 */
export interface Gate {
  /** Failures since it worked last. */
  readonly failures: number;
  /** Milliseconds of the epoch; `null` while it works. */
  readonly restsUntil: number | null;
  /** One call is out to see whether it works again. */
  readonly probing: boolean;
}

export const OPEN: Gate = { failures: 0, restsUntil: null, probing: false };

export interface GateLimits {
  /** Fewer failures in a row may be one caller's own trouble. */
  readonly restsAfter: number;
  readonly shortestMs: number;
  readonly longestMs: number;
}

const USUAL: GateLimits = { restsAfter: 3, shortestMs: 1000, longestMs: 300_000 };

/** Whether a call may go out at `now`. */
export function mayPass({ restsUntil, probing }: Gate, now: number): boolean {
  return restsUntil === null || (now >= restsUntil && !probing);
}

/** After a call that {@link mayPass} has gone out. */
export function passed(gate: Gate): Gate {
  return gate.restsUntil === null ? gate : { ...gate, probing: true };
}

/** After a call that the service failed: one that was out before a rest began prolongs it no further. */
export function failed(gate: Gate, now: number, random: number, limits: GateLimits = USUAL): Gate {
  if (gate.restsUntil !== null && !gate.probing) return gate;
  const failures = gate.failures + 1;
  const { restsAfter, shortestMs, longestMs } = limits;
  if (failures < restsAfter) return { ...gate, failures };
  const rest = retryDelayMs(failures - restsAfter + 1, random, shortestMs, longestMs);
  return { failures, restsUntil: now + rest, probing: false };
}

/** After a call that ended without a word on the service: the next one may see. */
export function undecided(gate: Gate): Gate {
  return { ...gate, probing: false };
}
