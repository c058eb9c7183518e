import { accessionKey } from './accession.ts';
import type { KnownIdentity, Merge } from './merges.ts';
import { studyKeys } from './order-numbers.ts';
import type { OrderedBy } from './clash.ts';
import type { OrderStatus } from './order.ts';
import type { Report } from './report.ts';
import {
  foldPatients,
  foldStudy,
  storedStudyFacts,
  type FoldedIdentity,
  type FoldedStudy,
  type MessageFacts,
  type PatientIdentity,
  type SaidOfPatient,
  type StoredStudyFacts,
} from './facts.ts';

/** A message that is kept under this id, with what it says. */
export interface KeptMessage {
  readonly id: string;
  readonly facts: MessageFacts;
}

/** Where a fact stands among the others: by when it was said, then by when its message came. */
export interface Told {
  readonly saidAt: Date;
  readonly messageId: string;
  readonly ordinal: number;
}

export interface PatientFact extends Told {
  readonly identityId: string;
  readonly ofReport: boolean;
  readonly facts: SaidOfPatient;
}

export interface StudyFact extends Told {
  readonly key: string;
  readonly kind: 'order' | 'report';
  readonly status: OrderStatus | null;
  readonly patientId: string;
  readonly facts: StoredStudyFacts;
}

/** A fact that is kept under another key than it was. */
export interface MovedFact extends Pick<StudyFact, 'messageId' | 'ordinal' | 'key' | 'facts'> {
  readonly kind: 'order' | 'report';
  /** Whose it was, and whose it is. */
  readonly fromStudyId: string;
  readonly toStudyId: string;
}

export interface StudyRow extends FoldedStudy {
  readonly id: string;
  readonly key: string;
}

export type PatientRow = FoldedIdentity & KnownIdentity;

/** All that the database holds which some messages bear on. */
export interface KnownFacts {
  /** The id of each identifier that the messages name; of one that has no row yet the id that it will have. */
  readonly ids: ReadonlyMap<PatientIdentity, string>;
  /** Those identifiers that have a row, and all related to them. */
  readonly patients: readonly PatientRow[];
  readonly merges: readonly (Merge & Told)[];
  readonly patientFacts: readonly PatientFact[];
  /** The studies they name and all of these patients; `row` is `null` where there is none yet. */
  readonly studies: readonly {
    readonly key: string;
    readonly id: string;
    readonly row: FoldedStudy | null;
    readonly hasReports: boolean;
  }[];
  /** All that was said of these studies; `standsFor`: whose studies its patient's are. */
  readonly studyFacts: readonly (StudyFact & { readonly standsFor: string })[];
}

export interface ReportRow {
  readonly studyId: string;
  readonly patientId: string;
  readonly messageId: string;
  readonly saidAt: Date;
  readonly report: Report;
  /** Its study's. */
  readonly key: string;
}

/** What is to be written of some messages: facts as they were said, and of what follows from them the rows that differ. */
export interface FactChanges {
  readonly patients: readonly PatientRow[];
  readonly patientFacts: readonly PatientFact[];
  readonly merges: readonly (Merge & Told)[];
  readonly studyFacts: readonly StudyFact[];
  readonly studies: readonly StudyRow[];
  readonly reports: readonly ReportRow[];
  /** What was said before and is another study's now, by the numbers of its order. */
  readonly moved: readonly MovedFact[];
  /** Studies of which nothing is said any more: all that hangs on them is the other's. */
  readonly emptied: readonly { readonly id: string; readonly intoId: string }[];
  /** All studies that they bear on, changed or not, and those of them that have reports. */
  readonly studyIds: readonly string[];
  readonly reportedIds: readonly string[];
}

const inOrder = (a: Told, b: Told): number =>
  a.saidAt.getTime() - b.saidAt.getTime() ||
  a.messageId.length - b.messageId.length ||
  (a.messageId === b.messageId ? a.ordinal - b.ordinal : a.messageId < b.messageId ? -1 : 1);

