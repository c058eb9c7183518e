import { accessionKey } from './accession.ts';
import type { StoredStudyFacts } from './facts.ts';
import type { OrderStatus } from './order-control.ts';

/** What a message said of one study, as far as it decides which study that is. */
export interface NumberedFact {
  readonly messageId: string;
  readonly kind: 'order' | 'report';
  /** Of an order how it stands. */
  readonly status: OrderStatus | null;
  readonly patientId: string;
  readonly facts: StoredStudyFacts;
}

/** The key of the accession number that the message itself gave. */
export const saidKey = ({ facts }: NumberedFact): string => accessionKey(facts.accessionNumber);

const elsewhereKeys = ({ facts }: NumberedFact): string[] => (facts.elsewhere ?? []).map(accessionKey);

type Choice<T> = (fact: T) => string | undefined;

/**
 * The key of each fact of one message, by the first of these choices that names one for it alone, which no other fact of
 * the message has: two facts of a message never become one study that way. Else the one it said.
 */
function chooseOfMessage<T extends NumberedFact>(
  facts: readonly T[],
  choices: readonly Choice<T>[],
  taken: readonly string[],
): Map<T, string> {
  const chosen = new Map<T, string>();
  for (const choice of choices) {
    const others = new Set([...taken, ...chosen.values()]);
    const open = facts.filter((fact) => !chosen.has(fact)).map((fact) => ({ fact, key: choice(fact) }));
    for (const { fact, key } of open) {
      const isAlone = open.filter((other) => other.key === key).length === 1;
      if (key !== undefined && isAlone && !others.has(key)) chosen.set(fact, key);
    }
  }
  return new Map(facts.map((fact) => [fact, chosen.get(fact) ?? saidKey(fact)]));
}

/** The key of each of these facts; `before`: the facts that have theirs. */
function choose<T extends NumberedFact>(
  facts: readonly T[],
  choices: readonly Choice<T>[],
  before: ReadonlyMap<T, string>,
): Map<T, string> {
  const taken = Map.groupBy(before, ([{ messageId }]) => messageId);
  return new Map(
    [...Map.groupBy(facts, ({ messageId }) => messageId)].flatMap(([messageId, of]) => {
      const keys = (taken.get(messageId) ?? []).map(([, key]) => key);
      return [...chooseOfMessage(of, choices, keys)];
    }),
  );
}

interface OrderNumbers {
  readonly placer: string;
  readonly filler: string;
}

/** A number that tells an order from others has a digit; `''` where there is none. */
const orderNumber = (number: string | null | undefined): string =>
  number != null && /\d/.test(number) ? accessionKey(number) : '';

/** Of each order the numbers that were said last; its facts the earliest first. */
function numbersOf<T extends NumberedFact>(orders: ReadonlyMap<T, string>): Map<string, OrderNumbers> {
  const byKey = Map.groupBy(orders, ([, key]) => key);
  const last = (of: [T, string][], name: 'placerOrderNumber' | 'fillerOrderNumber'): string =>
    orderNumber(of.findLast(([{ facts }]) => facts[name] !== undefined)?.[0].facts[name]);
  return new Map(
    [...byKey].map(([key, of]) => [
      key,
      { placer: last(of, 'placerOrderNumber'), filler: last(of, 'fillerOrderNumber') },
    ]),
  );
}

/** The one order whose filler number a report gives, else whose placer number, where no filler number speaks against it. */
function byOrderNumbers({ facts }: NumberedFact, orders: ReadonlyMap<string, OrderNumbers>): string | undefined {
  const [placer, filler] = [orderNumber(facts.placerOrderNumber), orderNumber(facts.fillerOrderNumber)];
  const sameFiller = [...orders].filter(([, order]) => filler !== '' && order.filler === filler);
  const samePlacer = (among: readonly [string, OrderNumbers][]) =>
    among.filter(([, order]) => placer !== '' && order.placer === placer);
  const silent = [...orders].filter(([, order]) => order.filler === '' || filler === '');
  const found =
    sameFiller.length > 1 ? samePlacer(sameFiller) : sameFiller.length > 0 ? sameFiller : samePlacer(silent);
  const [only, another] = found;
  return another === undefined ? only?.[0] : undefined;
}

/**
 * The keys of one patient's facts. An order that stands is the one that it says it is: what another message says must not
 * drag it elsewhere. A cancellation makes no order, so that it is looked for among them, as a report is.
 */
function keysOfPatient<T extends NumberedFact>(facts: readonly T[]): Map<T, string> {
  const [only, another] = facts;
  // Most patients have one: there is nothing beside it that it could be of.
  if (only !== undefined && another === undefined) return new Map([[only, saidKey(only)]]);
  const isOrder = ({ kind }: T): boolean => kind === 'order';
  const isStanding = (one: T): boolean => isOrder(one) && one.status !== 'cancelled';
  const among = (orders: ReadonlyMap<T, string>): Choice<T>[] => {
    const [known, numbers] = [new Set(orders.values()), numbersOf(orders)];
    return [
      (one) => [saidKey(one)].find((key) => known.has(key)),
      (one) => elsewhereKeys(one).find((key) => known.has(key)),
      (one) => byOrderNumbers(one, numbers),
    ];
  };
  const standing = new Map(facts.filter(isStanding).map((one) => [one, saidKey(one)]));
  const cancelled = choose(
    facts.filter((one) => isOrder(one) && !isStanding(one)),
    among(standing),
    standing,
  );
  // In the order of the facts, in which the last says the numbers.
  const keys = new Map([...standing, ...cancelled]);
  const orders = new Map(facts.filter(isOrder).map((one) => [one, keys.get(one) ?? saidKey(one)]));
  const reports = facts.filter((one) => !isOrder(one));
  return new Map([...orders, ...choose(reports, among(orders), orders)]);
}

/**
 * The key of the study that each fact is of, facts the earliest first: the accession number that its message gave. Of a
 * report or a cancellation, where that is of none of the patient's orders, it is another number of its places that is,
 * else the order that has its filler or placer number (HL7 v2.5.1 chapters 4.5.3.2 and 4.5.3.3), if exactly one has. Rests on what was said of
 * that patient alone, so that it is the same in whatever order messages come. `person`: who a patient's identifier stands
 * for; facts of somebody who is not known here are left out.
 */
export function studyKeys<T extends NumberedFact>(
  facts: readonly T[],
  person: (patientId: string) => string | undefined,
): ReadonlyMap<T, string> {
  const byPerson = Map.groupBy(facts, ({ patientId }) => person(patientId));
  byPerson.delete(undefined);
  return new Map([...byPerson.values()].flatMap((of) => [...keysOfPatient(of)]));
}
