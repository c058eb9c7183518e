import { asFailure, retryDelayMs, type Failure } from '../../platform/rules/failure.ts';
import type { PutOff } from '../../platform/rules/put-off.ts';
import type { FoundText } from '../rules/same-text.ts';
import { Refusal, type TextGateway } from '../rules/vendor.ts';
import { nextSendTime, type SmsHours } from '../rules/wording.ts';

export type SmsClaim =
  /** The row says `sending` now and that is committed: call the vendor. `attempt` counts from 1. */
  | {
      readonly state: 'send';
      readonly to: string;
      readonly body: string;
      readonly since: Date;
      readonly attempt: number;
      /** The database was put back from a backup of then: it may have been sent since, unknown to it. */
      readonly lookFrom: Date | null;
      /** Of texts before it, which a person had sent again. */
      readonly except?: readonly string[];
    }
  /** An earlier call's end is not known. */
  | {
      readonly state: 'settle';
      readonly to: string;
      readonly body: string;
      readonly since: Date;
      readonly except?: readonly string[];
    }
  | { readonly state: 'later'; readonly at: Date }
  /** Sent, failed or held, as now where the number has said STOP: nothing to do. */
  | { readonly state: 'done' };

/** What texts wait behind while the vendor takes none, or none to that country. */
export interface TextGates {
  /** Until when; `null`: not at all. Of a text whose number is not known yet only what holds all of them. */
  readonly waits: (to: string | null) => Date | null;
  /** A call goes out. */
  readonly begins: (to: string) => void;
  /** How it ended; `null`: it was taken. */
  readonly ended: (to: string, failure: Failure | null) => Promise<void>;
}

export interface SendSmsDeps {
  /**
   * In one committed transaction, under the row's lock: `queued` and due (and `mayBegin`) becomes `sending` since `now`,
   * so that of two callers only one gets `send`, or `held` where the number has said STOP since it was planned; a row that
   * is `sending` already stays as it is.
   */
  readonly claim: (smsId: string, now: Date, mayBegin: Date) => Promise<SmsClaim>;
  /** Each of these only changes a row that still says `sending` since `since`. */
  readonly markSent: (smsId: string, since: Date, vendorId: string, now: Date) => Promise<void>;
  readonly markFailed: (smsId: string, since: Date, reason: string, now: Date) => Promise<void>;
  /** `markFailed`, and with it that the number wants no texts. */
  readonly markOptedOut: (smsId: string, since: Date, reason: string, now: Date) => Promise<void>;
  /** It waits again, planned anew from the facts as they are now. `isCounted`: as one of its tries. */
  readonly requeue: (
    smsId: string,
    since: Date,
    reason: string,
    notBefore: Date,
    now: Date,
    isCounted: boolean,
  ) => Promise<void>;
  /** Whether the row still says `sending` since `since`: nobody else has settled it. */
  readonly isSending: (smsId: string, since: Date) => Promise<boolean>;
  readonly gates: TextGates;
  readonly send: TextGateway['send'];
  readonly find: TextGateway['find'];
  readonly now: () => Date;
  readonly random: () => number;
  readonly hours: SmsHours;
  readonly timeZone: string;
  /** Whether a START is heard: if not, a number's STOP is left to the vendor, or it would be kept for ever. */
  readonly hearsStart: boolean;
}

/** A call to the vendor has ended by then, one way or the other, and its list has had time to show it. */
export const FIRST_LOOK_MS = 30_000;
/** What the vendor's list does not show by then was not taken. */
export const LAST_LOOK_MS = 180_000;
/** A process that stood still longer than this between its claim and its call looks first: another may have sent it. */
export const CALL_WITHIN_MS = 5_000;
const LOOK_AGAIN_MS = 30_000;
const UNCLEAR = 'end-unclear';
const MAX_ATTEMPTS = 6;

const after = (date: Date, ms: number): Date => new Date(date.getTime() + ms);

/**
 * Sends one text, at most once. The row says `sending`, committed, before the vendor is called; a refusal is final or
 * tried again by its kind; an unclear end leaves the row `sending`, and then the vendor's own list is asked, until it
 * shows the text or has long had the time to, before anything is sent again. After a restore from a backup that list is
 * asked before anything is sent at all. May be killed between any two steps and called again at any time, by several at
 * once too.
 */
