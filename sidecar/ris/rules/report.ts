import { accessionKey } from './accession.ts';
import { readPatient, type PatientFacts } from './patient-update.ts';
import { component, HL7_NULL, segment, type Hl7Message } from '../../hl7/rules/message.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';
import { settingsFor, type Hl7Settings } from '../../hl7/rules/field-settings.ts';
import { parseHl7Time } from '../../hl7/rules/time.ts';
import { orderGroups, readStudy, rejectionAt, type OrderGroup, type StudyFacts } from './order.ts';
import type { Attachment } from './report-document.ts';
import { sectionsOf, type Section } from './report-sections.ts';
import { reportRows, type Observation, type ReportRows } from './report-text.ts';

export type ReportStatus = 'preliminary' | 'final' | 'corrected' | 'cancelled';

export interface Report {
  readonly study: StudyFacts;
  readonly status: ReportStatus;
  readonly body: string;
  /** The body in the sections that its headings make of it; all of its words are in them. */
  readonly sections: readonly Section[];
  readonly attachments: readonly Attachment[];
  readonly reportedAt: Date | null;
  /** The text that was sent with the version before is final now and was not sent again (OBX-11 U). */
  readonly textStands?: boolean;
}

export interface ReportMessage {
  readonly patient: PatientFacts;
  readonly reports: readonly Report[];
}

const each = (status: ReportStatus, codes: string): [string, ReportStatus][] =>
  codes.split('').map((code) => [code, status]);

// OBR-25, table 0123; M (corrected, not final) and N (procedure done, results pending) of later versions.
const BY_OBR25: ReadonlyMap<string, ReportStatus> = new Map([
  ...each('preliminary', 'OISAPRYZMN'),
  ...each('final', 'F'),
  ...each('corrected', 'C'),
  ...each('cancelled', 'X'),
]);

// OBX-11, table 0085 (A, B and V of later versions), of rows that were not taken back; O and N say nothing of a result.
const BY_OBX11: ReadonlyMap<string, ReportStatus> = new Map([
  ...each('preliminary', 'PRSI'),
  ...each('final', 'FUABV'),
  ...each('corrected', 'C'),
]);

/** Whether a report of this status is one that the patient may read: the first such sends the text. */
export function isFinal(status: ReportStatus): boolean {
  return status === 'final' || status === 'corrected';
}

/** The least final of these that is among `statuses`. */
const leastFinal = (statuses: readonly (ReportStatus | undefined)[]): ReportStatus | undefined =>
  (['preliminary', 'corrected', 'final'] as const).find((status) => statuses.includes(status));

/** OBX-11 U: what was sent as preliminary is final as it was, and was not sent again. */
const standsAsSent = (row: Observation): boolean => row.status === 'U' && row.isBlank;

/** What OBR-25 says; `undefined`: nothing. @throws Hl7Rejection */
function saidStatus(group: OrderGroup): ReportStatus | undefined {
  const obr = group.segments.find(({ name }) => name === 'OBR');
  const obr25 = component(obr, 25).trim().toUpperCase();
  const said = BY_OBR25.get(obr25);
  if (said === undefined && obr25 !== '' && obr25 !== HL7_NULL) {
    throw rejectionAt(group, 'OBR', 25, 103, 'OBR-25 is not a result status of table 0123');
  }
  return said;
}

/**
 * OBR-25 by the rows: a report with a row that is not final yet is not either; one that has nothing left to read, since
 * rows were taken back, is cancelled. Without an OBR-25 the rows alone decide, those that only tell how far the report is
 * where the others say nothing; `undefined`: neither says anything.
 */
function readStatus(said: ReportStatus | undefined, rows: ReportRows): ReportStatus | undefined {
  const { observations, anyRemoved, stateStatuses } = rows;
  if (said === 'cancelled' || said === 'preliminary') return said;
  if (anyRemoved && observations.every((row) => row.isBlank && !standsAsSent(row))) return 'cancelled';
  const statuses = (of: readonly string[]) => leastFinal(of.map((status) => BY_OBX11.get(status)));
  const byRows = statuses(observations.map(({ status }) => status)) ?? statuses(stateStatuses);
  return byRows === 'preliminary' ? byRows : (said ?? byRows);
}

/** One OBR of a report, as it says itself. */
interface ReportGroup {
  readonly group: OrderGroup;
  readonly study: StudyFacts;
  readonly said: ReportStatus | undefined;
  readonly status: ReportStatus | undefined;
  readonly rows: ReportRows;
  readonly reportedAt: Date | null;
}

