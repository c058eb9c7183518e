import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen } from '../../platform/net/listen.ts';
import twilio from 'twilio';

export interface SandboxMessage {
  readonly sid: string;
  readonly to: string;
  readonly body: string;
  readonly at: Date;
}

/** How the sandbox treats the next messages; `take` keeps the message, the others do not unless they say so. */
export type SandboxBehaviour =
  | { readonly kind: 'take' }
  | { readonly kind: 'refuse'; readonly status: number; readonly code: number }
  | { readonly kind: 'hang' | 'reset' | 'nonsense'; readonly afterTaking: boolean };

/** One status callback of a message. */
export interface SandboxReceipt {
  readonly status: string;
  readonly errorCode?: number;
}

/** What the sandbox tells of a message that names a StatusCallback, in that order, once it was answered or before. */
export interface SandboxDelivery {
  readonly receipts: readonly SandboxReceipt[];
  readonly beforeAnswer?: boolean;
}

/** A receipt that was posted, and the status it was answered with; `null`: with none. */
export interface PostedReceipt extends SandboxReceipt {
  readonly sid: string;
  readonly answer: number | null;
}

/** How the account stands, which the next messages are treated by. */
export interface SandboxAccount {
  /** Bodies are not kept: lists show none. */
  readonly redacted?: boolean;
  /** Each body is listed behind {@link TRIAL_PREFIX}, as it is sent. */
  readonly trial?: boolean;
  /** Numbers that begin so are refused: 21408, no permission for that country. */
  readonly barred?: readonly string[];
  /** Whatever is asked is answered 503, nothing is taken. */
  readonly away?: boolean;
}

/** What Twilio puts before each text of a trial account. */
export const TRIAL_PREFIX = 'Sent from your Twilio trial account - ';

export interface SmsSandbox extends AsyncDisposable {
  readonly url: string;
  readonly messages: readonly SandboxMessage[];
  /** For each of the next messages in turn; `take` when there are no more. */
  behave(...next: SandboxBehaviour[]): void;
  /** Until it is set otherwise. */
  set(account: SandboxAccount): void;
  readonly posted: readonly PostedReceipt[];
  /** For each of the next messages that are taken; sent and delivered when there are no more. */
  deliver(...next: SandboxDelivery[]): void;
}

/** As many as are kept: it is no archive. */
const MAX_MESSAGES = 10_000;
const MAX_BODY_BYTES = 16_384;

const ACCOUNT_PATH = /^\/2010-04-01\/Accounts\/(AC[0-9a-f]{32})\.json$/;
const PATH = /^\/2010-04-01\/Accounts\/[^/]+\/Messages\.json$/;

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let body = '';
  for await (const chunk of request) {
    body += String(chunk);
    if (body.length > MAX_BODY_BYTES) break;
  }
  return new URLSearchParams(body);
}

const NO_PERMISSION: SandboxBehaviour = { kind: 'refuse', status: 400, code: 21408 };
const DELIVERED: SandboxDelivery = { receipts: [{ status: 'sent' }, { status: 'delivered' }] };
const CALLBACK_TIMEOUT_MS = 15_000;

/** The caller's own token, which Twilio would know: the SDK sends it as the password. */
function tokenOf(request: IncomingMessage): string {
  const [, credentials = ''] = (request.headers.authorization ?? '').split(' ');
  return Buffer.from(credentials, 'base64').toString('utf8').split(':').slice(1).join(':');
}

/** Posts fields as Twilio does, signed. Gives the status of the answer, `null` where there is none. */
export async function postSigned(
  url: string,
  authToken: string,
  fields: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<number | null> {
  const timeout = AbortSignal.timeout(CALLBACK_TIMEOUT_MS);
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'X-Twilio-Signature': twilio.getExpectedTwilioSignature(authToken, url, { ...fields }) },
      body: new URLSearchParams(fields),
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    });
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return null;
  }
}

function resource({ sid, to, body: sent, at }: SandboxMessage, { redacted, trial }: SandboxAccount): object {
  const date = at.toUTCString();
  const body = redacted === true ? '' : `${trial === true ? TRIAL_PREFIX : ''}${sent}`;
  return { sid, to, body, status: 'sent', date_created: date, date_updated: date, date_sent: date, error_code: null };
}

/**
 * A stand-in of Twilio's Messages API (create, list and status callbacks) and of an account's resource that takes every message and sends none, for
 * the real SDK to talk to: what the sidecar uses without Twilio credentials, what the demo shows, and what tests script.
 */
