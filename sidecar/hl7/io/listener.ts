import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createFrameRoom, type FrameRoom } from '../rules/frame-room.ts';
import { encodeHl7 } from '../rules/charset.ts';
import { createMllpDecoder, mllpFrame, type MllpEvent } from '../rules/mllp.ts';
import { createAnswering, within, type Answering, type AnsweringOptions } from './answering.ts';
import { openHl7Ports, type Hl7PortsOptions } from './ports.ts';

export { readFrame } from './frame.ts';
export type { Hl7Newcomer, InboundHl7 } from './answering.ts';

export interface Hl7ListenerOptions extends Omit<Hl7PortsOptions, 'log'>, Omit<AnsweringOptions, 'log'> {
  /** A connection without a byte for so long is closed. */
  readonly idleTimeoutMs: number;
  /** A connection on which a frame takes longer than that to come in is closed. */
  readonly frameTimeoutMs: number;
  /** How long frames in work may take when the listener is closed. */
  readonly closeTimeoutMs: number;
  readonly log: Hl7PortsOptions['log'];
}

export interface Hl7Listener extends AsyncDisposable {
  /** Of the port without TLS; 0 where there is none. */
  readonly port: number;
  /** 0 where there is none. */
  readonly tlsPort: number;
  readonly listening: boolean;
  /** Bytes of frames, whole or in part, that are held: those coming in, waiting, and in work. */
  readonly heldBytes: number;
}

/** Bytes outside frames, since the last frame, after which a sender cannot be speaking MLLP. */
const MAX_GARBAGE_BYTES = 4096;
/** Frames of one connection that wait their turn before its socket is not read any more. */
const MAX_WAITING = 16;
/** All that is held of frames on all connections, in frames of the largest size. */
const MAX_HELD_FRAMES = 16;
/** A connection that holds no more than that is read on where there is no room for more. */
const SMALL_BYTES = 65_536;

/** A frame whose last byte is a 1C is at its end when nothing follows for so long: some senders leave out the 0D. */
const LONE_END_MS = 200;

const heldBy = (event: MllpEvent): number =>
  event.kind === 'frame' ? event.bytes.length : event.kind === 'too-large' ? event.head.length : 0;

interface Connection {
  /** Reads no more, answers what is in work, closes. */
  finish(): Promise<void>;
  destroy(): void;
}

