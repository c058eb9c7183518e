/** One thing that the sidecar does to another system, or answers to it, as seen between the two. */
export interface Step {
  readonly name: string;
  /** The other side keeps what it does, whatever becomes of the connection: a commit, a blob, a text. */
  readonly lasts: boolean;
  /** It goes with its transaction where that is not committed. */
  readonly inTransaction: boolean;
}

/**
 * Where to kill: the `nth` time (from 1) that a step of that name comes, `before` the other side sees it, or `after` it
 * did it and before its answer is delivered. For what the sidecar answers: before or after that is delivered.
 */
export interface CrashPoint {
  readonly step: string;
  readonly nth: number;
  /** Counted from this step on; from the arming, where there is none. */
  readonly from?: string | undefined;
  readonly when: 'before' | 'after';
}

/** A recorded step; one that only its answer tells from an idle look has no `before`. */
export type Recorded = Step & { readonly before: boolean };

/** Decides for all proxies of a world what goes through, so that at a crash point nothing at all moves any more. */
export interface Conductor {
  /** A step is asked for. False: it must not reach the other side. */
  asked(step: Step): boolean;
  /** It was done. False: its answer must not be delivered. `named`: only now is it known what it was. */
  answered(step: Step, named?: boolean): boolean;
  /** Waits while steps of that name are held up. */
  pass(name: string): Promise<void>;
  /** Holds up steps of that name from now on; the result lets them go. */
  holdUp(name: string): () => void;
  record(): () => readonly Recorded[];
  /** Settles when the point is reached; everything then stands still until {@link thaw}. */
  arm(point: CrashPoint): Promise<void>;
  thaw(): void;
  /** Called at each thaw: what stood still is gone. */
  onThaw(reset: () => void): void;
}

export function createConductor(): Conductor {
  let frozen = false;
  let recording: Recorded[] | undefined;
  let armed: { readonly point: CrashPoint; readonly hit: () => void; counts: boolean; seen: number } | undefined;
  const resets: (() => void)[] = [];
  const held = new Map<string, Promise<void>>();
  const goesOn = (name: string, when: CrashPoint['when']): boolean => {
    if (frozen) return false;
    if (armed === undefined) return true;
    armed.counts ||= armed.point.from === name;
    if (!armed.counts || armed.point.when !== when || armed.point.step !== name) return true;
    armed.seen += 1;
    if (armed.seen < armed.point.nth) return true;
    frozen = true;
    armed.hit();
    return false;
  };
  return {
    asked(step) {
      if (!frozen) recording?.push({ ...step, before: true });
      return goesOn(step.name, 'before');
    },
    answered(step, named = false) {
      if (named && !frozen) recording?.push({ ...step, before: false });
      return goesOn(step.name, 'after');
    },
    pass: (name) => held.get(name) ?? Promise.resolve(),
    holdUp(name) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      held.set(
        name,
        promise.then(() => undefined),
      );
      return () => {
        held.delete(name);
        resolve(undefined);
      };
    },
    record() {
      const steps: Recorded[] = [];
      recording = steps;
      return () => {
        recording = undefined;
        return steps;
      };
    },
    arm: (point) =>
      new Promise((resolve) => {
        armed = { point, hit: resolve, counts: point.from === undefined, seen: 0 };
      }),
    thaw() {
      for (const reset of resets) reset();
      armed = undefined;
      frozen = false;
    },
    onThaw: (reset) => void resets.push(reset),
  };
}
