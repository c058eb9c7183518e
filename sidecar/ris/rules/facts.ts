import type { PatientFacts, Said } from './patient-update.ts';
import { component, segment, type Hl7Message } from '../../hl7/rules/message.ts';
import { latestMeant, type PracticeTime } from '../../hl7/rules/time.ts';
import { phoneOf, type Phone, type SaidPhones } from './patient-phones.ts';
import type { OrderStatus, StudyFacts } from './order.ts';
import type { Report } from './report.ts';
import { isPlaceIssuer } from './patient-number.ts';
import type { Warning } from './warning.ts';
import { patientsContradict } from './same-patient.ts';

export interface PatientIdentity {
  readonly externalId: string;
  readonly issuer: string;
}

/** All that one message says. The patients of orders, reports and merges are among `patients`, by position. */
export interface MessageFacts {
  readonly saidAt: Date;
  readonly patients: readonly (PatientIdentity & Partial<PatientFacts>)[];
  readonly merges: readonly { readonly prior: number; readonly survivor: number }[];
  readonly orders: readonly {
    readonly patient: number;
    readonly study: StudyFacts;
    readonly status: OrderStatus;
    /** The other numbers in the places of its accession number. */
    readonly elsewhere?: readonly string[];
  }[];
  readonly reports: readonly { readonly patient: number; readonly report: Report }[];
  /** What was odd in it. */
  readonly warnings: readonly Warning[];
}

/**
 * When a message was said: MSH-7 as precisely as it is, but never later than it came, so that a sender whose clock is
 * ahead cannot outlast what is said afterwards. One that names a day only was said at its end, or when it came.
 */
export function saidAt(message: Hl7Message, receivedAt: Date, timeZone: string): Date {
  return latestMeant(component(segment(message, 'MSH'), 7), timeZone, receivedAt) ?? receivedAt;
}

/** Facts of one kind about one thing, the earliest first. */
type Sequence<T> = readonly T[];

/** The last word on `key`; `undefined` where nobody said anything. */
function lastSaid<T, K extends keyof T>(facts: Sequence<T>, key: K): T[K] | undefined {
  return facts.findLast((one) => one[key] !== undefined)?.[key];
}

export type SaidOfPatient = Partial<
  Pick<
    PatientFacts,
    'name' | 'birthDate' | 'sex' | 'phoneNumber' | 'phoneProblem' | 'phones' | 'rulesPhones' | 'deceased'
  >
>;

export interface FoldedPatient {
  readonly name: string | null;
  readonly birthDate: string | null;
  readonly sex: string | null;
  readonly phoneNumber: string | null;
  readonly phoneProblem: string | null;
  /** Another mobile that a report named after orders and ADT messages named this one; not there without. */
  readonly reportedPhone?: string | undefined;
  /** Not there where nobody spoke of it. */
  readonly deceased?: boolean;
}

type NameAndBirthDate = Pick<SaidOfPatient, 'name' | 'birthDate'>;

/** Whether two cannot be one person by name and birth date alone: both differ, or the only one that can be compared. */
function differ(a: NameAndBirthDate, b: NameAndBirthDate): boolean {
  const side = (one: NameAndBirthDate) => ({
    patientIds: [],
    patientName: one.name ?? '',
    birthDate: one.birthDate ?? null,
  });
  return patientsContradict(side(a), side(b), 1);
}

interface SaidBySomeone {
  /** Said with a report. */
  readonly ofReport?: boolean;
  readonly facts: SaidOfPatient;
}

interface SaidOfIdentity extends SaidBySomeone {
  readonly identityId: string;
}

const ruling = <T extends SaidBySomeone>(said: Sequence<T>): T[] => said.filter(({ ofReport }) => ofReport !== true);

/** Without what came with reports that name somebody else than orders and ADT messages do. */
function believed<T extends SaidBySomeone>(said: Sequence<T>): T[] {
  const known = foldPatient(ruling(said));
  return said.filter(({ ofReport, facts }) => ofReport !== true || !differ(facts, known));
}

/** What one message says of phones. What was kept before each field was kept apart speaks for all of them. */
function phonesOf({ phones, phoneNumber, phoneProblem }: SaidOfPatient): SaidPhones | null {
  if (phones !== undefined) return phones;
  if (phoneNumber === undefined) return null;
  const nothing = { number: null, rank: 0, problem: null, barred: [] };
  return { 13: { ...nothing, number: phoneNumber, rank: 1, problem: phoneProblem ?? null }, 14: nothing, 40: nothing };
}

/**
 * Each field's last word in orders and ADT messages. Reports are heard where those say nothing of phones; another mobile
 * in the last of them is told beside the one that is known.
 */
