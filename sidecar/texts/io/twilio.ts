import twilio from 'twilio';
import { Failure, httpFailureKind } from '../../platform/rules/failure.ts';
import { within } from '../../platform/time-limit.ts';

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

export interface SmsGateway {
  /**
   * One call to Twilio, never repeated by itself. @throws Failure: `transient` when it was not taken and may be later,
   * `permanent` with code `twilio-21211` and the like when it never will be, `ambiguous` when it may have been taken.
   */
  readonly send: (message: { to: string; body: string }) => Promise<{ sid: string }>;
  /** Whether the credentials hold, without sending: the account's status (`active`, `suspended`, `closed`) and type. */
  readonly account: () => Promise<{ status: string; type: string }>;
  /** A message to that number with that very text, made at or after `since`: how an ambiguous end is settled. */
  readonly find: (message: { to: string; body: string; since: Date }) => Promise<{ sid: string } | null>;
}

// Twilio error codes that come with a 4xx and pass: too many requests, queue full, credentials or account to be mended.
const PASSING_CODES = new Set([14107, 20001, 20003, 20005, 20429, 21611, 30001, 63018]);

// "Invalid StatusCallback": nothing was sent, and the text is worth more than its receipts.
const BAD_CALLBACK_CODE = 21609;

/** Twilio's list is by day and asks page by page: enough for what one number is sent in two days. */
const MAX_LISTED = 200;

/** Clocks differ: how much earlier than `since` by Twilio's clock a message may have been made. */
const CLOCK_SKEW_MS = 60_000;

function twilioFailure(error: unknown, idempotent: boolean): Failure {
  if (error instanceof twilio.RestException) {
    const { status, code } = error;
    const kind =
      (code !== undefined && PASSING_CODES.has(code)) || status === 401 || status === 403
        ? 'transient'
        : httpFailureKind({ status, idempotent });
    return new Failure(kind, `twilio-${code ?? status}`, `Twilio answered ${status}, code ${code ?? 'none'}`);
  }
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'no-answer';
  return new Failure(httpFailureKind({ code, idempotent }), `twilio-${code}`, `Twilio: ${code}`);
}

/**
 * Whether Twilio, knowing the account's token, signed this request to `url` with these fields (X-Twilio-Signature; see
 * "Validating requests" of Twilio's documentation). Compared in constant time.
 */
export function signedByTwilio(request: {
  readonly authToken: string;
  readonly signature: string;
  readonly url: string;
  readonly fields: Readonly<Record<string, string | string[]>>;
}): boolean {
  return twilio.validateRequest(request.authToken, request.signature, request.url, request.fields);
}

/** Twilio's Messages API by its own SDK; a call ends within `timeoutMs`. */
export function createTwilio(options: TwilioOptions): SmsGateway {
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
      return { sid };
    },
    async account() {
      const { status, type } = await limited(client.api.v2010.accounts(accountSid).fetch(), true);
      return { status, type };
    },
    async find({ to, body, since }) {
      const earliest = since.getTime() - CLOCK_SKEW_MS;
      const listed = await limited(client.messages.list({ to, limit: MAX_LISTED, pageSize: 100 }), true);
      const found = listed.find((one) => one.body === body && one.to === to && one.dateCreated.getTime() >= earliest);
      return found === undefined ? null : { sid: found.sid };
    },
  };
}
