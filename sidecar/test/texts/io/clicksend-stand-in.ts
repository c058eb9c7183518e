import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { z } from 'zod';
import { listen } from '../../../platform/net/listen.ts';

/** What becomes of the next text: a word of ClickSend's, a status of HTTP, or no answer, after taking it or without. */
export type ClickSendEnd = string | number | { readonly silent: 'taken' | 'not-taken' };

export interface TakenText {
  readonly message_id: string;
  readonly to: string;
  readonly body: string;
  /** Seconds, as ClickSend has them. */
  readonly date: number;
}

export interface ClickSendStandIn extends AsyncDisposable {
  readonly url: string;
  /** The texts that were taken. */
  readonly taken: TakenText[];
  /** For each of the next texts in turn; `SUCCESS` when there are no more. */
  readonly ends: ClickSendEnd[];
  /** How many requests asked for something to be sent. */
  readonly asked: () => number;
}

const REQUEST = z.object({ messages: z.tuple([z.object({ to: z.string(), body: z.string() })]) });

/** A stand-in of ClickSend's `sms/send`, `sms/history` and `account`, for one account; its pages are short. */
export async function startClickSendStandIn(options: {
  readonly username: string;
  readonly apiKey: string;
  readonly now: () => Date;
}): Promise<ClickSendStandIn> {
  const taken: TakenText[] = [];
  const ends: ClickSendEnd[] = [];
  let asked = 0;
  const authorization = `Basic ${Buffer.from(`${options.username}:${options.apiKey}`).toString('base64')}`;
  const reply = (response: ServerResponse, status: number, data: unknown): void => {
    const body = { http_code: status, response_code: status === 200 ? 'SUCCESS' : 'ERROR', data };
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  };
  const send = (request: unknown, response: ServerResponse): void => {
    const [{ to, body }] = REQUEST.parse(request).messages;
    asked += 1;
    const end = ends.shift() ?? 'SUCCESS';
    const message = {
      message_id: randomUUID().toUpperCase(),
      to,
      body,
      date: Math.floor(options.now().getTime() / 1000),
    };
    if (end === 'SUCCESS' || (typeof end === 'object' && end.silent === 'taken')) taken.push(message);
    if (typeof end === 'object') response.destroy();
    else if (typeof end === 'number') reply(response, end, null);
    else reply(response, 200, { messages: [{ ...message, status: end }] });
  };
  const history = (query: URLSearchParams, response: ServerResponse): void => {
    const page = Number(query.get('page'));
    const listed = taken.filter(({ date }) => date >= Number(query.get('date_from')));
    reply(response, 200, {
      current_page: page,
      last_page: Math.max(1, listed.length),
      data: listed.slice(page - 1, page),
    });
  };
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://stand-in');
    const asks = `${request.method ?? ''} ${pathname}`;
    if (request.headers.authorization !== authorization) reply(response, 401, null);
    else if (asks === 'GET /v3/account') reply(response, 200, { active: 1, banned: 0, balance: '4.99' });
    else if (asks === 'GET /v3/sms/history') history(searchParams, response);
    else if (asks === 'POST /v3/sms/send')
      void json(request).then((body) => {
        send(body, response);
      });
    else reply(response, 404, null);
  });
  const port = await listen(server, 0, '127.0.0.1');
  return {
    url: `http://127.0.0.1:${port}`,
    taken,
    ends,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
