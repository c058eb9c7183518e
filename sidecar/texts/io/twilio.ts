import twilio from 'twilio';
import { z } from 'zod';
import { Failure, httpFailureKind } from '../../platform/rules/failure.ts';
import { within } from '../../platform/time-limit.ts';
import { Refusal, type RefusalMeaning, type TextGateway } from '../rules/vendor.ts';
import { findText } from '../rules/same-text.ts';
import { twilioCallbacks } from './twilio-callbacks.ts';

export interface TwilioOptions {
  readonly accountSid: string;
  readonly authToken: string;
  readonly from?: string | undefined;
  readonly messagingServiceSid?: string | undefined;
  /** Instead of Twilio's own, such as a stand-in's. */
  readonly apiUrl?: string | undefined;
  /** Where Twilio posts what becomes of each text; without it, it is not asked to. */
  readonly statusCallback?: string | undefined;
  readonly timeoutMs: number;
}

/** Twilio's codes that pass, whatever status they come with. */
const PASSING: ReadonlyMap<number | undefined, RefusalMeaning> = new Map([
  [14107, 'later'],
  [20429, 'later'],
  [21611, 'later'],
  [30001, 'later'],
  [63018, 'later'],
  [20001, 'this-account'],
  [20003, 'this-account'],
  [20005, 'this-account'],
  // Not active, a trial's limits, test credentials, no such account; no sender, or none that can be; no such service.
  [10001, 'this-account'],
  [10002, 'this-account'],
  [20008, 'this-account'],
  [20404, 'this-account'],
  [21212, 'this-account'],
  [21603, 'this-account'],
  [21701, 'this-account'],
  [21703, 'this-account'],
  [21704, 'this-account'],
  [21705, 'this-account'],
]);

/** Twilio's codes that do not pass; those that are not here are `permanent`. */
const LASTING: ReadonlyMap<number | undefined, RefusalMeaning> = new Map([
  [21211, 'this-number'],
  [21214, 'this-number'],
  [21217, 'this-number'],
  [21614, 'this-number'],
  [21610, 'opted-out'],
  [21408, 'this-country'],
  [21606, 'this-country'],
  // What 21606 was told apart into: the sender is not one of the account's, or takes no texts.
  [21659, 'this-country'],
  [21660, 'this-country'],
  [21661, 'this-country'],
]);

// "Invalid StatusCallback": nothing was sent, and the text is worth more than its receipts.
const BAD_CALLBACK_CODE = 21609;

/** Twilio's list is by day and asks page by page: enough for what one number is sent in two days. */
const MAX_LISTED = 200;

// A redacted message has none.
const LISTED_BODY = z.string().catch('');

/** Clocks differ: how much earlier than `since` by Twilio's clock a message may have been made. */
const CLOCK_SKEW_MS = 60_000;

/** What Twilio's answer means; `null` where it is an error of its own, after which the text may have been taken. */
function meaningOf(status: number, code: number | undefined): RefusalMeaning | null {
  const passing = PASSING.get(code);
  if (passing !== undefined) return passing;
  if (status === 401 || status === 403) return 'this-account';
  if (status === 429) return 'later';
  return status < 500 ? (LASTING.get(code) ?? 'permanent') : null;
}

function twilioFailure(error: unknown, idempotent: boolean): Failure {
  const unclear = idempotent ? 'transient' : 'ambiguous';
  if (error instanceof twilio.RestException) {
    const { status, code } = error;
    const meaning = meaningOf(status, code);
    const [shown, message] = [`twilio-${code ?? status}`, `Twilio answered ${status}, code ${code ?? 'none'}`];
    return meaning === null ? new Failure(unclear, shown, message) : new Refusal(meaning, shown, message);
  }
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'no-answer';
  const neverReached = httpFailureKind({ code, idempotent: false }) === 'transient';
  const [shown, message] = [`twilio-${code}`, `Twilio: ${code}`];
  return neverReached ? new Refusal('away', shown, message) : new Failure(unclear, shown, message);
}

/** Twilio's Messages API by its own SDK; a call ends within `timeoutMs`. Codes are such as `twilio-21211`. */
export function createTwilio(options: TwilioOptions): TextGateway {
  const { accountSid, authToken, statusCallback, timeoutMs } = options;
  const client = twilio(accountSid, authToken, { timeout: timeoutMs, autoRetry: false, keepAlive: true });
  if (options.apiUrl !== undefined) client.api.baseUrl = options.apiUrl;
  const sender =
    options.messagingServiceSid === undefined
      ? { from: options.from ?? '' }
      : { messagingServiceSid: options.messagingServiceSid };

  const limited = async <T>(call: Promise<T>, idempotent: boolean): Promise<T> => {
    const late = new Failure(idempotent ? 'transient' : 'ambiguous', 'twilio-timeout', 'Twilio: no answer in time');
    try {
      return await within(call, timeoutMs, late);
    } catch (error) {
      throw error instanceof Failure ? error : twilioFailure(error, idempotent);
    }
  };

  return {
    async send({ to, body }) {
      const create = (callback: { statusCallback?: string }) =>
        client.messages.create({ to, body, ...sender, ...callback });
      const withCallback = (url: string) =>
        create({ statusCallback: url }).catch((error: unknown) => {
          if (error instanceof twilio.RestException && error.code === BAD_CALLBACK_CODE) return create({});
          throw error;
        });
      const { sid } = await limited(statusCallback === undefined ? create({}) : withCallback(statusCallback), false);
      if (typeof sid !== 'string' || sid === '') {
        throw new Failure('ambiguous', 'twilio-nonsense', 'Twilio answered without a message SID');
      }
      return { vendorId: sid };
    },
    async find(text) {
      const listed = await limited(client.messages.list({ to: text.to, limit: MAX_LISTED, pageSize: 100 }), true);
      return findText(
        listed.map(({ sid, to, body, dateCreated }) => ({
          vendorId: sid,
          to,
          body: LISTED_BODY.parse(body),
          at: dateCreated,
        })),
        text,
        CLOCK_SKEW_MS,
      );
    },
    async check() {
      const { status, type } = await limited(client.api.v2010.accounts(accountSid).fetch(), true);
      return { active: status === 'active', status, trial: type === 'Trial' };
    },
    callbacks: twilioCallbacks(authToken),
  };
}