export async function startSmsSandbox(options: { host: string; port: number; now: () => Date }): Promise<SmsSandbox> {
  const messages: SandboxMessage[] = [];
  const script: SandboxBehaviour[] = [];
  const deliveries: SandboxDelivery[] = [];
  const posted: PostedReceipt[] = [];
  const posting = new Set<Promise<void>>();
  const closing = new AbortController();
  let account: SandboxAccount = {};

  const post = async (callback: string, token: string, sid: string, receipts: readonly SandboxReceipt[]) => {
    for (const { status, errorCode } of receipts) {
      const common = { MessageSid: sid, SmsSid: sid, MessageStatus: status, SmsStatus: status };
      const fields = { ...common, ...(errorCode !== undefined && { ErrorCode: String(errorCode) }) };
      const answer = await postSigned(callback, token, fields, closing.signal);
      posted.push({ sid, status, ...(errorCode !== undefined && { errorCode }), answer });
      posted.splice(0, posted.length - MAX_MESSAGES);
    }
  };

  const reply = (response: ServerResponse, status: number, body: object): void => {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  };
  /** Posts what became of a message, and waits for it where that comes before the answer. */
  const tell = async (callback: string, token: string, sid: string, response: ServerResponse): Promise<void> => {
    const { receipts, beforeAnswer = false } = deliveries.shift() ?? DELIVERED;
    if (beforeAnswer) {
      await post(callback, token, sid, receipts);
      return;
    }
    response.once('close', () => {
      const told = post(callback, token, sid, receipts).finally(() => posting.delete(told));
      posting.add(told);
    });
  };
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const form = await readForm(request);
    const sid = `SM${randomBytes(16).toString('hex')}`;
    const message = { sid, to: form.get('To') ?? '', body: form.get('Body') ?? '', at: options.now() };
    const isBarred = account.barred?.some((prefix) => message.to.startsWith(prefix)) === true;
    const behaviour = isBarred ? NO_PERMISSION : (script.shift() ?? { kind: 'take' });
    if (behaviour.kind === 'take' || ('afterTaking' in behaviour && behaviour.afterTaking)) {
      messages.push(message);
      messages.splice(0, messages.length - MAX_MESSAGES);
      const callback = form.get('StatusCallback');
      if (callback !== null) await tell(callback, tokenOf(request), sid, response);
    }
    if (behaviour.kind === 'take') reply(response, 201, resource(message, account));
    if (behaviour.kind === 'refuse') {
      reply(response, behaviour.status, { status: behaviour.status, code: behaviour.code, message: 'refused' });
    }
    if (behaviour.kind === 'reset') request.socket.destroy();
    if (behaviour.kind === 'nonsense')
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<html>busy</html>');
  };
  const list = (url: URL, response: ServerResponse): void => {
    const to = url.searchParams.get('To');
    const listed = messages.filter((message) => to === null || message.to === to).toReversed();
    const shown = listed.map((message) => resource(message, account));
    reply(response, 200, { messages: shown, page: 0, page_size: listed.length, next_page_uri: null });
  };

  /** The account; refuses where it would refuse the next message, instead of that. */
  const tellAccount = (sid: string, response: ServerResponse): void => {
    const refusal = script[0]?.kind === 'refuse' ? script.shift() : undefined;
    if (refusal?.kind !== 'refuse')
      reply(response, 200, {
        ...{ sid, status: 'active', friendly_name: 'sandbox' },
        type: account.trial === true ? 'Trial' : 'Full',
      });
    else reply(response, refusal.status, { status: refusal.status, code: refusal.code, message: 'refused' });
  };

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://sandbox');
    const [, accountSid] = ACCOUNT_PATH.exec(url.pathname) ?? [];
    if (account.away === true) reply(response, 503, { status: 503, code: 20503, message: 'away' });
    else if (accountSid !== undefined && request.method === 'GET') tellAccount(accountSid, response);
    else if (!PATH.test(url.pathname)) reply(response, 404, { status: 404, code: 20404, message: 'not found' });
    else if (request.method === 'GET') list(url, response);
    else void take(request, response).catch(() => request.socket.destroy());
  });
  const port = await listen(server, options.port, options.host);
  return {
    url: `http://${options.host}:${port}`,
    messages,
    behave: (...next) => void script.push(...next),
    set: (next) => void (account = next),
    posted,
    deliver: (...next) => void deliveries.push(...next),
    async [Symbol.asyncDispose]() {
      closing.abort();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      await Promise.all(posting);
    },
  };
}
