import { hash, randomBytes } from 'node:crypto';
import type { Hl7Settings } from '../hl7/rules/field-settings.ts';
import type { Hl7Message } from '../hl7/rules/message.ts';
import { gather } from '../platform/rules/gather.ts';
import { settledWithin } from '../platform/time-limit.ts';
import { keepAgain, keepMessages, type KeepAgainTx, type KeepDeps } from './flows/keep.ts';
import { receiveMessages, type InboundMessage, type ReceiveDeps, type ReceiveTx } from './flows/receive.ts';
import type { MessageFacts } from './rules/facts.ts';
import type { IgnoredTypes } from './rules/ignored-types.ts';
import { route } from './rules/message-kind.ts';
import { readingOf, type Reading } from './rules/reading.ts';
import { readIgnored, readOrder, readPatientUpdate, readReport } from './rules/read.ts';

/** HL7 messages that are taken in one transaction, at most. */
export const MESSAGES_TOGETHER = 32;
const BYTES_TOGETHER = 4 * 1024 * 1024;
/** A transaction that takes longer does not hold up the messages after it. */
const PATIENCE_MS = 5_000;

/** Makes a message control ID (MSH-10). */
export const newControlId = (): string => randomBytes(10).toString('hex');

export interface ReceivingParts<Tx> extends KeepDeps<Tx & ReceivingTx> {
  readonly settings: Hl7Settings;
  readonly ignoredTypes: IgnoredTypes;
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  /** So many transactions at most are at work for messages: the feed, the operators and /readyz need connections too. */
  readonly mostTakes: number;
  readonly now: () => Date;
  readonly onRefused: ReceiveDeps<ReceiveTx>['onRefused'];
  readonly onTest: ReceiveDeps<ReceiveTx>['onTest'];
  readonly onIgnored: ReceiveDeps<ReceiveTx>['onIgnored'];
  readonly onWarnings: ReceiveDeps<ReceiveTx>['onWarnings'];
}

export type ReceivingTx = ReceiveTx & KeepAgainTx;

class Undone extends Error {}

/** Does `work` for each of these inside one transaction, and undoes it. */
async function attemptTogether<Tx, T>(
  transaction: <R>(work: (tx: Tx) => Promise<R>) => Promise<R>,
  inbound: readonly InboundMessage[],
  work: (tx: Tx, one: InboundMessage) => Promise<T>,
): Promise<readonly T[]> {
  const ends: T[] = [];
  try {
    await transaction(async (tx) => {
      for (const one of inbound) ends.push(await work(tx, one));
      throw new Undone();
    });
  } catch (error) {
    if (!(error instanceof Undone)) throw error;
  }
  return ends;
}

/** How HL7 messages are taken: as they come, several in one transaction where they come faster than that, or again. */
export function createReceiving<Tx extends ReceivingTx>(parts: ReceivingParts<Tx>) {
  const { settings, ignoredTypes, transaction, link, planTexts, mostTakes, now } = parts;
  const { onRefused, onTest, onIgnored, onWarnings } = parts;
  const reading =
    (read: (message: Hl7Message, settings: Hl7Settings, receivedAt: Date) => MessageFacts) =>
    (message: Hl7Message, receivedAt: Date): MessageFacts =>
      read(message, settings, receivedAt);
  const read = {
    order: reading(readOrder),
    report: reading(readReport),
    patient: reading(readPatientUpdate),
    ignored: reading(readIgnored),
  };
  const deps: ReceiveDeps<Tx> = {
    ...{ transaction, read, ignoredTypes, newControlId, now, onRefused, onTest, onIgnored, onWarnings },
    understand: (message, facts) => readingOf(message, facts, settings),
    keep: (tx, kept, known, messages, at) => keepMessages({ link, planTexts }, tx, kept, known, messages, at),
    contentHash: (raw) => hash('sha256', raw, 'hex'),
  };
  const receiveTogether = (inbound: readonly InboundMessage[]): Promise<string[]> => receiveMessages(deps, inbound);
  const again = {
    ...{ link, planTexts },
    read: (message: Hl7Message, receivedAt: Date): MessageFacts =>
      read[route(message, ignoredTypes)](message, receivedAt),
  };
  return {
    receiveTogether,
    /** Takes a message, together with those that come while others are in work. */
    receive: gather(receiveTogether, {
      most: MESSAGES_TOGETHER,
      mostWeight: BYTES_TOGETHER,
      weigh: ({ raw }) => raw.length,
      mostTakes,
      patience: (take) => settledWithin(take, PATIENCE_MS),
      soon: (begin) => void setImmediate(begin),
    }),
    /**
     * Takes messages as {@link receive} would, one after the other, lets `look` see what came of each, and undoes it all:
     * nothing is kept. Gives each answer with what was seen.
     */
    attempt: <T>(
      inbound: readonly InboundMessage[],
      look: (tx: Tx, facts: MessageFacts | null, reading: Reading | null) => Promise<T>,
    ): Promise<readonly { readonly acknowledgment: string; readonly seen: T }[]> =>
      attemptTogether(transaction, inbound, async (tx, one) => {
        const unheard = (): void => undefined;
        const quiet = { onRefused: unheard, onTest: unheard, onIgnored: unheard, onWarnings: unheard };
        let [facts, reading]: [MessageFacts | null, Reading | null] = [null, null];
        const understand = (message: Hl7Message, said: MessageFacts): Reading => {
          facts = said;
          return (reading = deps.understand(message, said));
        };
        const inside = {
          ...deps,
          ...quiet,
          understand,
          transaction: <R>(work: (within: Tx) => Promise<R>) => work(tx),
        };
        const [acknowledgment = ''] = await receiveMessages(inside, [one]);
        return { acknowledgment, seen: await look(tx, facts, reading) };
      }),
    /** Applies a kept message again, as one that came at `receivedAt`. @throws Hl7Rejection where it cannot be. */
    applyAgain: (tx: Tx, message: Hl7Message, messageId: string, receivedAt: Date): Promise<void> =>
      keepAgain(again, tx, message, messageId, receivedAt, now()),
  };
}