function foldPhones(said: Sequence<SaidBySomeone>): Phone & Pick<FoldedPatient, 'reportedPhone'> {
  const spoken = said.flatMap(({ ofReport, facts }) => {
    const phones = phonesOf(facts);
    return phones === null ? [] : [{ phones, rules: ofReport !== true || facts.rulesPhones === true }];
  });
  const last = spoken.findLastIndex(({ rules }) => rules);
  const heard = last < 0 ? spoken : spoken.filter(({ rules }) => rules);
  const known = phoneOf(heard.reduce<SaidPhones>((all, { phones }) => ({ ...all, ...phones }), {}));
  const { phones: reported = {} } = spoken.slice(last + 1).findLast(({ phones }) => phoneOf(phones).phoneNumber) ?? {};
  const isKnown = Object.values(reported).some((field) => field?.number === known.phoneNumber);
  const { phoneNumber: other } = phoneOf(reported);
  return last < 0 || isKnown || known.phoneNumber === null || other === null
    ? known
    : { ...known, reportedPhone: other };
}

/** A report's word that somebody has died counts as any other's; that somebody lives overrules nothing. */
function foldDeath(said: Sequence<SaidBySomeone>): Pick<FoldedPatient, 'deceased'> {
  const heard = said.filter(({ ofReport, facts }) => ofReport !== true || facts.deceased === true);
  const facts = heard.map((one) => one.facts);
  const deceased = lastSaid(facts, 'deceased');
  return deceased === undefined ? {} : { deceased };
}

/** A patient as the facts leave one: of each value the last word of orders and ADT messages, else of reports. */
export function foldPatient(said: Sequence<SaidBySomeone>): FoldedPatient {
  const [rules, all] = [ruling(said), said].map((some) => some.map(({ facts }) => facts));
  const word = <K extends 'name' | 'birthDate' | 'sex'>(key: K) => {
    const byRuling = lastSaid(rules ?? [], key);
    return (byRuling === undefined ? lastSaid(all ?? [], key) : byRuling) ?? null;
  };
  return {
    name: word('name'),
    birthDate: word('birthDate'),
    sex: word('sex'),
    ...foldPhones(said),
    ...foldDeath(said),
  };
}

export interface KnownIdentity extends PatientIdentity {
  readonly id: string;
}

export interface Merge {
  readonly priorId: string;
  readonly survivorId: string;
}

const fold = (text: string): string => text.trim().toUpperCase();

type SamePerson = (id: string, otherId: string) => boolean;

/** The identifier without an assigning authority is the one with, where only one authority's is known and agrees. */
function withoutIssuer(identities: readonly KnownIdentity[], samePerson: SamePerson): Merge[] {
  return [...Map.groupBy(identities, ({ externalId }) => fold(externalId)).values()].flatMap((same) => {
    const bare = same.find(({ issuer }) => fold(issuer) === '');
    // A number of a sender's own place merges nobody, and keeps nobody from being merged.
    const [only, another] = same.filter(({ issuer }) => fold(issuer) !== '' && !isPlaceIssuer(issuer));
    return bare !== undefined && only !== undefined && another === undefined && samePerson(bare.id, only.id)
      ? [{ priorId: bare.id, survivorId: only.id }]
      : [];
  });
}

/**
 * Whom each of these identifiers stands for, after all merges (HL7 v2.5.1 chapter 3.3.40), the earliest first: of
 * several merges of one the last holds, chains are followed to their end, and of a circle the earliest merge gives way
 * (merged one way and then back). Holds every identity given; independent of their order.
 */
export function canonicalPatients(
  identities: readonly KnownIdentity[],
  merges: Sequence<Merge>,
  samePerson: SamePerson = () => true,
): ReadonlyMap<string, string> {
  const edges = [...withoutIssuer(identities, samePerson), ...merges];
  const age = new Map<string, number>();
  const parent = new Map<string, string>();
  for (const [index, { priorId, survivorId }] of edges.entries()) {
    if (priorId === survivorId) continue;
    parent.set(priorId, survivorId);
    age.set(priorId, index);
  }
  const end = (start: string): string => {
    const way = [start];
    for (;;) {
      const next = parent.get(way.at(-1) ?? start);
      if (next === undefined) return way.at(-1) ?? start;
      if (!way.includes(next)) {
        way.push(next);
        continue;
      }
      const circle = way.slice(way.indexOf(next));
      const earliest = circle.reduce((a, b) => ((age.get(a) ?? 0) < (age.get(b) ?? 0) ? a : b));
      parent.delete(earliest);
      way.splice(1);
    }
  };
  return new Map(identities.map(({ id }) => [id, end(id)]));
}

export interface FoldedIdentity extends FoldedPatient {
  readonly id: string;
  /** Whose the studies of this identifier are, where that is another one. */
  readonly mergedInto: string | null;
}

