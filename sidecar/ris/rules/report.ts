import { accessionKey } from './accession.ts';
import { readStudyInPlaces, type StudyFacts } from './order.ts';
import { findIn, orderGroups, type OrderGroup } from './order-groups.ts';
import { knownModality } from './modality.ts';
import { readPatient, type PatientFacts } from './patient-update.ts';
import type { Attachment } from './report-document.ts';
import { sectionsOf, type Section } from './report-sections.ts';
import { reportRows, type ReportRows } from './report-text.ts';
import {
  isFinal,
  isResultStatus,
  leastFinal,
  readResultStatus,
  standsAsSent,
  statusOfObr,
  type ReportStatus,
} from './result-status.ts';
import { statusRow, type StatusRow } from './status-row.ts';
import { distinctWarnings, type Warn, type Warning } from './warning.ts';
import { settingsFor, type Hl7Settings } from '../../hl7/rules/field-settings.ts';
import { component, segment, type Hl7Message, type Hl7Segment } from '../../hl7/rules/message.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';
import { parseHl7Time } from '../../hl7/rules/time.ts';

export { isFinal, type ReportStatus } from './result-status.ts';

export interface Report {
  readonly study: StudyFacts;
  /** The other numbers in the places of its accession number. */
  readonly elsewhere?: readonly string[];
  readonly status: ReportStatus;
  readonly body: string;
  /** The body in the sections that its headings make of it; all of its words are in them. */
  readonly sections: readonly Section[];
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
  readonly warnings: readonly Warning[];
}

/** One OBR of a report message with the rows behind it. */
interface Part {
  readonly group: OrderGroup;
  readonly study: StudyFacts;
  readonly elsewhere: readonly string[];
  readonly rows: ReportRows;
  readonly statusRows: readonly StatusRow[];
  readonly reportedAt: Date | null;
}

type ReadPart = Part & Pick<Report, 'status'>;

/** An OBX-11 of no table says nothing where OBR-25 says how final the report is; elsewhere it is refused as it stands. */
function believingObr25(message: Hl7Message, warn: Warn): Hl7Message {
  const unknown = new Set<Hl7Segment>();
  for (const group of orderGroups(message)) {
    if (statusOfObr(group).said === undefined) continue;
    const odd = group.segments.filter((one) => one.name === 'OBX' && !isResultStatus(component(one, 11)));
    for (const one of odd) unknown.add(one);
  }
  if (unknown.size === 0) return message;
  warn({ code: 'result-status-unknown', field: 'OBX-11', detail: 'is of no table; OBR-25 counts' });
  return {
    segments: message.segments.map((one) =>
      unknown.has(one) ? { ...one, fields: one.fields.map((field, number) => (number === 11 ? [] : field)) } : one,
    ),
  };
}

function readPart(group: OrderGroup, settings: Hl7Settings, warn: Warn): Part {
  const { study, elsewhere } = readStudyInPlaces(group, settings, warn);
  const told = group.segments.map((one) => ({ one, state: one.name === 'OBX' ? statusRow(one) : null }));
  const rows = reportRows(
    group.message,
    told.filter(({ state }) => state === null).map(({ one }) => one),
  );
  const [uid, another] = rows.studyUids;
  const written = component(findIn(group, 'OBR'), 22);
  const reportedAt = parseHl7Time(written, settings.timeZone)?.instant ?? null;
  if (reportedAt === null && written.trim() !== '' && knownModality(written) === null) {
    warn({ code: 'time-unreadable', field: 'OBR-22', detail: 'is no time' });
  }
  return {
    group,
    // Rows that tell several studies do not say which is meant.
    study: study.studyInstanceUid === undefined && another === undefined ? { ...study, studyInstanceUid: uid } : study,
    elsewhere,
    rows,
    statusRows: told.flatMap(({ state }) => state ?? []),
    reportedAt,
  };
}

const hasRows = ({ rows }: Part): boolean => rows.observations.length > 0 || rows.anyRemoved || rows.body !== '';

