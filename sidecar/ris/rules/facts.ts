import type { PatientFacts, Said } from './patient-update.ts';
import { component, segment, type Hl7Message } from '../../hl7/rules/message.ts';
import { latestMeant, type PracticeTime } from '../../hl7/rules/time.ts';
import { phoneOf, type Phone, type SaidPhones } from './patient-phones.ts';
import { ordersApart, type OrderedBy } from './clash.ts';
import type { OrderStatus, StudyFacts } from './order.ts';
import type { Report } from './report.ts';
import { whoIsWho, type KnownIdentity, type Merge } from './merges.ts';
import type { Warning } from './warning.ts';
import { patientsContradict } from './same-patient.ts';

export interface PatientIdentity {
  readonly externalId: string;
  readonly issuer: string;
}

/** All that one message says. The patients of orders, reports and merges are among `patients`, by position. */
export interface MessageFacts {
  readonly saidAt: Date;
  /** MSH-3 and MSH-4. */
  readonly sender?: string;
  readonly patients: readonly (PatientIdentity & Partial<Omit<PatientFacts, 'others'>>)[];
  readonly merges: readonly {
    readonly prior: number;
    readonly survivor: number;
    readonly kind?: Merge['kind'];
  }[];
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

export interface FoldedIdentity extends FoldedPatient {
  readonly id: string;
  /** Whose the studies of this identifier are, where that is another one. */
  readonly mergedInto: string | null;
}

/**
 * The rows of these identifiers; merges and facts the earliest first. What is said under the same identifier with and
 * without its assigning authority, or under several numbers of one PID-3, is said of one patient, unless name and birth
 * date tell two; what is said under a merged identifier stays its own.
 */
export function foldPatients(
  identities: readonly KnownIdentity[],
  merges: Sequence<Merge>,
  facts: Sequence<SaidOfIdentity>,
): FoldedIdentity[] {
  const byIdentity = Map.groupBy(facts, ({ identityId }) => identityId);
  const alone = (id: string): FoldedPatient => foldPatient(believed(byIdentity.get(id) ?? []));
  const who = whoIsWho(identities, merges, (id, otherId) => !differ(alone(id), alone(otherId)));
  const { canonical } = who;
  const number = ({ id, externalId }: KnownIdentity): string =>
    `${canonical.get(id) ?? id} ${externalId.trim().toUpperCase()}`;
  const patient = ({ id }: KnownIdentity): string => who.same.get(id) ?? id;
  const [byNumber, byPatient] = [Map.groupBy(identities, number), Map.groupBy(identities, patient)];
  return identities.map((identity) => {
    const { id } = identity;
    const others = [...(byNumber.get(number(identity)) ?? []), ...(byPatient.get(patient(identity)) ?? [])];
    const same = new Set(others.map((other) => other.id));
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
      /** Of an order; not there where it was kept before. */
      by?: OrderedBy | undefined;
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
  /** The sender whose order of this number names another patient than the first sender's. */
  readonly clash: string | null;
}

/** Whose a study is: the last order's that is no cancellation, else the first report's, else the first cancellation's. */
function ownerOf(orders: Sequence<SaidOfStudy>, reports: Sequence<SaidOfStudy>): string | null {
  const standing = orders.findLast(({ status }) => status !== 'cancelled');
  return (standing ?? reports[0] ?? orders[0])?.patientId ?? null;
}

/**
 * A RIS study as the facts leave it: of each value the orders' last word, and what no order spoke of from the reports.
 * A stray report takes no study, and neither does a cancellation: one that names another patient at most cancels the
 * order, and says nothing else. Nor does an order of another sender that means another patient: {@link ordersApart}. `null`
 * without any facts.
 */
export function foldStudy(said: Sequence<SaidOfStudy>): FoldedStudy | null {
  const ofKind = (wanted: SaidOfStudy['kind']): SaidOfStudy[] => said.filter(({ kind }) => kind === wanted);
  const { own: all, clash } = ordersApart(ofKind('order'));
  const reports = ofKind('report');
  const owner = ownerOf(all, reports);
  const orders = all.filter(({ status, patientId }) => status !== 'cancelled' || patientId === owner);
  const decisive = orders.at(-1) ?? reports.at(-1);
  if (decisive === undefined || owner === null) return null;
  const [ordered, reported] = [orders.map(({ facts }) => facts), reports.map(({ facts }) => facts)];
  const word = <K extends keyof StoredStudyFacts>(key: K): StoredStudyFacts[K] | null => {
    const byOrder = lastSaid(ordered, key);
    return byOrder === undefined ? (lastSaid(reported, key) ?? null) : byOrder;
  };
  const scheduled = word('scheduled');
  const [placerOrderNumber, fillerOrderNumber] = [word('placerOrderNumber'), word('fillerOrderNumber')];
  return {
    accessionNumber: decisive.facts.accessionNumber,
    patientId: owner,
    orderStatus: (orders.length > 0 ? all.at(-1)?.status : null) ?? 'none',
    externalId: fillerOrderNumber ?? placerOrderNumber ?? null,
    placerOrderNumber: placerOrderNumber ?? null,
    fillerOrderNumber: fillerOrderNumber ?? null,
    studyInstanceUid: word('studyInstanceUid') ?? null,
    modality: word('modality') ?? null,
    procedureCode: word('procedureCode') ?? null,
    procedureDescription: word('procedureDescription') ?? null,
    scheduledAt: scheduled?.instant ?? null,
    studyDate: scheduled?.localDate ?? null,
    clash,
  };
}

export function storedStudyFacts(
  facts: StudyFacts,
  elsewhere: readonly string[] = [],
  by?: OrderedBy,
): StoredStudyFacts {
  const { scheduled, ...rest } = facts;
  const time = (at: PracticeTime) => ({ instant: at.instant.toISOString(), localDate: at.localDate });
  const others = elsewhere.length === 0 ? {} : { elsewhere };
  return {
    ...rest,
    ...others,
    ...(by !== undefined && { by }),
    scheduled: scheduled == null ? scheduled : time(scheduled),
  };
}