export async function sendSms(deps: SendSmsDeps, smsId: string): Promise<PutOff> {
  const now = deps.now();
  const rests = deps.gates.waits(null);
  if (rests !== null) return { again: rests };
  const claim = await deps.claim(smsId, now, nextSendTime(now, deps.hours, deps.timeZone));
  switch (claim.state) {
    case 'done':
      return null;
    case 'later':
      return { again: claim.at };
    case 'settle':
      return settle(deps, smsId, claim);
    case 'send':
      return send(deps, smsId, claim);
  }
}

async function settle(
  deps: SendSmsDeps,
  smsId: string,
  claim: { to: string; body: string; since: Date; except?: readonly string[] },
): Promise<PutOff> {
  const { since } = claim;
  if (deps.now() < after(since, FIRST_LOOK_MS)) return { again: after(since, FIRST_LOOK_MS) };
  let found: FoundText;
  try {
    found = await deps.find(claim);
  } catch (error) {
    const failure = asFailure(error);
    if (failure.kind === 'permanent') throw error;
    await deps.gates.ended(claim.to, failure);
    return { again: deps.gates.waits(claim.to) ?? after(deps.now(), LOOK_AGAIN_MS) };
  }
  const now = deps.now();
  if (found === 'unreadable') {
    await deps.markFailed(smsId, since, UNCLEAR, now);
    return null;
  }
  if (found !== null) {
    await deps.markSent(smsId, since, found.vendorId, now);
    return null;
  }
  if (now < after(since, LAST_LOOK_MS)) return { again: after(now, LOOK_AGAIN_MS) };
  await deps.requeue(smsId, since, 'not-taken', now, now, true);
  return { again: now };
}

async function send(deps: SendSmsDeps, smsId: string, claim: Extract<SmsClaim, { state: 'send' }>): Promise<PutOff> {
  const { to, body, since, attempt, lookFrom } = claim;
  const rests = deps.gates.waits(to);
  if (rests !== null) {
    await deps.requeue(smsId, since, 'vendor-rests', rests, deps.now(), false);
    return { again: rests };
  }
  if (lookFrom !== null) {
    try {
      const found = await deps.find({ ...claim, since: lookFrom });
      if (found === 'unreadable') await deps.markFailed(smsId, since, UNCLEAR, deps.now());
      else if (found !== null) await deps.markSent(smsId, since, found.vendorId, deps.now());
      if (found !== null) return null;
    } catch (error) {
      const failure = asFailure(error);
      await deps.gates.ended(to, failure);
      const notBefore =
        deps.gates.waits(to) ?? after(deps.now(), retryDelayMs(attempt, deps.random(), 10_000, 3_600_000));
      await deps.requeue(smsId, since, failure.code, notBefore, deps.now(), false);
      return { again: notBefore };
    }
  }
  const begun = deps.now();
  if (!(await deps.isSending(smsId, since))) return null;
  // A look at a list may take its time, a process that was frozen takes it unseen.
  if (deps.now() > after(lookFrom === null ? since : begun, CALL_WITHIN_MS))
    return { again: after(since, FIRST_LOOK_MS) };
  deps.gates.begins(to);
  let refusal: Refusal;
  try {
    const { vendorId } = await deps.send({ to, body });
    await deps.markSent(smsId, since, vendorId, deps.now());
    await deps.gates.ended(to, null);
    return null;
  } catch (error) {
    await deps.gates.ended(to, asFailure(error)).catch(() => undefined);
    // Whatever else went wrong, the row not being changed among it, the vendor may have taken the text.
    if (!(error instanceof Refusal)) return { again: after(since, FIRST_LOOK_MS) };
    refusal = error;
  }
  const now = deps.now();
  const closed = deps.gates.waits(to);
  if (['this-account', 'this-country', 'away'].includes(refusal.meaning)) {
    const at = closed ?? after(now, retryDelayMs(attempt, deps.random(), 10_000, 3_600_000));
    await deps.requeue(smsId, since, refusal.code, at, now, false);
    return { again: at };
  }
  if (refusal.kind === 'permanent' || attempt >= MAX_ATTEMPTS) {
    const mark = refusal.meaning === 'opted-out' && deps.hearsStart ? deps.markOptedOut : deps.markFailed;
    await mark(smsId, since, refusal.code, now);
    return null;
  }
  const notBefore = after(now, retryDelayMs(attempt, deps.random(), 10_000, 3_600_000));
  await deps.requeue(smsId, since, refusal.code, notBefore, now, true);
  return { again: notBefore };
}
