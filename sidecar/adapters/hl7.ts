import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Message } from 'node-hl7-client';
import { InboundRequest } from 'node-hl7-server';
import { buildAck } from '../core/ack.ts';
import { asFailure } from '../core/failure.ts';
import { decodeHl7, encodeHl7 } from '../core/hl7-charset.ts';
import type { Hl7Message } from '../core/hl7-message.ts';
import { parseHl7 } from '../core/hl7-parse.ts';
import { Hl7Rejection } from '../core/hl7-rejection.ts';
import { createMllpDecoder, mllpFrame, type MllpEvent } from '../core/mllp.ts';
import { openHl7Ports, type Hl7PortsOptions } from './hl7-ports.ts';

export interface InboundHl7 {
  readonly raw: Buffer;
  /** Of a message that could not be read at most its MSH. */
  readonly message: Hl7Message | null;
  /** Why it could not be read; without patient data. */
  readonly problem: string | null;
  readonly remoteAddress: string;
}

export interface Hl7ListenerOptions extends Hl7PortsOptions {
  readonly maxFrameBytes: number;
  /** A connection without a byte for so long is closed. */
  readonly idleTimeoutMs: number;
  /** How long an answer may take before it is AE. */
  readonly answerTimeoutMs: number;
  /** How long frames in work may take when the listener is closed. */
  readonly closeTimeoutMs: number;
  readonly now: () => Date;
  readonly newControlId: () => string;
  /** Gives the acknowledgment's text. Called for one frame at a time per connection, in order. */
  readonly handle: (inbound: InboundHl7) => Promise<string>;
}

export interface Hl7Listener extends AsyncDisposable {
  /** Of the port without TLS; 0 where there is none. */
  readonly port: number;
  /** 0 where there is none. */
  readonly tlsPort: number;
  readonly listening: boolean;
}

/** Bytes outside frames, since the last frame, after which a sender cannot be speaking MLLP. */
const MAX_GARBAGE_BYTES = 4096;
const MAX_HEADER_BYTES = 4096;
/** Frames of one connection that wait their turn before its socket is not read any more. */
const MAX_WAITING = 16;
/** All frames of all connections that are not answered yet, in frames of the largest size. */
const MAX_HELD_FRAMES = 16;

/**
 * What a frame's bytes say. node-hl7-server's parser judges the message as its own listener would; the fields are then
 * read by core/hl7-parse.ts, since that parser's tree does not give a field's repetitions apart.
 */
export function readFrame(raw: Buffer): Pick<InboundHl7, 'message' | 'problem'> {
  try {
    const text = decodeHl7(raw);
    const message = parseHl7(text);
    new InboundRequest(new Message({ text: text.trimStart() }), { type: 'message' }).getMessage();
    return { message, problem: null };
  } catch (error) {
    const problem = error instanceof Hl7Rejection ? error.message : 'the message could not be parsed';
    return { message: readHeader(raw), problem };
  }
}

/** Whom to answer, of a message that cannot be read whole. */
function readHeader(raw: Buffer): Hl7Message | null {
  try {
    const [header = ''] = raw
      .subarray(0, MAX_HEADER_BYTES)
      .toString('latin1')
      .trimStart()
      .split(/[\r\n]/, 1);
    return parseHl7(header);
  } catch {
    return null;
  }
}