function serve(socket: Socket, options: Hl7ListenerOptions, room: FrameRoom, answering: Answering): Connection {
  const { log, answerTimeoutMs, frameTimeoutMs } = options;
  const remoteAddress = socket.remoteAddress ?? '';
  let decoder = createMllpDecoder(options.maxFrameBytes);
  const waiting: MllpEvent[] = [];
  // With the frame that is on its way in, a connection's own never take more than twice the largest.
  let held = 0;
  let working: Promise<void> | undefined;
  let garbage = 0;
  let reading = true;
  let finishing = false;
  let frameTimer: NodeJS.Timeout | undefined;
  let loneEnd: NodeJS.Timeout | undefined;

  const sender = { remoteAddress, gone: () => socket.destroyed };
  const send = async (text: string): Promise<void> => {
    if (socket.destroyed || socket.write(mllpFrame(encodeHl7(text)))) return;
    await within(
      once(socket, 'drain').then(() => undefined),
      answerTimeoutMs,
      () => {
        socket.destroy();
      },
    ).catch(() => undefined);
  };
  const work = async (): Promise<void> => {
    while (!socket.destroyed) {
      const event = waiting.shift();
      if (event === undefined) return;
      if (event.kind !== 'garbage') {
        const over = (): void => {
          hold(-heldBy(event));
        };
        for (const text of await answering.answer(event, sender, over)) await send(text);
      }
      regulate();
    }
  };
  /** Sees to what waits. Looks again when that is over: while a paused socket's buffer empties, data comes in between. */
  const begin = (): void => {
    if (working !== undefined || waiting.length === 0 || socket.destroyed) return;
    working = work().finally(() => {
      working = undefined;
      begin();
    });
  };
  /** Gives up the frame that is coming in. */
  const forget = (): void => {
    decoder = createMllpDecoder(options.maxFrameBytes);
    hold(0);
    watch(true);
  };
  const finish = async (): Promise<void> => {
    finishing = true;
    clearTimeout(loneEnd);
    forget();
    while (working !== undefined) await working;
    socket.resume();
    socket.end();
  };
  const giveUp = (): void => {
    log.warn({ remoteAddress, bytes: decoder.held }, 'HL7 connection closed: the end of a message did not come');
    if (working === undefined) socket.destroy();
    else {
      void finish().then(() => {
        socket.destroySoon();
      });
    }
  };
  /** Waits for the end of the frame that is coming in. The time in which it is not read does not count. */
  const watch = (anew: boolean): void => {
    const coming = reading && decoder.inside;
    if (anew || !coming) {
      clearTimeout(frameTimer);
      frameTimer = undefined;
    }
    if (coming) {
      frameTimer ??= setTimeout(giveUp, seat.inTurn ? Math.min(answerTimeoutMs, frameTimeoutMs) : frameTimeoutMs);
    }
  };
  const regulate = (): void => {
    if (finishing || socket.destroyed) return;
    const may = seat.ask() && waiting.length < MAX_WAITING && held < options.maxFrameBytes;
    if (may === reading) return;
    reading = may;
    if (reading) {
      socket.resume();
      socket.setTimeout(options.idleTimeoutMs);
    } else {
      socket.pause();
    }
    watch(true);
  };
  const seat = room.join(() => {
    regulate();
    watch(true);
  });
  const hold = (bytes: number): void => {
    held += bytes;
    seat.hold(decoder.held, held);
    regulate();
  };

  socket.setNoDelay(true);
  socket.setKeepAlive(true, 30_000);
  socket.setTimeout(options.idleTimeoutMs);
  socket.on('timeout', () => {
    if (working === undefined && (reading || finishing)) socket.destroy();
  });
  socket.on('error', () => socket.destroy());
  socket.once('close', () => {
    clearTimeout(loneEnd);
    seat.leave();
    for (const event of waiting.splice(0)) held -= heldBy(event);
    forget();
  });
  /** Takes what came in; whether the connection is still one to read. */
  const receive = (events: readonly MllpEvent[]): boolean => {
    let ended = false;
    for (const event of events) {
      if (event.kind === 'garbage') {
        garbage += event.bytes;
        if (garbage <= MAX_GARBAGE_BYTES) continue;
        log.warn({ remoteAddress, garbage }, 'HL7 connection closed: what it sends is not MLLP');
        socket.destroy();
        return false;
      }
      if (event.kind === 'frame') garbage = 0;
      ended ||= event.kind === 'frame';
      waiting.push(event);
      held += heldBy(event);
    }
    hold(0);
    watch(ended);
    begin();
    return true;
  };
  const settle = (): void => {
    if (!finishing) receive(decoder.settle());
  };
  socket.on('data', (chunk: Buffer) => {
    clearTimeout(loneEnd);
    if (finishing || !receive(decoder.push(chunk))) return;
    if (decoder.maybeEnded) loneEnd = setTimeout(settle, LONE_END_MS);
  });
  // The sender's half is closed: what came in whole is answered before the other half is.
  socket.once('end', () => {
    settle();
    if (!finishing) void finish();
  });
  return { finish, destroy: () => socket.destroy() };
}

/**
 * Listens for HL7 v2 over MLLP: any number of messages on a connection, one answer a frame, in order, unless MSH-15 and
 * MSH-16 ask for another number of them. The header is read by node-hl7-server; its `Inbound` cannot be the listener, since it ignores the address to bind to, repeats the first
 * message of a kept-open connection, decodes bytes before it frames them and has no limits (see the contract tests).
 * Closing takes no new frames, answers those in work, then closes every connection.
 *
 * What is held of frames on all connections is bounded, those that are only half there too, as {@link createFrameRoom}
 * says: by {@link MAX_HELD_FRAMES} of the largest size, one more, and {@link SMALL_BYTES} and a read for each connection
 * (what the sockets themselves buffer aside).
 * A sender for which there is no room is not read, so that it waits; what is small gets through. When half-received
 * frames take all the room, one of them at a time is read on, and closed when its end does not come within
 * `answerTimeoutMs`.
 */
export async function startHl7Listener(options: Hl7ListenerOptions): Promise<Hl7Listener> {
  const connections = new Map<Socket, Connection>();
  const room = createFrameRoom(MAX_HELD_FRAMES * options.maxFrameBytes, SMALL_BYTES);
  const answering = createAnswering(options);
  const ports = await openHl7Ports(options, (socket) => {
    connections.set(socket, serve(socket, options, room, answering));
    socket.once('close', () => connections.delete(socket));
  });
  return {
    port: ports.port,
    tlsPort: ports.tlsPort,
    get listening() {
      return ports.listening;
    },
    get heldBytes() {
      return room.bytes;
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