/**
 * The rows of these identifiers; merges and facts the earliest first. What is said under the same identifier with and
 * without its assigning authority is said of one patient, unless name and birth date tell two; what is said under a
 * merged identifier stays its own.
 */
export function foldPatients(
  identities: readonly KnownIdentity[],
  merges: Sequence<Merge>,
  facts: Sequence<SaidOfIdentity>,
): FoldedIdentity[] {
  const byIdentity = Map.groupBy(facts, ({ identityId }) => identityId);
  const alone = (id: string): FoldedPatient => foldPatient(believed(byIdentity.get(id) ?? []));
  const canonical = canonicalPatients(identities, merges, (id, otherId) => !differ(alone(id), alone(otherId)));
  const number = ({ id, externalId }: KnownIdentity): string => `${canonical.get(id) ?? id} ${fold(externalId)}`;
  const byNumber = Map.groupBy(identities, number);
  return identities.map((identity) => {
    const { id } = identity;
    const same = new Set((byNumber.get(number(identity)) ?? []).map((other) => other.id));
    const told = same.size > 1 ? facts.filter(({ identityId }) => same.has(identityId)) : (byIdentity.get(id) ?? []);
    const end = canonical.get(id) ?? id;
    return { id, mergedInto: end === id ? null : end, ...foldPatient(believed(told)) };
  });
}

/** One thing said of a study; `status` and precedence of an order, of a report `null`. */
export interface SaidOfStudy {
  readonly kind: 'order' | 'report';
  readonly status: OrderStatus | null;
  readonly patientId: string;
  readonly facts: StoredStudyFacts;
}

/** {@link StudyFacts} as they are kept: a key that is not there was not said, the time as text. */
export type StoredStudyFacts = Readonly<
  Pick<StudyFacts, 'accessionNumber'> &
    Partial<Omit<StudyFacts, 'accessionNumber' | 'scheduled'>> & {
      /** The other numbers in the places of the accession number. */
      elsewhere?: readonly string[];
      scheduled?: Said<{ readonly instant: string; readonly localDate: string }>;
    }
>;

export interface FoldedStudy {
  readonly accessionNumber: string;
  readonly patientId: string;
  readonly orderStatus: OrderStatus | 'none';
  readonly externalId: string | null;
  readonly placerOrderNumber: string | null;
  readonly fillerOrderNumber: string | null;
  readonly studyInstanceUid: string | null;
  readonly modality: string | null;
  readonly procedureCode: string | null;
  readonly procedureDescription: string | null;
  readonly scheduledAt: string | null;
  readonly studyDate: string | null;
}

/**
 * A RIS study as the facts leave it: of each value the orders' last word, and what no order spoke of from the reports.
 * The patient is the last order's. Where there is no order it is the first report's: a stray report takes no study. `null` without any facts.
 */
export function foldStudy(said: Sequence<SaidOfStudy>): FoldedStudy | null {
  const orders = said.filter(({ kind }) => kind === 'order');
  const reports = said.filter(({ kind }) => kind === 'report');
  const decisive = orders.at(-1) ?? reports.at(-1);
  if (decisive === undefined) return null;
  const [ordered, reported] = [orders.map(({ facts }) => facts), reports.map(({ facts }) => facts)];
  const word = <K extends keyof StoredStudyFacts>(key: K): StoredStudyFacts[K] | null => {
    const byOrder = lastSaid(ordered, key);
    return byOrder === undefined ? (lastSaid(reported, key) ?? null) : byOrder;
  };
  const scheduled = word('scheduled');
  const [placerOrderNumber, fillerOrderNumber] = [word('placerOrderNumber'), word('fillerOrderNumber')];
  return {
    accessionNumber: decisive.facts.accessionNumber,
    patientId: (orders.at(-1) ?? reports[0] ?? decisive).patientId,
    orderStatus: orders.at(-1)?.status ?? 'none',
    externalId: fillerOrderNumber ?? placerOrderNumber ?? null,
    placerOrderNumber: placerOrderNumber ?? null,
    fillerOrderNumber: fillerOrderNumber ?? null,
    studyInstanceUid: word('studyInstanceUid') ?? null,
    modality: word('modality') ?? null,
    procedureCode: word('procedureCode') ?? null,
    procedureDescription: word('procedureDescription') ?? null,
    scheduledAt: scheduled?.instant ?? null,
    studyDate: scheduled?.localDate ?? null,
  };
}

export function storedStudyFacts(facts: StudyFacts, elsewhere: readonly string[] = []): StoredStudyFacts {
  const { scheduled, ...rest } = facts;
  const time = (at: PracticeTime) => ({ instant: at.instant.toISOString(), localDate: at.localDate });
  const others = elsewhere.length === 0 ? {} : { elsewhere };
  return { ...rest, ...others, scheduled: scheduled == null ? scheduled : time(scheduled) };
}
