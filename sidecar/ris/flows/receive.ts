import { buildAck, type Answer } from '../../hl7/rules/ack.ts';
import { asFailure, Failure } from '../../platform/rules/failure.ts';
import { segment, wholeComponent, type Hl7Message } from '../../hl7/rules/message.ts';
import { isTestMessage } from '../../hl7/rules/test-message.ts';
import { MAX_HEADER_LENGTH, route } from '../rules/message-kind.ts';
import type { IgnoredTypes } from '../rules/ignored-types.ts';
import type { Envelope, KeptOutcome, Outcome } from '../rules/kept-message.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';
import type { MessageFacts } from '../rules/facts.ts';
import type { KeptMessage, KnownFacts } from '../rules/fold.ts';
import { besideKnown, type Reading } from '../rules/reading.ts';

export interface InboundMessage {
  readonly raw: Buffer;
  /** Of a message that could not be read at most its MSH. */
  readonly message: Hl7Message | null;
  /** Why it could not be read. */
  readonly problem: string | null;
  readonly remoteAddress: string;
}

export interface ReceiveTx {
  /** Until the transaction ends, no other one keeps messages or decides what follows of them. */
  lockLinking(): Promise<void>;
  /**
   * Looks up these frames, no two the same: for each the acknowledgment it got when it came before, else the id to keep it
   * under; and all that is known which these messages bear on.
   */
  lookUp(
    envelopes: readonly Envelope[],
    messages: readonly MessageFacts[],
  ): Promise<{ readonly frames: readonly LookedUp[]; readonly known: KnownFacts }>;
}

type LookedUp =
  { readonly id: string; readonly acknowledgment: null } | { readonly id: null; readonly acknowledgment: string };

/** What a message says, if it can be read. @throws Hl7Rejection */
type Read = (message: Hl7Message, receivedAt: Date) => MessageFacts;

export interface ReceiveDeps<Tx extends ReceiveTx> {
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  /** By MSH-9. */
  readonly read: { readonly order: Read; readonly report: Read; readonly patient: Read; readonly ignored: Read };
  /** What was understood of a message that says these facts. */
  readonly understand: (message: Hl7Message, facts: MessageFacts) => Reading;
  /** Which are acknowledged and counted, and nothing more. */
  readonly ignoredTypes: IgnoredTypes;
  /** Keeps these frames, writes what those messages among them said, and all that follows of it. */
  readonly keep: (
    tx: Tx,
    kept: readonly KeptOutcome[],
    known: KnownFacts,
    messages: readonly KeptMessage[],
    now: Date,
  ) => Promise<void>;
  readonly contentHash: (raw: Buffer) => string;
  readonly newControlId: () => string;
  readonly now: () => Date;
  /** Told of each message answered AE or AR: ids and codes only. */
  readonly onRefused: (refused: { controlId: string; messageType: string; answer: 'AE' | 'AR'; code: string }) => void;
  /** Told of each test message that was kept: a RIS that goes on sending such has a wrong setting. */
  readonly onTest: (test: { controlId: string; messageType: string }) => void;
  /** Told of what was odd in each message that was kept: codes only. */
  readonly onWarnings: (codes: readonly string[]) => void;
  /** Told of each message of an ignored type that was kept. */
  readonly onIgnored: (ignored: { controlId: string; messageType: string }) => void;
}

// A digit in each part and no four letters in a row, else it might be a name; or hexadecimal, as a UUID.
const CONTROL_ID =
  /^(?=.{1,50}$)(?=[^.-]*\d)[a-z\d]+([.-](?=[^.-]*\d)[a-z\d]+)*$(?<!.*[a-z]{4}.*)|^(?=.*\d)[\da-f-]{20,36}$/i;

/** As much of a header field as is kept of one that is too long. */
const kept = (text: string): string => text.slice(0, MAX_HEADER_LENGTH).toWellFormed();

const NOT_TAKEN = new Failure('transient', 'not-taken', 'the message was not taken');