function readGroup(group: OrderGroup, settings: Hl7Settings): ReportGroup {
  const obr = group.segments.find(({ name }) => name === 'OBR');
  const study = readStudy(group, settings);
  const rows = reportRows(group.message, group.segments);
  const [uid, another] = rows.studyUids;
  const said = saidStatus(group);
  return {
    group,
    // Rows that tell several studies do not say which is meant.
    study: study.studyInstanceUid === undefined && another === undefined ? { ...study, studyInstanceUid: uid } : study,
    said,
    status: readStatus(said, rows),
    rows,
    reportedAt: parseHl7Time(component(obr, 22), settings.timeZone)?.instant ?? null,
  };
}

const hasRows = ({ rows }: ReportGroup): boolean =>
  rows.anyRemoved || rows.body !== '' || rows.observations.some((row) => !row.isBlank || row.status === 'U');

/** Whether a group without rows says itself that what another one reports is not its own: cancelled, or not final yet. */
function speaksAgainst({ said, status }: ReportGroup, donor: ReportGroup): boolean {
  const own = status ?? said;
  if (own === undefined) return false;
  return (
    own === 'cancelled' || donor.status === 'cancelled' || (own === 'preliminary' && donor.status !== 'preliminary')
  );
}

/**
 * The reports of all groups. Where exactly one of several has rows, they are of all of them whose status does not speak
 * against it: so do RISes report several procedures of one visit at once.
 * @throws Hl7Rejection for a group whose status nothing says.
 */
function shareRows(groups: readonly ReportGroup[]): Report[] {
  const [donor, another] = groups.filter(hasRows);
  const keyOf = ({ study }: ReportGroup): string => accessionKey(study.accessionNumber);
  // Several groups of one study are one report, which has the rows once.
  const have = new Set(groups.filter((one) => one === donor).map(keyOf));
  return groups.map((one) => {
    const shares = donor !== undefined && another === undefined && one !== donor && !speaksAgainst(one, donor);
    const rows = shares && !have.has(keyOf(one)) ? donor.rows : one.rows;
    if (shares) have.add(keyOf(one));
    const status = shares ? (leastFinal([one.status ?? donor.status, donor.status]) ?? donor.status) : one.status;
    if (status === undefined) throw rejectionAt(one.group, 'OBR', 25, 101, 'neither OBR-25 nor OBX-11 says a status');
    return {
      ...{ study: one.study, status, body: rows.body, attachments: rows.attachments },
      sections: sectionsOf(rows.body, rows.bold),
      textStands: rows.observations.length > 0 && rows.observations.every(standsAsSent),
      reportedAt: one.reportedAt ?? (shares ? donor.reportedAt : null),
    };
  });
}

const withoutUnsaid = (study: StudyFacts): Partial<StudyFacts> =>
  Object.fromEntries(Object.entries(study).filter(([, value]) => value !== undefined));

/**
 * Several OBRs of one accession number are one report, as final as the least final of those not cancelled, with the
 * text of those and the last of their times; of its study what the first says that says it.
 */
function combine(reports: readonly Report[]): Report[] {
  const byAccession = Map.groupBy(reports, ({ study }) => accessionKey(study.accessionNumber));
  return [...byAccession.values()].map((parts) => {
    const live = parts.filter(({ status }) => status !== 'cancelled');
    const shown = live.length > 0 ? live : parts;
    const times = shown.flatMap(({ reportedAt }) => (reportedAt === null ? [] : [reportedAt.getTime()]));
    return {
      study: shown.map(({ study }) => study).reduceRight((rest, study) => ({ ...rest, ...withoutUnsaid(study) })),
      status: leastFinal(shown.map(({ status }) => status)) ?? 'cancelled',
      body: shown
        .map(({ body }) => body)
        .filter((body) => body !== '')
        .join('\n'),
      sections: shown.flatMap(({ sections }) => sections),
      textStands: shown.every(({ textStands }) => textStands),
      attachments: shown.flatMap(({ attachments }) => attachments),
      reportedAt: times.length === 0 ? null : new Date(Math.max(...times)),
    };
  });
}

/**
 * Reads ORU^R01 (HL7 v2.5.1 chapter 7.3.1): one report per accession number, all of them or none.
 * @throws Hl7Rejection pointing at the first thing that keeps it from being applied.
 */
export function readReportMessage(message: Hl7Message, allSettings: Hl7Settings): ReportMessage {
  const settings = settingsFor(message, allSettings);
  const patient = readPatient(message, settings);
  if (segment(message, 'OBR') === undefined) throw new Hl7Rejection(100, 'OBR segment missing', { segment: 'OBR' });
  return { patient, reports: combine(shareRows(orderGroups(message).map((group) => readGroup(group, settings)))) };
}
