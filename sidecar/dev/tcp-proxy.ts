import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { listen } from '../platform/net/listen.ts';

/** Which end of a connection: who opened it, or who it leads to. */
export type End = 'client' | 'server';

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Resets every connection. */
  cut(): void;
  /** Holds back all bytes, both ways and on new connections too, for `ms`; then they go on. */
  delay(ms: number): void;
  /** Passes on nothing any more on the connections there are, not their ends either, as if a cable were cut. */
  silence(): void;
  /** Ends every connection towards one end, as if the other had said goodbye; the other way stays open. */
  halfClose(towards: End): void;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

function forward(
  from: Socket,
  to: Socket,
  latencyMs: number,
  silenced: () => boolean,
  onBytes: (bytes: Buffer) => boolean,
): void {
  const later = (act: () => void): void => {
    if (silenced()) return;
    if (latencyMs === 0) act();
    else setTimeout(act, latencyMs);
  };
  from.on('data', (chunk: Buffer) => {
    if (!onBytes(chunk)) return;
    later(() => {
      if (to.writable && !to.write(chunk)) from.pause();
    });
  });
  to.on('drain', () => from.resume());
  const end = (): void => {
    later(() => {
      if (!to.writableEnded) to.end();
    });
  };
  from.on('end', end);
  from.on('error', () => {
    if (!silenced()) to.destroy();
  });
  from.on('close', () => {
    if (silenced()) return;
    if (from.readableEnded) end();
    else to.resetAndDestroy();
  });
}

export interface ProxyTarget {
  readonly port: number;
  readonly host?: string;
  readonly latencyMs?: number;
  /** Sees all bytes of clients, with a number for their connection; what it gives false for goes no further. */
  readonly onSent?: (bytes: Buffer, connection: number) => boolean;
  /** Sees all bytes of the server likewise. */
  readonly onAnswered?: (bytes: Buffer, connection: number) => boolean;
  readonly onClosed?: (connection: number) => void;
}

/** A TCP proxy on loopback, to disturb what goes through it; without that it takes `latencyMs` each way. */
export async function startTcpProxy(target: ProxyTarget): Promise<TcpProxy> {
  const { host = '127.0.0.1', latencyMs = 0, onSent = () => true, onAnswered = () => true } = target;
  let connections = 0;
  const pairs = new Set<Pair>();
  const silent = new WeakSet<Pair>();
  let heldUntil = 0;
  const hold = (pair: Pair): void => {
    const ms = heldUntil - Date.now();
    if (ms <= 0) return;
    for (const socket of [pair.client, pair.server]) socket.pause();
    setTimeout(() => {
      for (const socket of [pair.client, pair.server]) socket.resume();
    }, ms);
  };
  const listener = createServer({ allowHalfOpen: true }, (client) => {
    const server = connect({ port: target.port, host, allowHalfOpen: true });
    const pair = { client, server };
    const connection = (connections += 1);
    pairs.add(pair);
    const silenced = (): boolean => silent.has(pair);
    forward(client, server, latencyMs, silenced, (bytes) => onSent(bytes, connection));
    forward(server, client, latencyMs, silenced, (bytes) => onAnswered(bytes, connection));
    client.once('close', () => target.onClosed?.(connection));
    for (const socket of [client, server]) {
      socket.once('close', () => {
        if (client.destroyed && server.destroyed) pairs.delete(pair);
      });
    }
    hold(pair);
  });
  const port = await listen(listener, 0, '127.0.0.1');
  const cut = (): void => {
    for (const { client, server } of pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  };
  return {
    port,
    cut,
    delay(ms) {
      heldUntil = Math.max(heldUntil, Date.now() + ms);
      for (const pair of pairs) hold(pair);
    },
    silence() {
      for (const pair of pairs) silent.add(pair);
    },
    halfClose(towards) {
      for (const pair of pairs) pair[towards].end();
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      cut();
      await once(listener, 'close');
    },
  };
}
