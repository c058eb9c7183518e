import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { createMllpDecoder } from '../../hl7/rules/mllp.ts';

/** A plain TCP client that sends what bytes it is told and collects the frames it gets. */
export interface MllpSender extends Disposable {
  readonly socket: Socket;
  readonly frames: readonly string[];
  /** All bytes received, also those that belong to no frame. */
  readonly received: () => Buffer;
  readonly closed: boolean;
  write(bytes: Buffer | string): Promise<void>;
  /** Waits until `count` frames came in all; rejects when the connection closes before or `limitMs` pass. */
  answers(count: number, limitMs?: number): Promise<readonly string[]>;
  /** Waits until the other side has closed. */
  untilClosed(limitMs?: number): Promise<void>;
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** Looks at `condition` until it holds; rejects with `what` when `limitMs` pass. */
export async function until(what: string, condition: () => boolean, limitMs: number): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await pause(5);
  }
}

/** With `tls` by TLS; rejects where the connection or its handshake comes to nothing. */
export async function connectSender(port: number, host = '127.0.0.1', tls?: ConnectionOptions): Promise<MllpSender> {
  const socket = tls === undefined ? connect({ port, host, noDelay: true }) : connectTls({ port, host, ...tls });
  const decoder = createMllpDecoder(10_000_000);
  const frames: string[] = [];
  const chunks: Buffer[] = [];
  let closed = false;
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    for (const event of decoder.push(chunk)) if (event.kind === 'frame') frames.push(event.bytes.toString('utf8'));
  });
  let drained = Promise.withResolvers<undefined>();
  const go = (): void => {
    drained.resolve(undefined);
    drained = Promise.withResolvers();
  };
  socket.on('drain', go);
  socket.on('close', () => {
    closed = true;
    go();
  });
  await once(socket, tls === undefined ? 'connect' : 'secureConnect');
  socket.on('error', () => undefined);
  return {
    socket,
    frames,
    received: () => Buffer.concat(chunks),
    get closed() {
      return closed;
    },
    async write(bytes) {
      if (!socket.write(bytes) && !closed) await drained.promise;
    },
    async answers(count, limitMs = 3000) {
      await until(`${count} answers`, () => frames.length >= count || closed, limitMs);
      if (frames.length < count) throw new Error(`closed after ${frames.length} of ${count} answers`);
      return frames;
    },
    async untilClosed(limitMs = 3000) {
      await until('the connection closed', () => closed, limitMs);
    },
    [Symbol.dispose]() {
      socket.destroy();
    },
  };
}

export async function connectMany(count: number, port: number): Promise<MllpSender[] & Disposable> {
  const senders = await Promise.all(Array.from({ length: count }, () => connectSender(port)));
  return Object.assign(senders, {
    [Symbol.dispose]: () => {
      for (const sender of senders) sender[Symbol.dispose]();
    },
  });
}