/** One message as it was judged, before anything is written. */
interface Judged {
  readonly envelope: Envelope;
  readonly logged: { readonly controlId: string; readonly messageType: string };
  readonly answered: (answer: Answer) => string;
  /** Why it is refused for good, else `null`. */
  readonly rejection: Hl7Rejection | null;
  /** What it says; `null` of one that has no effect: refused, or a test. */
  readonly facts: MessageFacts | null;
  readonly reading: Reading | null;
  /** Whether its type is one that nobody asked for. */
  readonly ignored: boolean;
  /** What nobody foresaw of it, which is no word on any other. */
  readonly failure: Failure | null;
}

function judge<Tx extends ReceiveTx>(deps: ReceiveDeps<Tx>, inbound: InboundMessage, now: Date): Judged {
  const message = inbound.message ?? undefined;
  const msh = message && segment(message, 'MSH');
  const controlId = kept(wholeComponent(msh, 10));
  const messageType = kept([wholeComponent(msh, 9), wholeComponent(msh, 9, 2)].filter((part) => part !== '').join('^'));
  const said = (): Pick<Judged, 'facts' | 'reading' | 'ignored'> => {
    if (message === undefined || inbound.problem !== null) {
      throw new Hl7Rejection(100, inbound.problem ?? 'the message could not be read');
    }
    const kind = route(message, deps.ignoredTypes);
    if (isTestMessage(message)) return { facts: null, reading: null, ignored: false };
    const facts = deps.read[kind](message, now);
    return { facts, reading: deps.understand(message, facts), ignored: kind === 'ignored' };
  };
  const judged = {
    envelope: {
      sendingApplication: kept(wholeComponent(msh, 3)),
      sendingFacility: kept(wholeComponent(msh, 4)),
      messageType,
      controlId,
      contentHash: deps.contentHash(inbound.raw),
      raw: inbound.raw,
      remoteAddress: inbound.remoteAddress,
    },
    // What a sender puts there by mistake may be a patient's, also a name joined by hyphens.
    logged: {
      controlId: CONTROL_ID.test(controlId) ? controlId : '(unusual)',
      messageType: /^[A-Z]{3}(\^[A-Z]\d{2})?$/.test(messageType) ? messageType : '(unusual)',
    },
    answered: (answer: Answer) => buildAck(message, answer, now, deps.newControlId()),
  };
  try {
    return { ...judged, ...said(), rejection: null, failure: null };
  } catch (error) {
    const nothing = { ...judged, facts: null, reading: null, ignored: false };
    return error instanceof Hl7Rejection
      ? { ...nothing, rejection: error, failure: null }
      : { ...nothing, rejection: null, failure: asFailure(error) };
  }
}

function outcomeOf({ rejection, ignored, answered }: Judged): Outcome {
  if (rejection === null) return { answer: 'AA', reason: null, ignored, acknowledgment: answered({ code: 'AA' }) };
  const { errorCode, location, message: text } = rejection;
  const acknowledgment = answered({ code: 'AR', text, errorCode, ...(location && { location }) });
  return { answer: 'AR', reason: text, ignored: false, acknowledgment };
}

const frameOf = ({ envelope }: Judged): string =>
  [envelope.sendingApplication, envelope.sendingFacility, envelope.controlId, envelope.contentHash].join('\n');

