import type { Log } from '../platform/log.ts';
import type { Failure } from '../platform/rules/failure.ts';
import { failed, mayPass, OPEN, passed, undecided, type Gate } from '../platform/rules/gate.ts';
import type { TextGates } from './flows/send.ts';
import { countryOf } from './rules/country.ts';
import { Refusal } from './rules/vendor.ts';

/** One refusal of this kind is clear. */
const LIMITS = { restsAfter: 1, shortestMs: 60_000, longestMs: 3_600_000 };
/** A call or two that come to nothing may be the line's trouble: a vendor that is away fails every one. */
const AWAY_LIMITS = { ...LIMITS, restsAfter: 3 };
/** What waits comes back a little apart. */
const BACK_WITHIN_MS = 2_000;
const ACCOUNT = 'account';

/**
 * What all texts, or those to one country, wait behind while the vendor takes none of them: one failure each, one line in
 * the log at the beginning and the end. One text now and then sees whether it works again, after an hour at most.
 */
export function createTextGates(parts: {
  readonly failures: {
    readonly save: (subject: string, failure: Failure, now: Date) => Promise<void>;
    readonly clear: (subject: string) => Promise<void>;
  };
  readonly log?: Pick<Log, 'error' | 'info'>;
  readonly now: () => Date;
  readonly random: () => number;
}): TextGates {
  const { failures, log, now, random } = parts;
  const gates = new Map<string, Gate>();
  // A row of a process before this one is cleared by the first text that goes out.
  const cleared = new Set<string>();
  const gateOf = (subject: string): Gate => gates.get(subject) ?? OPEN;
  const subjects = (to: string): string[] => [ACCOUNT, `country ${countryOf(to)}`];

  const works = async (subject: string): Promise<void> => {
    const rested = gateOf(subject).restsUntil !== null;
    gates.set(subject, OPEN);
    if (cleared.has(subject) && !rested) return;
    await failures.clear(subject);
    cleared.add(subject);
    if (rested) log?.info({ subject }, 'texts are taken again');
  };
  const refused = async (subject: string, failure: Failure, usual = LIMITS): Promise<void> => {
    const before = gateOf(subject);
    const after = failed(before, now().getTime(), random(), before.restsUntil === null ? usual : LIMITS);
    gates.set(subject, after);
    if (after.restsUntil === null) return;
    cleared.delete(subject);
    if (before.restsUntil === null) log?.error({ subject, code: failure.code }, 'texts are not taken: they wait');
    await failures.save(subject, failure, now());
  };

  const restsUntil = (all: readonly string[]): Date | null => {
    const at = now().getTime();
    const closed = all.map(gateOf).filter((gate) => !mayPass(gate, at));
    if (closed.length === 0) return null;
    const until = Math.max(at, ...closed.map((gate) => gate.restsUntil ?? 0));
    return new Date(until + Math.round(BACK_WITHIN_MS * (0.5 + random() / 2)));
  };
  return {
    waits: (to) => restsUntil(to === null ? [ACCOUNT] : subjects(to)),
    begins: (to) => {
      for (const subject of subjects(to)) gates.set(subject, passed(gateOf(subject)));
    },
    async ended(to, failure) {
      const [, country = ''] = subjects(to);
      if (failure instanceof Refusal && failure.meaning === 'this-account') {
        gates.set(country, undecided(gateOf(country)));
        await refused(ACCOUNT, failure);
      } else if (failure instanceof Refusal && failure.meaning === 'this-country') {
        await works(ACCOUNT);
        await refused(country, failure);
      } else if (failure !== null && (!(failure instanceof Refusal) || failure.meaning === 'away')) {
        gates.set(country, undecided(gateOf(country)));
        await refused(ACCOUNT, failure, AWAY_LIMITS);
      } else if (failure === null) {
        await works(ACCOUNT);
        await works(country);
      } else {
        for (const subject of [ACCOUNT, country]) gates.set(subject, undecided(gateOf(subject)));
      }
    },
  };
}
