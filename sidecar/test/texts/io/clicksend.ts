import { z } from 'zod';
import { Failure, httpFailureKind } from '../../../platform/rules/failure.ts';
import type { TextVendors } from '../../../texts/gateway.ts';
import { Refusal, type RefusalMeaning, type TextGateway } from '../../../texts/rules/vendor.ts';

/** ClickSend's words for one text of a request, which is answered 200 whatever becomes of its texts. */
const STATUSES: ReadonlyMap<string, RefusalMeaning> = new Map([
  ['INVALID_RECIPIENT', 'this-number'],
  ['COUNTRY_NOT_ENABLED', 'this-country'],
  ['INSUFFICIENT_CREDIT', 'this-account'],
  ['ACCOUNT_NOT_ACTIVATED', 'this-account'],
  ['MISSING_CREDENTIALS', 'this-account'],
  ['INVALID_CREDENTIALS', 'this-account'],
  ['THROTTLED', 'later'],
  ['EMPTY_MESSAGE', 'permanent'],
  ['INVALID_SENDER_ID', 'permanent'],
  ['MISSING_REQUIRED_FIELDS', 'permanent'],
]);

const SENT = z.object({
  data: z.object({ messages: z.tuple([z.object({ status: z.string(), message_id: z.string().optional() })]) }),
});
const HISTORY = z.object({
  data: z.object({
    last_page: z.number(),
    data: z.array(z.object({ message_id: z.string(), to: z.string(), body: z.string(), date: z.coerce.number() })),
  }),
});
const ACCOUNT = z.object({ data: z.object({ active: z.coerce.number(), banned: z.coerce.number() }) });

const CLOCK_SKEW_MS = 60_000;
const PAGE = 100;
/** More texts to all numbers since then than can be: what is found only in a part of the list is not found. */
const MAX_PAGES = 100;

/** What a status of HTTP means; `null` where the text may have been taken. */
function meaningOf(status: number): RefusalMeaning | null {
  if (status === 401 || status === 403) return 'this-account';
  if (status === 429) return 'later';
  return status >= 400 && status < 500 ? 'permanent' : null;
}

/** ClickSend's REST API, version 3; a call ends within `timeoutMs`. Codes are such as `clicksend-INVALID_RECIPIENT`. */
export function createClickSend(options: {
  readonly username: string;
  readonly apiKey: string;
  readonly apiUrl: string;
  readonly timeoutMs: number;
}): TextGateway {
  const { username, apiKey, apiUrl, timeoutMs } = options;
  const authorization = `Basic ${Buffer.from(`${username}:${apiKey}`).toString('base64')}`;

  const call = async <T>(path: string, schema: z.ZodType<T>, body?: object): Promise<T> => {
    const idempotent = body === undefined;
    const unclear = (code: string) =>
      new Failure(idempotent ? 'transient' : 'ambiguous', `clicksend-${code}`, `ClickSend: ${code}`);
    const request = {
      headers: { Authorization: authorization, 'Content-Type': 'application/json' },
      signal: AbortSignal.timeout(timeoutMs),
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    };
    const answer = await fetch(`${apiUrl}${path}`, request).catch((error: unknown) => {
      const cause = error instanceof Error ? error.cause : undefined;
      const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : 'timeout';
      if (httpFailureKind({ code, idempotent: false }) !== 'transient') throw unclear(code);
      throw new Refusal('later', `clicksend-${code}`, `ClickSend: ${code}`);
    });
    if (answer.status !== 200) {
      const meaning = meaningOf(answer.status);
      if (meaning === null) throw unclear(String(answer.status));
      throw new Refusal(meaning, `clicksend-${answer.status}`, `ClickSend answered ${answer.status}`);
    }
    const read = schema.safeParse(await answer.json().catch(() => null));
    if (!read.success) throw unclear('nonsense');
    return read.data;
  };

  return {
    async send({ to, body }) {
      const { data } = await call('/v3/sms/send', SENT, { messages: [{ source: 'sidecar', to, body }] });
      const [{ status, message_id: vendorId }] = data.messages;
      if (status === 'SUCCESS' && vendorId !== undefined) return { vendorId };
      const [meaning, code] = [STATUSES.get(status), `clicksend-${status}`];
      if (meaning !== undefined) throw new Refusal(meaning, code, `ClickSend: ${status}`);
      throw new Failure('ambiguous', code, `ClickSend: ${status}, which is not known`);
    },
    async find({ to, body, since }) {
      const earliest = Math.floor((since.getTime() - CLOCK_SKEW_MS) / 1000);
      for (let page = 1; page <= MAX_PAGES; page += 1) {
        const query = new URLSearchParams({ date_from: `${earliest}`, page: `${page}`, limit: `${PAGE}` });
        const { data } = await call(`/v3/sms/history?${query.toString()}`, HISTORY);
        const found = data.data.find((one) => one.to === to && one.body === body && one.date >= earliest);
        if (found !== undefined) return { vendorId: found.message_id };
        if (page >= data.last_page) return null;
      }
      throw new Failure('transient', 'clicksend-history', 'ClickSend: the history does not end');
    },
    async check() {
      const { active, banned } = (await call('/v3/account', ACCOUNT)).data;
      const status = banned === 1 ? 'banned' : active === 1 ? 'active' : 'not active';
      return { active: status === 'active', status, trial: false };
    },
    // ClickSend signs none.
    callbacks: null,
  };
}

/** The entry by which {@link createClickSend} joins the vendors, for an account at that address. */
export function clickSendVendor(account: { username: string; apiKey: string; apiUrl: string }): TextVendors {
  return { ClickSend: (_settings, { timeoutMs }) => createClickSend({ ...account, timeoutMs }) };
}
