import { asFailure, retryDelayMs } from '../../platform/rules/failure.ts';
import type { PutOff } from '../../platform/rules/put-off.ts';
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
    }
  /** An earlier call's end is not known. */
  | { readonly state: 'settle'; readonly to: string; readonly body: string; readonly since: Date }
  | { readonly state: 'later'; readonly at: Date }
  /** Sent, failed or held, as now where the number has said STOP: nothing to do. */
  | { readonly state: 'done' };

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
  readonly requeue: (smsId: string, since: Date, reason: string, notBefore: Date, now: Date) => Promise<void>;
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
const LOOK_AGAIN_MS = 30_000;
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
  claim: { to: string; body: string; since: Date },
): Promise<PutOff> {
  const { to, body, since } = claim;
  if (deps.now() < after(since, FIRST_LOOK_MS)) return { again: after(since, FIRST_LOOK_MS) };
  const found = await deps.find({ to, body, since });
  const now = deps.now();
  if (found !== null) {
    await deps.markSent(smsId, since, found.vendorId, now);
    return null;
  }
  if (now < after(since, LAST_LOOK_MS)) return { again: after(now, LOOK_AGAIN_MS) };
  await deps.requeue(smsId, since, 'not-taken', now, now);
  return { again: now };
}

async function send(
  deps: SendSmsDeps,
  smsId: string,
  claim: { to: string; body: string; since: Date; attempt: number; lookFrom: Date | null },
): Promise<PutOff> {
  const { to, body, since, attempt, lookFrom } = claim;
  if (lookFrom !== null) {
    try {
      const found = await deps.find({ to, body, since: lookFrom });
      if (found !== null) {
        await deps.markSent(smsId, since, found.vendorId, deps.now());
        return null;
      }
    } catch (error) {
      const notBefore = after(deps.now(), retryDelayMs(attempt, deps.random(), 10_000, 3_600_000));
      await deps.requeue(smsId, since, asFailure(error).code, notBefore, deps.now());
      return { again: notBefore };
    }
  }
  let refusal: Refusal;
  try {
    const { vendorId } = await deps.send({ to, body });
    await deps.markSent(smsId, since, vendorId, deps.now());
    return null;
  } catch (error) {
    // Whatever else went wrong, the row not being changed among it, the vendor may have taken the text.
    if (!(error instanceof Refusal)) return { again: after(since, FIRST_LOOK_MS) };
    refusal = error;
  }
  const now = deps.now();
  if (refusal.kind === 'permanent' || attempt >= MAX_ATTEMPTS) {
    const mark = refusal.meaning === 'opted-out' && deps.hearsStart ? deps.markOptedOut : deps.markFailed;
    await mark(smsId, since, refusal.code, now);
    return null;
  }
  const notBefore = after(now, retryDelayMs(attempt, deps.random(), 10_000, 3_600_000));
  await deps.requeue(smsId, since, refusal.code, notBefore, now);
  return { again: notBefore };
}