/** Keeps and applies these in one transaction, in this order; gives the acknowledgment of each once that is committed. */
async function take<Tx extends ReceiveTx>(
  deps: ReceiveDeps<Tx>,
  all: readonly Judged[],
  now: Date,
): Promise<ReadonlyMap<Judged, string>> {
  if (all.length === 0) return new Map();
  const byFrame = new Map(all.toReversed().map((judged) => [frameOf(judged), judged]));
  const judged = all.filter((one) => byFrame.get(frameOf(one)) === one);
  const { fresh, answers } = await deps.transaction(async (tx) => {
    // Sent at once, in this order: what is looked up is as it is under the lock.
    const [, { frames, known }] = await Promise.all([
      tx.lockLinking(),
      tx.lookUp(
        judged.map(({ envelope }) => envelope),
        judged.flatMap(({ facts }) => facts ?? []),
      ),
    ]);
    const taken = judged.map((one, index) => {
      const before = frames[index];
      if (before === undefined) throw new RangeError('a message that was not looked up');
      return before.id === null ? { one, id: null, outcome: before } : { one, id: before.id, outcome: outcomeOf(one) };
    });
    const kept = taken.flatMap(({ one, id, outcome }) => (id === null ? [] : [{ id, one, outcome }]));
    if (kept.length > 0) {
      const said = kept.map(({ one: { facts } }) => facts);
      const outcomes = kept.map(({ id, one: { envelope, facts, reading }, outcome }, index) => {
        const before = said.slice(0, index).filter((one) => one !== null);
        return {
          ...{ id, envelope, outcome },
          reading: reading && facts ? besideKnown(reading, facts, known, before) : reading,
        };
      });
      const messages = kept.flatMap(({ id, one: { facts } }) => (facts === null ? [] : [{ id, facts }]));
      await deps.keep(tx, outcomes, known, messages, now);
    }
    return {
      fresh: kept.map(({ one }) => one),
      answers: new Map(taken.map(({ one, outcome }) => [one, outcome.acknowledgment])),
    };
  });
  for (const { logged, rejection, ignored, facts, reading } of fresh) {
    if (rejection !== null) deps.onRefused({ ...logged, answer: 'AR', code: String(rejection.errorCode) });
    else if (ignored) deps.onIgnored(logged);
    else if (facts === null) deps.onTest(logged);
    if (reading !== null) deps.onWarnings(reading.warnings.map(({ code }) => code));
  }
  return new Map(all.map((one) => [one, answers.get(byFrame.get(frameOf(one)) ?? one) ?? '']));
}

/**
 * Takes HL7 messages and gives the acknowledgment to send for each. AA only after its effects and the message itself
 * were committed, all of these in one transaction; AR, with the message kept and its reason stored, when it will never
 * be applied as it is; AE when it may work later (nothing is kept: the sender has it still). A message seen before (same
 * sender, MSH-10 and content) gets the answer it got and has no second effect. A test message (MSH-11 `T`) is judged and
 * kept like any other and has no effect at all. One of an ignored type is AA and counted. Never rejects.
 *
 * All is as if they had been taken one after the other in this order, but for decisions that would only have stood until
 * the next. What is wrong with one changes nothing for the others: where it keeps them from being committed, each is
 * taken alone. Only what may pass, such as a database that is away, is AE for all.
 */
export async function receiveMessages<Tx extends ReceiveTx>(
  deps: ReceiveDeps<Tx>,
  inbound: readonly InboundMessage[],
): Promise<string[]> {
  const now = deps.now();
  const judged = inbound.map((one) => judge(deps, one, now));
  const later = ({ answered, logged }: Judged, { code }: Failure): string => {
    deps.onRefused({ ...logged, answer: 'AE', code });
    return answered({ code: 'AE', text: `try again later: ${code}`, errorCode: 207 });
  };
  const takeAll = async (all: readonly Judged[]): Promise<ReadonlyMap<Judged, string>> => {
    try {
      return await take(deps, all, now);
    } catch (error) {
      const mayPass = error instanceof Failure && error.kind !== 'permanent';
      if (all.length > 1 && !mayPass) {
        const answers = new Map<Judged, string>();
        for (const one of all) for (const [of, answer] of await takeAll([one])) answers.set(of, answer);
        return answers;
      }
      const failure = asFailure(error);
      return new Map(await Promise.all(all.map(async (one) => [one, await refuse(one, failure)] as const)));
    }
  };
  /** The answer to one that could not be taken. */
  const refuse = async (one: Judged, failure: Failure): Promise<string> => {
    if (failure.kind !== 'permanent') return later(one, failure);
    const rejection = new Hl7Rejection(207, `cannot be stored: ${failure.code}`);
    const refused = { ...one, rejection, facts: null, ignored: false };
    return take(deps, [refused], now).then(
      (answers) => answers.get(refused) ?? '',
      (error: unknown) => later(one, asFailure(error)),
    );
  };
  const answers = await takeAll(judged.filter(({ failure }) => failure === null));
  return judged.map((one) => answers.get(one) ?? later(one, one.failure ?? NOT_TAKEN));
}