/** Two rows of the same columns. */
function isSame<T extends object>(a: T, b: T | null | undefined): boolean {
  const [one, other] = [a, b ?? {}].map((row) => new Map<string, unknown>(Object.entries(row)));
  return b != null && [...(one?.keys() ?? []), ...(other?.keys() ?? [])].every((at) => one?.get(at) === other?.get(at));
}

function orderedBy({ sender, patients }: MessageFacts, position: number): OrderedBy | undefined {
  const patient = patients[position]?.externalId.trim().toUpperCase();
  return sender === undefined || patient === undefined ? undefined : { sender, patient };
}

type MessageRows = Pick<FactChanges, 'patientFacts' | 'merges' | 'studyFacts'> & {
  readonly reports: readonly (Omit<ReportRow, 'studyId' | 'key'> & { readonly ordinal: number })[];
};

function rowsOf({ id: messageId, facts }: KeptMessage, ids: KnownFacts['ids']): MessageRows {
  const { saidAt } = facts;
  const patientId = (position: number): string => {
    const identity = facts.patients[position];
    const id = identity && ids.get(identity);
    if (id === undefined) throw new RangeError('a patient that was not looked up');
    return id;
  };
  const patientFacts = facts.patients.map(({ externalId: _id, issuer: _issuer, ...said }, ordinal) => ({
    ...{ messageId, ordinal, saidAt, identityId: patientId(ordinal), ofReport: facts.reports.length > 0 },
    facts: said,
  }));
  const studyFacts = [
    ...facts.orders.map((order) => ({ ...order, kind: 'order' as const })),
    ...facts.reports.map(({ patient, report }) => ({
      ...{ patient, study: report.study, elsewhere: report.elsewhere, status: null, kind: 'report' as const },
    })),
  ].map(({ patient, study, elsewhere, kind, status }, ordinal) => ({
    ...{ messageId, ordinal, saidAt, kind, status, patientId: patientId(patient) },
    key: accessionKey(study.accessionNumber),
    facts: storedStudyFacts(study, elsewhere, kind === 'order' ? orderedBy(facts, patient) : undefined),
  }));
  return {
    patientFacts: patientFacts.filter((row) => Object.values(row.facts).some((value) => value !== undefined)),
    merges: facts.merges.map(({ prior, survivor, kind = 'merge' }, ordinal) => ({
      ...{ messageId, ordinal, saidAt, kind, priorId: patientId(prior), survivorId: patientId(survivor) },
    })),
    studyFacts,
    reports: facts.reports.map(({ patient, report }, index) => ({
      ...{ messageId, ordinal: facts.orders.length + index, saidAt, report, patientId: patientId(patient) },
    })),
  };
}

/** These facts of one study, each with the study's own accession number where it is the study's by other numbers. */
function ownNumber<T extends StudyFact>(key: string, facts: readonly T[]): readonly T[] {
  const own = facts.findLast((fact) => accessionKey(fact.facts.accessionNumber) === key)?.facts.accessionNumber ?? key;
  return facts.map((fact) =>
    accessionKey(fact.facts.accessionNumber) === key
      ? fact
      : { ...fact, facts: { ...fact.facts, accessionNumber: own } },
  );
}

/** The identifiers of these messages that have no row yet, each as it was written first. */
function newIdentities({ ids, patients }: KnownFacts, messages: readonly KeptMessage[]): KnownIdentity[] {
  const have = new Set(patients.map(({ id }) => id));
  return messages.flatMap(({ facts }) =>
    facts.patients.flatMap((identity) => {
      const { externalId, issuer } = identity;
      const id = ids.get(identity);
      if (id === undefined || have.has(id)) return [];
      have.add(id);
      return [{ id, externalId, issuer }];
    }),
  );
}

/**
 * What is to be written of these messages, given all that was said before: the same as if one were kept after the
 * other, in the order of their ids, but for what would only have stood until the next. A patient or study that none of
 * them changes is not among it.
 */
