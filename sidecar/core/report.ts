import { accessionKey } from './accession.ts';
import { readPatient, type PatientFacts } from './adt.ts';
import { component, HL7_NULL, repetitions, segment, type Hl7Message, type Hl7Segment } from './hl7-message.ts';
import { Hl7Rejection } from './hl7-rejection.ts';
import { parseHl7Time } from './hl7-time.ts';
import { orderGroups, readStudy, type Hl7Settings, type OrderGroup, type StudyFacts } from './order.ts';

export type ReportStatus = 'preliminary' | 'final' | 'corrected' | 'cancelled';

export interface Attachment {
  readonly contentType: string;
  readonly base64: string;
}

export interface Report {
  readonly study: StudyFacts;
  readonly status: ReportStatus;
  readonly body: string;
  readonly attachments: readonly Attachment[];
  readonly reportedAt: Date | null;
}

export interface ReportMessage {
  readonly patient: PatientFacts;
  readonly reports: readonly Report[];
}

// OBR-25, table 0123.
const STATUS_BY_OBR25: Readonly<Record<string, ReportStatus>> = {
  ...Object.fromEntries(['O', 'I', 'S', 'A', 'P', 'R', 'Y', 'Z'].map((status) => [status, 'preliminary'])),
  F: 'final',
  C: 'corrected',
  X: 'cancelled',
}; // prettier-ignore

/** Whether a report of this status is one that the patient may read: the first such sends the text. */
export function isFinal(status: ReportStatus): boolean {
  return status === 'final' || status === 'corrected';
}

const TEXT_TYPES = new Set(['TX', 'FT', 'ST']);
const PDF_SUBTYPES = new Set(['PDF', 'APPLICATION/PDF']);

function bodyLines(obx: Hl7Segment): string[] {
  if (!TEXT_TYPES.has(component(obx, 2))) return [];
  return repetitions(obx, 5)
    .map((value) => value.join('^'))
    .filter((line) => line !== HL7_NULL);
}

// ED (v2.5.1 chapter 2.A.24): source, type, subtype, encoding, data.
function attachment(obx: Hl7Segment): Attachment[] {
  const [encoding, data] = [component(obx, 5, 4), component(obx, 5, 5)];
  if (component(obx, 2) !== 'ED' || data === '' || encoding.toUpperCase() !== 'BASE64') return [];
  const subtype = component(obx, 5, 3).trim().toUpperCase();
  const contentType = PDF_SUBTYPES.has(subtype) ? 'application/pdf' : 'application/octet-stream';
  return [{ contentType, base64: data.replace(/\s/g, '') }];
}

function readGroup(group: OrderGroup, settings: Hl7Settings): Report {
  const obr = group.segments.find(({ name }) => name === 'OBR');
  const status = STATUS_BY_OBR25[component(obr, 25).trim().toUpperCase()];
  if (status === undefined) {
    throw new Hl7Rejection(component(obr, 25) === '' ? 101 : 103, 'OBR-25 is not a result status of table 0123', {
      segment: 'OBR',
      ordinal: group.ordinal,
      field: 25,
    });
  }
  const observations = group.segments.filter(({ name }) => name === 'OBX');
  return {
    study: readStudy(group, settings),
    status,
    body: observations.flatMap(bodyLines).join('\n'),
    attachments: observations.flatMap(attachment),
    reportedAt: parseHl7Time(component(obr, 22), settings.timeZone)?.instant ?? null,
  };
}

function combinedStatus(statuses: readonly ReportStatus[]): ReportStatus {
  const live = statuses.filter((status) => status !== 'cancelled');
  if (live.length === 0) return 'cancelled';
  return live.find((status) => status === 'preliminary') ?? live.find((status) => status === 'corrected') ?? 'final';
}

/** Several OBRs of one accession number are one report, as final as the least final of those not cancelled. */
function combine(reports: readonly Report[]): Report[] {
  const byAccession = Map.groupBy(reports, ({ study }) => accessionKey(study.accessionNumber));
  return [...byAccession.values()].flatMap((parts) => {
    const [first] = parts;
    if (first === undefined) return [];
    return [
      {
        ...first,
        status: combinedStatus(parts.map(({ status }) => status)),
        body: parts.map(({ body }) => body).join('\n'),
        attachments: parts.flatMap(({ attachments }) => attachments),
      },
    ];
  });
}

/**
 * Reads ORU^R01 (HL7 v2.5.1 chapter 7.3.1): one report per accession number, all of them or none.
 * @throws Hl7Rejection pointing at the first thing that keeps it from being applied.
 */
export function readReportMessage(message: Hl7Message, settings: Hl7Settings): ReportMessage {
  const patient = readPatient(message, settings.phoneRegion);
  if (segment(message, 'OBR') === undefined) throw new Hl7Rejection(100, 'OBR segment missing', { segment: 'OBR' });
  return { patient, reports: combine(orderGroups(message).map((group) => readGroup(group, settings))) };
}
