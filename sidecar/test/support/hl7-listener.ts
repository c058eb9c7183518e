import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startHl7Listener, type Hl7Listener, type Hl7ListenerOptions, type InboundHl7 } from '../../hl7/io/listener.ts';
import { buildAck } from '../../hl7/rules/ack.ts';
import { component, segment } from '../../hl7/rules/message.ts';
import { parseHl7 } from '../../hl7/rules/parse.ts';

export interface TestListener extends AsyncDisposable {
  readonly listener: Hl7Listener;
  readonly port: number;
  readonly inbound: readonly InboundHl7[];
  readonly warnings: readonly string[];
  /** Who was not let in: what and why. */
  readonly refused: readonly string[];
}

const NOW = new Date('2026-04-01T00:00:00Z');

/** Takes what can be read, refuses what cannot. */
export function acknowledge({ message, problem }: InboundHl7): string {
  return message === null || problem !== null
    ? buildAck(message ?? undefined, { code: 'AR', text: problem ?? 'no reason', errorCode: 100 }, NOW, 'n')
    : buildAck(message, { code: 'AA' }, NOW, 'n');
}

type Changed = Partial<Omit<Hl7ListenerOptions, 'guard'>> & { readonly guard?: Partial<Hl7ListenerOptions['guard']> };

/** The real listener on a free port of 127.0.0.1, with small limits and a handler that remembers what came. */
export async function listen(changed: Changed = {}): Promise<TestListener> {
  const inbound: InboundHl7[] = [];
  const warnings: string[] = [];
  const refused: string[] = [];
  const { handle = (one: InboundHl7) => Promise.resolve(acknowledge(one)), guard = {}, ...rest } = changed;
  const listener = await startHl7Listener({
    host: '127.0.0.1',
    port: 0,
    maxFrameBytes: 100_000,
    maxConnections: 10,
    idleTimeoutMs: 10_000,
    frameTimeoutMs: 10_000,
    answerTimeoutMs: 2000,
    maxAtOnce: 8,
    closeTimeoutMs: 1000,
    now: () => NOW,
    newControlId: () => 'n',
    log: { warn: (_, message) => void warnings.push(message), info: () => undefined },
    ...rest,
    guard: {
      admits: () => true,
      plain: true,
      tls: undefined,
      onRefused: ({ what, code }) => void refused.push(`${what} ${code}`),
      ...guard,
    },
    handle: (one) => {
      inbound.push(one);
      return handle(one);
    },
  });
  return {
    listener,
    port: listener.port,
    inbound,
    warnings,
    refused,
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  };
}

/** MSA-1 and MSA-2 of an acknowledgment: `AA 42`. */
export function verdict(ack: string): string {
  const msa = segment(parseHl7(ack), 'MSA');
  return `${component(msa, 1)} ${component(msa, 2)}`.trim();
}

/** Bytes of buffers that are in use: those nobody holds any more do not count, however busy the machine is. */
export function bufferBytes(): number {
  setFlagsFromString('--expose-gc');
  // V8 frees the buffers beside the program; the second collection waits for that of the first.
  runInNewContext('gc(); gc()');
  return process.memoryUsage().arrayBuffers;
}
