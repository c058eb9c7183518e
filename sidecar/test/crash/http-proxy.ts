import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen } from '../../platform/net/listen.ts';
import type { Conductor, Step } from './conductor.ts';

export interface Proxy extends AsyncDisposable {
  readonly port: number;
}

export interface Exchange {
  readonly method: string;
  readonly url: string;
  readonly body: Buffer;
}

export interface HttpProxyOptions {
  readonly conductor: Conductor;
  readonly port: number;
  /** Who is killed: the one that asks, or the one that answers. */
  readonly sidecar: 'asks' | 'answers';
  readonly step: (exchange: Exchange) => Step;
  /** Of an idle look: the step that it was if its answer brought something, else `null`; of all else `undefined`. */
  readonly look: (exchange: Exchange, answer: Buffer) => Step | null | undefined;
}

async function bytesOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function forward(request: IncomingMessage, body: Buffer, port: number): Promise<[IncomingMessage, Buffer]> {
  const { method, url, headers } = request;
  const going = httpRequest({ host: '127.0.0.1', port, method, path: url, headers, agent: false });
  going.end(body);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  going.once('response', resolve);
  going.once('error', reject);
  const answer = await promise;
  return [answer, await bytesOf(answer)];
}

/** An HTTP proxy on loopback, at `listenPort` or any, that tells the conductor of every request and answer. */
export async function startHttpProxy(options: HttpProxyOptions, listenPort = 0): Promise<Proxy> {
  const { conductor } = options;
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bytesOf(request);
    const exchange = { method: request.method ?? '', url: request.url ?? '', body };
    const step = options.step(exchange);
    const asks = options.sidecar === 'asks';
    const isLook = options.look(exchange, Buffer.alloc(0)) !== undefined;
    await conductor.pass(step.name);
    if (request.socket.destroyed || (asks && !isLook && !conductor.asked(step))) return;
    const [answer, bytes] = await forward(request, body, options.port);
    if (asks) {
      const found = isLook ? options.look(exchange, bytes) : step;
      if (found && !conductor.answered(found, isLook)) return;
    } else if (!conductor.asked(step)) return;
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.end(bytes);
    if (asks) return;
    await once(response, 'finish');
    conductor.answered(step);
  };
  const server = createServer((request, response) => {
    void handle(request, response).catch(() => request.socket.destroy());
  });
  server.keepAliveTimeout = 60_000;
  conductor.onThaw(() => {
    server.closeAllConnections();
  });
  const listening = await listen(server, listenPort, '127.0.0.1');
  return {
    port: listening,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
