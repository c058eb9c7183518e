import { setImmediate } from 'node:timers/promises';
import pLimit from 'p-limit';
import { asFailure, Failure } from '../../platform/rules/failure.ts';
import { buildAck } from '../rules/ack.ts';
import { acknowledgmentsAsked } from '../rules/enhanced.ts';
import { envelopeOf, openEnvelope, type Envelope } from '../rules/envelope.ts';
import { isHeavy, tooLarge } from '../rules/limits.ts';
import type { Hl7Message } from '../rules/message.ts';
import type { MllpEvent } from '../rules/mllp.ts';
import { Hl7Rejection } from '../rules/rejection.ts';
import { readFrame, readHeader, type ReadFrame } from './frame.ts';

export interface InboundHl7 extends ReadFrame {
  readonly raw: Buffer;
  readonly remoteAddress: string;
}

/** A message of which only the header was looked at. */
export interface Hl7Newcomer {
  /** Its MSH; `null` where it has none that can be read. */
  readonly header: Hl7Message | null;
  readonly raw: Buffer;
  readonly remoteAddress: string;
}

export interface AnsweringOptions {
  readonly maxFrameBytes: number;
  /** How long an answer may take before it is AE. */
  readonly answerTimeoutMs: number;
  /** Frames that are handled at once; others wait, within `answerTimeoutMs`. */
  readonly maxAtOnce: number;
  readonly now: () => Date;
  readonly newControlId: () => string;
  readonly log: { readonly warn: (fields: object, message: string) => void };
  /** The answer to one that may not send, before anything of it is read; `null` lets it in. Without it all may send. */
  readonly admit?: (newcomer: Hl7Newcomer) => string | null;
  /**
   * Gives the acknowledgment's text. Called for one frame at a time per connection, in order, except for one that took
   * too long. Must settle: until it does the frame counts as held.
   */
  readonly handle: (inbound: InboundHl7) => Promise<string>;
}

/** Who sent a frame, and whether nobody waits for its answer any more. */
export interface Sender {
  readonly remoteAddress: string;
  readonly gone: () => boolean;
}

export interface Answering {
  /** The texts to send for a frame, each in a frame of its own; `over` is called once nothing of it is in work. */
  answer(event: Exclude<MllpEvent, { kind: 'garbage' }>, sender: Sender, over: () => void): Promise<readonly string[]>;
}

/** What `work` gives within `limitMs`, else what `late` says. */
export async function within<T>(work: Promise<T>, limitMs: number, late: () => T): Promise<T> {
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

function openOrProblem(raw: Buffer): Envelope | string | null {
  try {
    return openEnvelope(raw);
  } catch (error) {
    return error instanceof Hl7Rejection ? error.message : 'the envelope (FHS, BHS) could not be read';
  }
}

/**
 * Answers the frames of all connections: each message by whoever handles it, in the mode that its MSH-15 and MSH-16 ask
 * for, those of an envelope together. Who may not send is told so by the header alone. A frame that takes long to read
 * ({@link isHeavy}) is read and handled when no other such one is, and after whatever else waits at that moment: so
 * nobody waits for more than one of them, and there is the memory of one.
 */
export function createAnswering(options: AnsweringOptions): Answering {
  const { answerTimeoutMs, log, now, newControlId } = options;
  const atOnce = pLimit(options.maxAtOnce);
  const oneByOne = pLimit(1);
  const later = (header: Hl7Message | null, code: string): string =>
    buildAck(
      header ?? undefined,
      { code: 'AE', text: `try again later: ${code}`, errorCode: 207 },
      now(),
      newControlId(),
    );

  async function acknowledge(
    newcomer: Hl7Newcomer,
    read: (raw: Buffer) => ReadFrame,
    limitMs: number,
    gone: () => boolean,
    working: (work: Promise<unknown>) => void,
  ): Promise<string> {
    const { header, raw, remoteAddress } = newcomer;
    const refusal = options.admit?.(newcomer) ?? null;
    if (refusal !== null) return refusal;
    let late = false;
    const begin = (): Promise<string> => {
      // Nobody waits for it any more, and who sent it sends it again.
      if (late || gone()) return Promise.reject(new Failure('transient', 'timeout', 'not begun in time'));
      return options.handle({ raw, ...read(raw), remoteAddress });
    };
    const inTurn = async (): Promise<string> => {
      await setImmediate();
      return atOnce(begin);
    };
    const handled = isHeavy(raw) ? oneByOne(inTurn) : atOnce(begin);
    working(handled);
    try {
      return await within(handled, limitMs, () => {
        late = true;
        log.warn({ remoteAddress, limitMs: answerTimeoutMs }, 'HL7 message answered AE: it took too long');
        return later(header, 'timeout');
      });
    } catch (error) {
      return later(header, asFailure(error).code);
    }
  }

  return {
    async answer(event, { remoteAddress, gone }, over) {
      const works: Promise<unknown>[] = [];
      const ends = performance.now() + answerTimeoutMs;
      const one = async (raw: Buffer, read: (raw: Buffer) => ReadFrame): Promise<string[]> => {
        const header = readHeader(raw);
        const working = (work: Promise<unknown>): void => void works.push(work);
        const limitMs = Math.max(0, ends - performance.now());
        const answer = await acknowledge({ header, raw, remoteAddress }, read, limitMs, gone, working);
        return acknowledgmentsAsked(header, answer, newControlId);
      };
      const unreadable = (problem: string) => (raw: Buffer) => ({ message: readHeader(raw), problem });
      const all = async (): Promise<readonly string[]> => {
        if (event.kind === 'too-large') {
          // Its beginning is handed on, to be kept with the reason.
          const problem = tooLarge(options.maxFrameBytes);
          return one(event.head, unreadable(problem));
        }
        const envelope = openOrProblem(event.bytes);
        if (envelope === null) return one(event.bytes, readFrame);
        if (typeof envelope === 'string') return one(event.bytes, unreadable(envelope));
        const acknowledgments: string[] = [];
        for (const message of envelope.messages) acknowledgments.push(...(await one(message, readFrame)));
        const answer = envelopeOf(envelope, acknowledgments, now(), newControlId);
        return answer === '' ? [] : [answer];
      };
      try {
        return await all();
      } finally {
        void Promise.allSettled(works).then(over);
      }
    },
  };
}
