import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { listen } from '../../platform/net/listen.ts';
import type { Conductor } from './conductor.ts';
import type { Proxy } from './http-proxy.ts';

/** What becomes of the bytes of one connection; either way `forward` hands them on. */
export interface Watcher {
  readonly fromClient: (chunk: Buffer, forward: (bytes: Buffer) => void) => void;
  readonly fromServer: (chunk: Buffer, forward: (bytes: Buffer, delivered?: () => void) => void) => void;
}

/** A TCP proxy on loopback whose bytes a {@link Watcher} of each connection reads and hands on. */
export async function startSocketProxy(
  target: { readonly port: number; readonly conductor: Conductor },
  watch: () => Watcher,
): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const listener = createServer((client) => {
    const server = connect({ port: target.port, host: '127.0.0.1' });
    const watcher = watch();
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => from.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroySoon();
      });
    }
    client.on('data', (chunk: Buffer) => {
      watcher.fromClient(chunk, (bytes) => void server.write(bytes));
    });
    server.on('data', (chunk: Buffer) => {
      watcher.fromServer(chunk, (bytes, delivered) => void client.write(bytes, delivered));
    });
  });
  target.conductor.onThaw(() => {
    for (const socket of sockets) socket.destroySoon();
  });
  const listening = await listen(listener, 0, '127.0.0.1');
  return {
    port: listening,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const socket of sockets) socket.destroy();
      await once(listener, 'close');
    },
  };
}

const END_OF_FRAME = Buffer.of(0x1c, 0x0d);

/** Before the HL7 listener: every acknowledgment is a step. */
export function watchMllp(conductor: Conductor): Watcher {
  const ack = { name: 'hl7: ACK', lasts: true, inTransaction: false };
  let held = Buffer.alloc(0);
  return {
    fromClient: (chunk, forward) => {
      forward(chunk);
    },
    fromServer: (chunk, forward) => {
      held = Buffer.concat([held, chunk]);
      for (let end = held.indexOf(END_OF_FRAME); end >= 0; end = held.indexOf(END_OF_FRAME)) {
        const frame = held.subarray(0, end + END_OF_FRAME.length);
        held = held.subarray(frame.length);
        if (!conductor.asked(ack)) return;
        forward(frame, () => conductor.answered(ack));
      }
    },
  };
}
