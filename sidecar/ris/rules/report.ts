import { accessionKey } from './accession.ts';
import { readPatient, type PatientFacts } from './patient-update.ts';
import { component, HL7_NULL, segment, type Hl7Message } from '../../hl7/rules/message.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';
import { settingsFor, type Hl7Settings } from '../../hl7/rules/field-settings.ts';
import { parseHl7Time } from '../../hl7/rules/time.ts';
import { orderGroups, readStudy, rejectionAt, type OrderGroup, type StudyFacts } from './order.ts';
import type { Attachment } from './report-attachment.ts';
import { reportRows, textOf, type Observation, type ReportRows } from './report-text.ts';

export type ReportStatus = 'preliminary' | 'final' | 'corrected' | 'cancelled';

export interface Report {
  readonly study: StudyFacts;
  readonly status: ReportStatus;
  readonly body: string;
  readonly attachments: readonly Attachment[];
  readonly reportedAt: Date | null;
  /** Neither OBR-22 nor MSH-7 could be read: how old it is nobody knows. */
  readonly undated?: boolean;
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

const isBlank = ({ lines, attachments }: Observation): boolean => textOf(lines) === '' && attachments.length === 0;

/** OBX-11 U: what was sent as preliminary is final as it was, and was not sent again. */
const standsAsSent = (row: Observation): boolean => row.status === 'U' && isBlank(row);

/**
 * OBR-25 by the rows: a report with a row that is not final yet is not either; one that has nothing left to read, since
 * rows were taken back, is cancelled. Without an OBR-25 the rows alone decide.
 */
function readStatus(group: OrderGroup, { observations, anyRemoved }: ReportRows): ReportStatus {
  const obr = group.segments.find(({ name }) => name === 'OBR');
  const obr25 = component(obr, 25).trim().toUpperCase();
  const said = BY_OBR25.get(obr25);
  if (said === undefined && obr25 !== '' && obr25 !== HL7_NULL) {
    throw rejectionAt(group, 'OBR', 25, 103, 'OBR-25 is not a result status of table 0123');
  }
  if (said === 'cancelled' || said === 'preliminary') return said;
  if (anyRemoved && observations.every((row) => isBlank(row) && !standsAsSent(row))) return 'cancelled';
  const byRows = leastFinal(observations.map(({ status }) => BY_OBX11.get(status)));
  const status = byRows === 'preliminary' ? byRows : (said ?? byRows);
  if (status === undefined) throw rejectionAt(group, 'OBR', 25, 101, 'neither OBR-25 nor OBX-11 says a status');
  return status;
}

function readGroup(group: OrderGroup, settings: Hl7Settings): Report {
  const obr = group.segments.find(({ name }) => name === 'OBR');
  const study = readStudy(group, settings);
  const rows = reportRows(group.message, group.segments);
  const [uid, another] = rows.studyUids;
  return {
    // Rows that tell several studies do not say which is meant.
    study: study.studyInstanceUid === undefined && another === undefined ? { ...study, studyInstanceUid: uid } : study,
    status: readStatus(group, rows),
    body: textOf(rows.observations.flatMap(({ lines }) => lines)) || textOf(rows.notes),
    textStands: rows.observations.length > 0 && rows.observations.every(standsAsSent),
    attachments: rows.observations.flatMap(({ attachments }) => attachments),
    reportedAt: parseHl7Time(component(obr, 22), settings.timeZone)?.instant ?? null,
  };
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
  return { patient, reports: combine(orderGroups(message).map((group) => readGroup(group, settings))) };
}