async function within<T>(work: Promise<T>, limitMs: number, late: () => T): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  const timer = setTimeout(() => {
    resolve(late());
  }, limitMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

const heldBy = (event: MllpEvent): number =>
  event.kind === 'frame' ? event.bytes.length : event.kind === 'too-large' ? event.head.length : 0;

interface Connection {
  /** Reads no more, answers what is in work, closes. */
  finish(): Promise<void>;
  destroy(): void;
}

/** What the frames of all connections that are not answered yet take, and the connections not read because of it. */
interface Held {
  bytes: number;
  readonly paused: Set<() => void>;
}

function serve(socket: Socket, options: Hl7ListenerOptions, all: Held): Connection {
  const { log, now, newControlId } = options;
  const remoteAddress = socket.remoteAddress ?? '';
  const decoder = createMllpDecoder(options.maxFrameBytes);
  const waiting: MllpEvent[] = [];
  // With the frame that is on its way in, a connection's own never take more than twice the largest.
  let held = 0;
  let working: Promise<void> | undefined;
  let garbage = 0;
  let finishing = false;

  const later = (message: Hl7Message | null, code: string): string =>
    buildAck(
      message ?? undefined,
      { code: 'AE', text: `try again later: ${code}`, errorCode: 207 },
      now(),
      newControlId(),
    );
  const answer = async (raw: Buffer, read: Pick<InboundHl7, 'message' | 'problem'>): Promise<string> => {
    const { message, problem } = read;
    try {
      const work = options.handle({ raw, message, problem, remoteAddress });
      return await within(work, options.answerTimeoutMs, () => later(message, 'timeout'));
    } catch (error) {
      return later(message, asFailure(error).code);
    }
  };
  // Of a frame that is too large its beginning is handed on, to be kept with the reason.
  const refuse = (head: Buffer): Promise<string> => {
    const problem = `larger than the ${options.maxFrameBytes} bytes that are taken`;
    return answer(head, { message: readHeader(head), problem });
  };
  const send = async (text: string): Promise<void> => {
    if (socket.destroyed || socket.write(mllpFrame(encodeHl7(text)))) return;
    await within(
      once(socket, 'drain').then(() => undefined),
      options.answerTimeoutMs,
      () => {
        socket.destroy();
      },
    ).catch(() => undefined);
  };
  const hold = (bytes: number): void => {
    held += bytes;
    all.bytes += bytes;
  };
  const full = (): boolean =>
    waiting.length >= MAX_WAITING ||
    held >= options.maxFrameBytes ||
    all.bytes >= MAX_HELD_FRAMES * options.maxFrameBytes;
  const readOn = (): void => {
    if (full()) return;
    all.paused.delete(readOn);
    socket.resume();
  };
  const work = async (): Promise<void> => {
    while (!socket.destroyed) {
      const event = waiting.shift();
      if (event === undefined) return;
      if (event.kind === 'frame') await send(await answer(event.bytes, readFrame(event.bytes)));
      if (event.kind === 'too-large') await send(await refuse(event.head));
      hold(-heldBy(event));
      readOn();
      for (const other of [...all.paused]) other();
    }
  };

  socket.setNoDelay(true);
  socket.setKeepAlive(true, 30_000);
  socket.setTimeout(options.idleTimeoutMs);
  socket.on('timeout', () => {
    if (working === undefined) socket.destroy();
  });
  socket.on('error', () => socket.destroy());
  socket.once('close', () => {
    all.paused.delete(readOn);
    for (const event of waiting.splice(0)) hold(-heldBy(event));
    for (const other of [...all.paused]) other();
  });
  socket.on('data', (chunk: Buffer) => {
    if (finishing) return;
    for (const event of decoder.push(chunk)) {
      if (event.kind === 'garbage') {
        garbage += event.bytes;
        if (garbage <= MAX_GARBAGE_BYTES) continue;
        log.warn({ remoteAddress, garbage }, 'HL7 connection closed: what it sends is not MLLP');
        socket.destroy();
        return;
      }
      if (event.kind === 'frame') garbage = 0;
      waiting.push(event);
      hold(heldBy(event));
    }
    if (full()) {
      socket.pause();
      all.paused.add(readOn);
    }
    working ??= work().finally(() => {
      working = undefined;
    });
  });
  return {
    async finish() {
      finishing = true;
      await working;
      socket.resume();
      socket.end();
    },
    destroy: () => socket.destroy(),
  };
}

/**
 * Listens for HL7 v2 over MLLP: any number of messages on a connection, one answer a frame, in order. The parser is
 * node-hl7-server's; its `Inbound` cannot be the listener, since it ignores the address to bind to, repeats the first
 * message of a kept-open connection, decodes bytes before it frames them and has no limits (see the contract tests).
 * Closing takes no new frames, answers those in work, then closes every connection.
 */
export async function startHl7Listener(options: Hl7ListenerOptions): Promise<Hl7Listener> {
  const connections = new Map<Socket, Connection>();
  const held: Held = { bytes: 0, paused: new Set() };
  const ports = await openHl7Ports(options, (socket) => {
    connections.set(socket, serve(socket, options, held));
    socket.once('close', () => connections.delete(socket));
  });
  return {
    port: ports.port,
    tlsPort: ports.tlsPort,
    get listening() {
      return ports.listening;
    },
    async [Symbol.asyncDispose]() {
      const closed = ports.close();
      const finished = Promise.allSettled([...connections.values()].map((connection) => connection.finish()));
      await within(
        finished.then(() => undefined),
        options.closeTimeoutMs,
        () => undefined,
      );
      const lingering = setTimeout(() => {
        for (const connection of connections.values()) connection.destroy();
        ports.destroyAll();
      }, 200);
      await closed;
      clearTimeout(lingering);
    },
  };
}
