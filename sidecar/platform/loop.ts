import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from './log.ts';
import { asFailure, retryDelayMs } from './rules/failure.ts';

const SOON_MS = 100;

/** Runs `step` until stopped: at once again or `soon` while it says so, else after `waitMs`; after failures ever later. */
export async function loop(
  step: () => Promise<'again' | 'soon' | 'wait'>,
  options: {
    readonly stop: AbortSignal;
    readonly waitMs: number;
    readonly random: () => number;
    readonly onFailure: (error: unknown, times: number) => void;
    /** Asked before each step: a signal that says that it is wanted once more, from then on. */
    readonly wanted?: () => AbortSignal;
  },
): Promise<void> {
  let failures = 0;
  while (!options.stop.aborted) {
    let waitMs = options.waitMs;
    const wanted = options.wanted?.();
    try {
      const next = await step();
      failures = 0;
      if (next === 'again') continue;
      if (next === 'soon') waitMs = Math.min(SOON_MS, waitMs);
    } catch (error) {
      failures += 1;
      options.onFailure(error, failures);
      waitMs = retryDelayMs(failures, options.random());
    }
    const signal = wanted === undefined ? options.stop : AbortSignal.any([options.stop, wanted]);
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
  }
}

/** An `onFailure` of {@link loop} that logs a warning, by code: a message may quote what came from outside. */
export const warning =
  (log: Pick<Log, 'warn'>, what: string) =>
  (error: unknown, times: number): void => {
    const { code, kind } = asFailure(error);
    log.warn({ code, kind, times }, what);
  };

/** Tries `step` again after transient failures, for `limitMs` at most, then lets the last one out. */
export async function patiently<T>(
  step: () => Promise<T>,
  options: {
    readonly limitMs: number;
    readonly now: () => Date;
    readonly random: () => number;
    readonly onFailure: (code: string) => void;
  },
): Promise<T> {
  const deadline = options.now().getTime() + options.limitMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await step();
    } catch (error) {
      const failure = asFailure(error);
      if (failure.kind === 'permanent' || options.now().getTime() > deadline) throw error;
      options.onFailure(failure.code);
      await sleep(retryDelayMs(attempt, options.random(), 250, 5000));
    }
  }
}
