import { accessionKey } from './accession.ts';
import { readPatient, type PatientFacts } from './adt.ts';
import { component, HL7_NULL, segment, type Hl7Message } from './hl7-message.ts';
import { Hl7Rejection } from './hl7-rejection.ts';
import { settingsFor, type Hl7Settings } from './hl7-settings.ts';
import { parseHl7Time } from './hl7-time.ts';
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
  /** The text that was sent with the version before is final now and was not sent again (OBX-11 U). */
  readonly textStands?: boolean;
}

export interface ReportMessage {
  readonly patient: PatientFacts;
  readonly reports: readonly Report[];
}

// OBR-25, table 0123; M (corrected, not final) and N (procedure done, results pending) of later versions.
const BY_OBR25: Readonly<Record<string, ReportStatus>> = {
  ...Object.fromEntries('OISAPRYZMN'.split('').map((status) => [status, 'preliminary'])),
  F: 'final',
  C: 'corrected',
  X: 'cancelled',
};

// OBX-11, table 0085, of rows that were not taken back, as far as it says whether the result is ready (O and N do not).
const BY_OBX11: Readonly<Record<string, ReportStatus>> = {
  ...Object.fromEntries('PRSI'.split('').map((status) => [status, 'preliminary'])),
  ...Object.fromEntries('FUABV'.split('').map((status) => [status, 'final'])),
  C: 'corrected',
};

/** Whether a report of this status is one that the patient may read: the first such sends the text. */
export function isFinal(status: ReportStatus): boolean {
  return status === 'final' || status === 'corrected';
}

/**
 * OBR-25 by the rows: a report with a row that is not final yet is not either, one whose rows were all taken back is
 * cancelled. Without an OBR-25 the rows alone decide.
 */
function readStatus(group: OrderGroup, { observations, removed }: ReportRows): ReportStatus {
  const obr = group.segments.find(({ name }) => name === 'OBR');
  const obr25 = component(obr, 25).trim().toUpperCase();
  const missing = obr25 === '' || obr25 === HL7_NULL;
  const said = Object.hasOwn(BY_OBR25, obr25) ? BY_OBR25[obr25] : undefined;
  const rows = observations.flatMap(({ status }) => (Object.hasOwn(BY_OBX11, status) ? [BY_OBX11[status]] : []));
  if (!missing && said === undefined) {
    throw rejectionAt(group, 'OBR', 25, 103, 'OBR-25 is not a result status of table 0123');
  }
  if (said === 'cancelled' || said === 'preliminary') return said;
  if (removed > 0 && observations.length === 0) return 'cancelled';
  if (rows.includes('preliminary')) return 'preliminary';
  if (said !== undefined) return said;
  if (rows.length === 0) throw rejectionAt(group, 'OBR', 25, 101, 'neither OBR-25 nor OBX-11 says a status');
  return rows.includes('corrected') ? 'corrected' : 'final';
}

const saysOnlyThatItIsFinal = ({ status, lines, attachments }: Observation): boolean =>
  status === 'U' && textOf(lines) === '' && attachments.length === 0;

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
    textStands: rows.observations.length > 0 && rows.observations.every(saysOnlyThatItIsFinal),
    attachments: rows.observations.flatMap(({ attachments }) => attachments),
    reportedAt: parseHl7Time(component(obr, 22), settings.timeZone)?.instant ?? null,
  };
}

/** The least final of these. */
function combinedStatus(statuses: readonly ReportStatus[]): ReportStatus {
  const order: readonly ReportStatus[] = ['preliminary', 'corrected', 'final', 'cancelled'];
  return order.find((status) => statuses.includes(status)) ?? 'cancelled';
}

const withoutUnsaid = (study: StudyFacts): Partial<StudyFacts> =>
  Object.fromEntries(Object.entries(study).filter(([, value]) => value !== undefined));

const latest = (a: Date | null, b: Date | null): Date | null => (a === null || (b !== null && b > a) ? b : a);

/**
 * Several OBRs of one accession number are one report, as final as the least final of those not cancelled, with the
 * text of those; of its study what the first says that says it.
 */
function combine(reports: readonly Report[]): Report[] {
  const byAccession = Map.groupBy(reports, ({ study }) => accessionKey(study.accessionNumber));
  return [...byAccession.values()].flatMap((parts) => {
    const live = parts.filter(({ status }) => status !== 'cancelled');
    const shown = live.length > 0 ? live : parts;
    const [first] = shown;
    if (first === undefined) return [];
    return [
      {
        ...first,
        study: shown.map(({ study }) => study).reduceRight((rest, study) => ({ ...rest, ...withoutUnsaid(study) })),
        status: combinedStatus(shown.map(({ status }) => status)),
        body: shown
          .map(({ body }) => body)
          .filter((body) => body !== '')
          .join('\n'),
        attachments: shown.flatMap(({ attachments }) => attachments),
        reportedAt: shown.map(({ reportedAt }) => reportedAt).reduce(latest),
        textStands: shown.every(({ textStands }) => textStands),
      },
    ];
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
