import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

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

export interface SmsSandbox extends AsyncDisposable {
  readonly url: string;
  readonly messages: readonly SandboxMessage[];
  /** For each of the next messages in turn; `take` when there are no more. */
  behave(...next: SandboxBehaviour[]): void;
}

/** As many as are kept: it is no archive. */
const MAX_MESSAGES = 10_000;
const MAX_BODY_BYTES = 16_384;

const PATH = /^\/2010-04-01\/Accounts\/[^/]+\/Messages\.json$/;

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let body = '';
  for await (const chunk of request) {
    body += String(chunk);
    if (body.length > MAX_BODY_BYTES) break;
  }
  return new URLSearchParams(body);
}

function resource({ sid, to, body, at }: SandboxMessage): object {
  const date = at.toUTCString();
  return { sid, to, body, status: 'sent', date_created: date, date_updated: date, date_sent: date, error_code: null };
}

/**
 * A stand-in of Twilio's Messages API (create and list) that takes every message and sends none, for the real SDK to
 * talk to: what the sidecar uses without Twilio credentials, what the demo shows, and what tests script.
 */
export async function startSmsSandbox(options: { host: string; port: number; now: () => Date }): Promise<SmsSandbox> {
  const messages: SandboxMessage[] = [];
  const script: SandboxBehaviour[] = [];

  const reply = (response: ServerResponse, status: number, body: object): void => {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  };
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const form = await readForm(request);
    const sid = `SM${randomBytes(16).toString('hex')}`;
    const message = { sid, to: form.get('To') ?? '', body: form.get('Body') ?? '', at: options.now() };
    const behaviour = script.shift() ?? { kind: 'take' };
    if (behaviour.kind === 'take' || ('afterTaking' in behaviour && behaviour.afterTaking)) {
      messages.push(message);
      messages.splice(0, messages.length - MAX_MESSAGES);
    }
    if (behaviour.kind === 'take') reply(response, 201, resource(message));
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
    reply(response, 200, { messages: listed.map(resource), page: 0, page_size: listed.length, next_page_uri: null });
  };

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://sandbox');
    if (!PATH.test(url.pathname)) reply(response, 404, { status: 404, code: 20404, message: 'not found' });
    else if (request.method === 'GET') list(url, response);
    else void take(request, response).catch(() => request.socket.destroy());
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return {
    url: `http://${options.host}:${address.port}`,
    messages,
    behave: (...next) => void script.push(...next),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