/** Whether what OBR-25 of one says, if anything, agrees with a report of this status. */
function agrees({ group, statusRows }: Part, status: ReportStatus): boolean {
  const { code, said } = statusOfObr(group);
  if (statusRows.some(({ isComplete }) => !isComplete) && status !== 'preliminary') return false;
  if (said === undefined) return code === '' || code === '""';
  return said === status || (isFinal(said) && isFinal(status));
}

/**
 * Each OBR with its rows and status. Where exactly one has rows, they are of all that no status speaks against: a report
 * of several examinations is sent as one document behind one of them.
 */
function readParts(parts: readonly Part[], warn: Warn): ReadPart[] {
  const [owner, another] = parts.filter(hasRows);
  const statusOf = ({ group, rows, statusRows }: Part): ReportStatus => readResultStatus(group, rows, statusRows);
  if (owner === undefined || another !== undefined) return parts.map((part) => ({ ...part, status: statusOf(part) }));
  const status = statusOf(owner);
  return parts.map((part): ReadPart => {
    if (part === owner) return { ...part, status };
    if (!agrees(part, status)) return { ...part, status: statusOf(part) };
    const detail = 'has no rows of its own, and takes those of the only one that has';
    warn({ code: 'rows-shared', field: `OBR ${part.group.number}`, detail });
    return { ...part, rows: owner.rows, status, reportedAt: part.reportedAt ?? owner.reportedAt };
  });
}

const withoutUnsaid = (study: StudyFacts): Partial<StudyFacts> =>
  Object.fromEntries(Object.entries(study).filter(([, value]) => value !== undefined));

/**
 * Several OBRs of one accession number are one report, as final as the least final of those not cancelled, with the
 * text of those and the last of their times; of its study what the first says that says it.
 */
function combine(all: readonly ReadPart[]): Report[] {
  const byAccession = Map.groupBy(all, ({ study }) => accessionKey(study.accessionNumber));
  return [...byAccession.values()].map((parts) => {
    const live = parts.filter(({ status }) => status !== 'cancelled');
    const shown = live.length > 0 ? live : parts;
    const times = shown.flatMap(({ reportedAt }) => (reportedAt === null ? [] : [reportedAt.getTime()]));
    // Rows that several share are there once.
    const rows = [...new Set(shown.map((part) => part.rows))];
    return {
      study: shown.map(({ study }) => study).reduceRight((rest, study) => ({ ...rest, ...withoutUnsaid(study) })),
      elsewhere: [...new Set(shown.flatMap(({ elsewhere }) => elsewhere))],
      status: leastFinal(shown.map(({ status }) => status)) ?? 'cancelled',
      body: rows
        .map(({ body }) => body)
        .filter((body) => body !== '')
        .join('\n'),
      sections: rows.flatMap(({ body, bold }) => sectionsOf(body, bold)),
      textStands: rows.every(({ observations }) => observations.length > 0 && observations.every(standsAsSent)),
      attachments: rows.flatMap(({ attachments }) => attachments),
      reportedAt: times.length === 0 ? null : new Date(Math.max(...times)),
    };
  });
}

/**
 * Reads ORU^R01 (HL7 v2.5.1 chapter 7.3.1): one report per accession number, all of them or none.
 * @throws Hl7Rejection pointing at the first thing that keeps it from being applied.
 */
export function readReportMessage(sent: Hl7Message, allSettings: Hl7Settings): ReportMessage {
  const settings = settingsFor(sent, allSettings);
  const heard: Warning[] = [];
  const warn = (warning: Warning): void => void heard.push(warning);
  const patient = readPatient(sent, settings, warn);
  if (segment(sent, 'OBR') === undefined) throw new Hl7Rejection(100, 'OBR segment missing', { segment: 'OBR' });
  const groups = orderGroups(believingObr25(sent, warn));
  const parts = groups.map((group) => readPart(group, settings, warn));
  const reports = combine(readParts(parts, warn));
  const empty = reports.some(
    ({ status, body, attachments, textStands }) =>
      isFinal(status) && body === '' && attachments.length === 0 && textStands !== true,
  );
  if (empty) warn({ code: 'report-without-words', field: 'OBX-5', detail: 'a final report has nothing to read' });
  return { patient, reports, warnings: distinctWarnings(heard) };
}
