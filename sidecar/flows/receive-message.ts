import { buildAck, type Answer } from '../core/ack.ts';
import { asFailure } from '../core/failure.ts';
import { segment, wholeComponent, type Hl7Message } from '../core/hl7-message.ts';
import { isTestMessage } from '../core/hl7-processing.ts';
import type { Envelope, Outcome } from '../core/hl7-record.ts';
import { Hl7Rejection } from '../core/hl7-rejection.ts';

export interface InboundMessage {
  readonly raw: Buffer;
  /** Of a message that could not be read at most its MSH. */
  readonly message: Hl7Message | null;
  /** Why it could not be read. */
  readonly problem: string | null;
  readonly remoteAddress: string;
}

export interface ReceiveTx {
  /**
   * Keeps the frame with its answer; gives its id, or the acknowledgment it got when it came before. Waits for another
   * transaction that is about to keep the same frame.
   */
  saveMessage(envelope: Envelope, outcome: Outcome, now: Date): Promise<{ id: string } | { acknowledgment: string }>;
}

export type Apply<Tx> = (tx: Tx, message: Hl7Message, hl7MessageId: string, now: Date) => Promise<void>;

export interface ReceiveDeps<Tx extends ReceiveTx> {
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  /** By MSH-9.1. */
  readonly apply: { readonly order: Apply<Tx>; readonly report: Apply<Tx>; readonly patient: Apply<Tx> };
  readonly contentHash: (raw: Buffer) => string;
  readonly newControlId: () => string;
  readonly now: () => Date;
  /** Told of each message answered AE or AR: ids and codes only. */
  readonly onRefused: (refused: { controlId: string; messageType: string; answer: 'AE' | 'AR'; code: string }) => void;
  /** Told of each test message that was kept: a RIS that goes on sending such has a wrong setting. */
  readonly onTest: (test: { controlId: string; messageType: string }) => void;
}

/** The longest MSH-3, MSH-4 and MSH-10 that are taken; the standard's own limits are 227, 227 and 20 (199 from 2.7). */
const MAX_HEADER_LENGTH = 200;

// A digit in each part and no four letters in a row, else it might be a name; or hexadecimal, as a UUID.
const CONTROL_ID =
  /^(?=.{1,50}$)(?=[^.-]*\d)[a-z\d]+([.-](?=[^.-]*\d)[a-z\d]+)*$(?<!.*[a-z]{4}.*)|^(?=.*\d)[\da-f-]{20,36}$/i;

/** As much of a header field as is kept of one that is too long. */
const kept = (text: string): string => text.slice(0, MAX_HEADER_LENGTH).toWellFormed();

const EVENTS: Readonly<Record<string, { apply: 'order' | 'report' | 'patient'; events: readonly string[] }>> = {
  ORM: { apply: 'order', events: ['O01', ''] },
  OMI: { apply: 'order', events: ['O23'] },
  OMG: { apply: 'order', events: ['O19'] },
  ORU: { apply: 'report', events: ['R01', ''] },
};

/** What kind of message it is. @throws Hl7Rejection for one that is not taken. */
export function route(message: Hl7Message): 'order' | 'report' | 'patient' {
  const msh = segment(message, 'MSH');
  const at = (field: number) => ({ segment: 'MSH', ordinal: 1, field });
  if (wholeComponent(msh, 10) === '') throw new Hl7Rejection(101, 'MSH-10 message control ID missing', at(10));
  const long = [3, 4, 10].find((field) => wholeComponent(msh, field).length > MAX_HEADER_LENGTH);
  if (long !== undefined)
    throw new Hl7Rejection(102, `MSH-${long} is longer than ${MAX_HEADER_LENGTH} characters`, at(long));
  const type = wholeComponent(msh, 9);
  if (type === 'ADT') return 'patient';
  const known = EVENTS[type];
  if (known === undefined) throw new Hl7Rejection(200, 'this message type is not taken', at(9));
  if (!known.events.includes(wholeComponent(msh, 9, 2))) throw new Hl7Rejection(201, 'this event is not taken', at(9));
  return known.apply;
}

/**
 * Takes one HL7 message and gives the acknowledgment to send. AA only after its effects and the message itself were
 * committed, in one transaction; AR, with the message kept and its reason stored, when it will never be applied as it
 * is; AE when it may work later (nothing is kept: the sender has it still). A message seen before (same sender, MSH-10
 * and content) gets the answer it got and has no second effect. A test message (MSH-11 `T`) is judged and kept like any
 * other and has no effect at all. Never rejects.
 */
export async function receiveMessage<Tx extends ReceiveTx>(
  deps: ReceiveDeps<Tx>,
  inbound: InboundMessage,
): Promise<string> {
  const now = deps.now();
  const message = inbound.message ?? undefined;
  const msh = message && segment(message, 'MSH');
  const controlId = kept(wholeComponent(msh, 10));
  const messageType = kept([wholeComponent(msh, 9), wholeComponent(msh, 9, 2)].filter((part) => part !== '').join('^'));
  const answered = (answer: Answer): string => buildAck(message, answer, now, deps.newControlId());
  const envelope: Envelope = {
    sendingApplication: kept(wholeComponent(msh, 3)),
    sendingFacility: kept(wholeComponent(msh, 4)),
    messageType,
    controlId,
    contentHash: deps.contentHash(inbound.raw),
    raw: inbound.raw,
    remoteAddress: inbound.remoteAddress,
  };

  // What a sender puts there by mistake may be a patient's, also a name joined by hyphens.
  const logged = {
    controlId: CONTROL_ID.test(controlId) ? controlId : '(unusual)',
    messageType: /^[A-Z]{3}(\^[A-Z]\d{2})?$/.test(messageType) ? messageType : '(unusual)',
  };

  const accept = (parsed: Hl7Message, apply: Apply<Tx>): Promise<string> =>
    deps.transaction(async (tx) => {
      const acknowledgment = answered({ code: 'AA' });
      const saved = await tx.saveMessage(envelope, { answer: 'AA', reason: null, acknowledgment }, now);
      if ('acknowledgment' in saved) return saved.acknowledgment;
      await apply(tx, parsed, saved.id, now);
      return acknowledgment;
    });

  const keepOnly = (): Promise<void> => {
    deps.onTest(logged);
    return Promise.resolve();
  };

  const reject = (rejection: Hl7Rejection): Promise<string> =>
    deps.transaction(async (tx) => {
      const { errorCode, location, message: text } = rejection;
      const acknowledgment = answered({ code: 'AR', text, errorCode, ...(location && { location }) });
      const saved = await tx.saveMessage(envelope, { answer: 'AR', reason: text, acknowledgment }, now);
      if ('acknowledgment' in saved) return saved.acknowledgment;
      deps.onRefused({ ...logged, answer: 'AR', code: String(errorCode) });
      return acknowledgment;
    });

  try {
    try {
      if (message === undefined || inbound.problem !== null) {
        throw new Hl7Rejection(100, inbound.problem ?? 'the message could not be read');
      }
      const kind = route(message);
      return await accept(message, isTestMessage(message) ? keepOnly : deps.apply[kind]);
    } catch (error) {
      if (error instanceof Hl7Rejection) return await reject(error);
      const failure = asFailure(error);
      if (failure.kind !== 'permanent') throw failure;
      return await reject(new Hl7Rejection(207, `cannot be stored: ${failure.code}`));
    }
  } catch (error) {
    const failure = asFailure(error);
    deps.onRefused({ ...logged, answer: 'AE', code: failure.code });
    return answered({ code: 'AE', text: `try again later: ${failure.code}`, errorCode: 207 });
  }
}