export function foldMessages(known: KnownFacts, messages: readonly KeptMessage[]): FactChanges {
  const said = messages.map((message) => rowsOf(message, known.ids));
  const patientFacts = said.flatMap((rows) => rows.patientFacts);
  const merges = said.flatMap((rows) => rows.merges);

  const identities = [...known.patients, ...newIdentities(known, messages)];
  const folded = foldPatients(
    identities,
    [...known.merges, ...merges].sort(inOrder),
    [...known.patientFacts, ...patientFacts].sort(inOrder),
  );
  const rowOf = new Map(known.patients.map((row) => [row.id, row]));
  const patients = folded.flatMap((patient, index) => {
    const { externalId = '', issuer = '' } = identities[index] ?? {};
    const row = { ...patient, externalId, issuer };
    return isSame(row, rowOf.get(row.id)) ? [] : [row];
  });

  const standsFor = new Map(folded.map(({ id, mergedInto }) => [id, mergedInto ?? id]));
  const fresh = said.flatMap((rows) => rows.studyFacts);
  const before = [...known.studyFacts, ...fresh.map((fact) => ({ ...fact, standsFor: fact.patientId }))].sort(inOrder);
  const keys = studyKeys(before, (patientId) => standsFor.get(patientId));
  const now = before.map((fact) => ({ was: fact.key, fact: { ...fact, key: keys.get(fact) ?? fact.key } }));
  const byKey = Map.groupBy(
    now.map(({ fact }) => fact),
    ({ key }) => key,
  );
  const place = ({ messageId, ordinal }: Omit<Told, 'saidAt'>): string => `${messageId} ${ordinal}`;
  const keyAt = new Map(now.map(({ fact }) => [place(fact), fact.key]));
  const studyFacts = fresh.map((fact) => ({ ...fact, key: keyAt.get(place(fact)) ?? fact.key }));
  const reports = said.flatMap((rows) =>
    rows.reports.map((report) => ({ ...report, key: keyAt.get(place(report)) ?? '' })),
  );

  const isFresh = new Set(fresh.map(place));
  const moves = now.filter(({ was, fact }) => fact.key !== was && !isFresh.has(place(fact)));
  const reported = new Set([
    ...reports.map(({ key }) => key),
    ...moves.flatMap(({ fact: { kind, key } }) => (kind === 'report' ? [key] : [])),
  ]);
  const bornOn = known.studies.flatMap(({ key, id, row, hasReports }) => {
    const facts = ownNumber(key, byKey.get(key) ?? []);
    const study = foldStudy(
      facts.map((fact) => ({ ...fact, patientId: standsFor.get(fact.patientId) ?? fact.standsFor })),
    );
    return study === null ? [] : [{ study: { id, key, ...study }, row, hasReports: hasReports || reported.has(key) }];
  });
  const idOf = new Map(known.studies.map(({ key, id }) => [key, id]));
  const moved = moves.map(({ was, fact: { messageId, ordinal, key, kind, facts } }) => ({
    ...{ messageId, ordinal, key, kind, facts },
    ...{ fromStudyId: idOf.get(was) ?? '', toStudyId: idOf.get(key) ?? '' },
  }));
  const intoOf = new Map(moved.map(({ fromStudyId, toStudyId }) => [fromStudyId, toStudyId]));
  return {
    patients,
    patientFacts,
    merges,
    studyFacts,
    studies: bornOn.flatMap(({ study, row }) =>
      isSame(study, row && { id: study.id, key: study.key, ...row }) ? [] : [study],
    ),
    reports: reports.map(({ ordinal: _, ...report }) => ({ ...report, studyId: idOf.get(report.key) ?? '' })),
    moved,
    emptied: known.studies.flatMap(({ key, id, row }) => {
      const intoId = intoOf.get(id);
      return row !== null && intoId !== undefined && !byKey.has(key) ? [{ id, intoId }] : [];
    }),
    studyIds: bornOn.map(({ study }) => study.id),
    reportedIds: bornOn.filter(({ hasReports }) => hasReports).map(({ study }) => study.id),
  };
}

/** What a message said before it is read again, and bore on: those patients and studies are folded anew too. */
export interface SaidBefore {
  readonly patientIds: readonly string[];
  readonly keys: readonly string[];
}
