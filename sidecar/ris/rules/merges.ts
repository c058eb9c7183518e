import { isPlaceIssuer } from './patient-number.ts';

export interface KnownIdentity {
  readonly externalId: string;
  readonly issuer: string;
  readonly id: string;
}

/**
 * What was said of two identifiers, `merge` unless it says so:
 * - `merge`: all of `priorId` is the survivor's (A40);
 * - `same`: both are numbers of one patient (repetitions of PID-3), the survivor the first;
 * - `apart`: they are two patients, whatever was said before (A37);
 * - `parted`: a person took back what was said; numbers of one message make them one no more.
 */
export interface Merge {
  readonly priorId: string;
  readonly survivorId: string;
  readonly kind?: 'merge' | 'same' | 'apart' | 'parted' | undefined;
}

const fold = (text: string): string => text.trim().toUpperCase();

type SamePerson = (id: string, otherId: string) => boolean;

/** The identifier without an assigning authority is the one with, where only one authority's is known and agrees. */
function withoutIssuer(identities: readonly KnownIdentity[], samePerson: SamePerson): ReadonlyMap<string, string> {
  const groups = [...Map.groupBy(identities, ({ externalId }) => fold(externalId)).values()];
  return new Map(
    groups.flatMap((same): [string, string][] => {
      const bare = same.find(({ issuer }) => fold(issuer) === '');
      // A number of a sender's own place merges nobody, and keeps nobody from being merged.
      const [only, another] = same.filter(({ issuer }) => fold(issuer) !== '' && !isPlaceIssuer(issuer));
      return bare !== undefined && only !== undefined && another === undefined && samePerson(bare.id, only.id)
        ? [[bare.id, only.id]]
        : [];
    }),
  );
}

/** All that these pairs join to `start`. */
function joined(start: string, pairs: readonly Merge[]): Set<string> {
  const found = new Set([start]);
  for (const one of found) {
    for (const { priorId, survivorId } of pairs) {
      if (priorId === one) found.add(survivorId);
      if (survivorId === one) found.add(priorId);
    }
  }
  return found;
}

/** The pairs that are numbers of one patient after all that was said. */
function samePairs(merges: readonly Merge[], samePerson: SamePerson): readonly Merge[] {
  const isOf = (a: string, b: string) => (pair: Merge) =>
    (pair.priorId === a && pair.survivorId === b) || (pair.priorId === b && pair.survivorId === a);
  const parted = merges.filter(({ kind }) => kind === 'parted');
  let pairs: readonly Merge[] = [];
  for (const one of merges) {
    const { priorId: a, survivorId: b, kind } = one;
    if (kind === 'same' && samePerson(a, b) && !parted.some(isOf(a, b))) pairs = [...pairs, one];
    if (kind !== 'apart') continue;
    pairs = pairs.filter((pair) => !isOf(a, b)(pair));
    // Joined by way of a third number, nobody says whose that is.
    if (joined(a, pairs).has(b)) {
      pairs = pairs.filter(({ priorId, survivorId }) => ![priorId, survivorId].some((id) => id === a || id === b));
    }
  }
  return pairs;
}

/** Which of a patient's several numbers it stands for: the one that was named first the last time. */
function mainNumbers(merges: readonly Merge[], samePerson: SamePerson): ReadonlyMap<string, string> {
  const pairs = samePairs(merges, samePerson);
  const main = new Map<string, string>();
  if (pairs.length === 0) return main;
  for (const { priorId, survivorId, kind = 'merge' } of merges) {
    if (kind !== 'same' && kind !== 'merge') continue;
    const numbers = joined(survivorId, pairs);
    if (numbers.size > 1 && numbers.has(priorId)) for (const id of numbers) main.set(id, survivorId);
  }
  return main;
}

/** Who was merged into whom, as a chain is followed. */
class Chains {
  readonly #parent = new Map<string, string>();
  readonly #age = new Map<string, number>();
  #merges = 0;

  merge(prior: string, survivor: string): void {
    if (prior === survivor) return;
    this.#parent.set(prior, survivor);
    this.#age.set(prior, (this.#merges += 1));
  }

  /** From there on, each once. */
  #way(start: string): string[] {
    const way = new Set<string>();
    for (let at: string | undefined = start; at !== undefined && !way.has(at); at = this.#parent.get(at)) way.add(at);
    return [...way];
  }

  /** Each of the two that was merged into the other is its own again, and both where they were into a third. */
  part(a: string, b: string): void {
    const [wayOfA, wayOfB] = [this.#way(a), this.#way(b)];
    if (!wayOfA.some((one) => wayOfB.includes(one))) return;
    const [intoB, intoA] = [wayOfA.includes(b), wayOfB.includes(a)];
    if (intoB || !intoA) this.#parent.delete(a);
    if (intoA || !intoB) this.#parent.delete(b);
  }

  /** The end of the chain; of a circle the earliest merge gives way. */
  end(start: string): string {
    for (;;) {
      const way = this.#way(start);
      const last = way.at(-1) ?? start;
      const next = this.#parent.get(last);
      if (next === undefined) return last;
      const circle = way.slice(way.indexOf(next));
      this.#parent.delete(circle.reduce((a, b) => ((this.#age.get(a) ?? 0) < (this.#age.get(b) ?? 0) ? a : b)));
    }
  }
}

export interface WhoIsWho {
  /** Which number each is the same patient's as, by its authority or by PID-3. */
  readonly same: ReadonlyMap<string, string>;
  /** Whom each stands for, after all merges too. */
  readonly canonical: ReadonlyMap<string, string>;
}

/**
 * Whom each of these identifiers stands for, after all merges (HL7 v2.5.1 chapter 3.3.40), the earliest first: of
 * several merges of one the last holds, chains are followed to their end, and of a circle the earliest merge gives way
 * (merged one way and then back). A merge carries all numbers of a patient. Holds every identity given; independent of
 * their order.
 */
export function whoIsWho(
  identities: readonly KnownIdentity[],
  said: readonly Merge[],
  samePerson: SamePerson = () => true,
): WhoIsWho {
  const issued = withoutIssuer(identities, samePerson);
  const of = (id: string): string => issued.get(id) ?? id;
  const merges = said.map((one) => ({ ...one, priorId: of(one.priorId), survivorId: of(one.survivorId) }));
  const main = mainNumbers(merges, samePerson);
  const number = (id: string): string => main.get(of(id)) ?? of(id);
  const chains = new Chains();
  for (const { priorId, survivorId, kind = 'merge' } of merges) {
    if (kind === 'merge') chains.merge(number(priorId), number(survivorId));
    if (kind === 'apart') chains.part(number(priorId), number(survivorId));
  }
  return {
    same: new Map(identities.map(({ id }) => [id, number(id)])),
    canonical: new Map(identities.map(({ id }) => [id, chains.end(number(id))])),
  };
}
