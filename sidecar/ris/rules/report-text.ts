import {
  component,
  HL7_NULL,
  ordinal,
  textRepetitions,
  wholeComponent,
  type Hl7Message,
  type Hl7Segment,
} from '../../hl7/rules/message.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';
import { enclosed, type Attachment } from './report-attachment.ts';

/** A result row of a report: an OBX that counts, with the notes behind it. */
export interface Observation {
  /** OBX-11, table 0085. */
  readonly status: string;
  readonly lines: readonly string[];
  readonly attachments: readonly Attachment[];
}

/** The lines of a text field, one a repetition; a deleted one is none. */
const textLines = (message: Hl7Message, from: Hl7Segment, field: number): string[] =>
  textRepetitions(message, from, field).filter((line) => line.trim() !== HL7_NULL);

const words = (from: Hl7Segment, field: number, parts: readonly number[], repetition = 0): string =>
  parts
    .map((part) => wholeComponent(from, field, part, repetition).trim())
    .find((one) => one !== '' && one !== HL7_NULL) ?? '';

const TEXT_TYPES = new Set(['TX', 'FT', 'ST', '']);

/** A number with its unit, and what it measures before it: `Lesion: 4 mm`. */
function measured(obx: Hl7Segment, value: string): string {
  const unit = words(obx, 6, [1, 2]);
  const number = unit === '' ? value : `${value} ${unit}`;
  const what = words(obx, 3, [2, 5]);
  return what === '' ? number : `${what}: ${number}`;
}

/** What an OBX says in words by its type (HL7 v2.5.1 table 0125); a text as it was written. */
function valueLines(message: Hl7Message, obx: Hl7Segment): string[] {
  const type = component(obx, 2).trim().toUpperCase();
  const values = (obx.fields[5] ?? []).map((_, repetition) => repetition);
  // A text without a text is how a blank line is sent.
  if (TEXT_TYPES.has(type)) return values.length === 0 ? [''] : textLines(message, obx, 5);
  switch (type) {
    case 'ED':
    case 'RP':
      return [];
    case 'CE':
    case 'CF':
    case 'CNE':
    case 'CWE':
      // The text, else the alternate's, else the original's (chapter 2.A.13), else the code.
      return values.map((repetition) => words(obx, 5, [2, 5, 9, 1], repetition)).filter((line) => line !== '');
    case 'NM':
      return textLines(message, obx, 5)
        .map((value) => value.trim())
        .filter((value) => value !== '')
        .map((value) => measured(obx, value));
    case 'SN': {
      // Comparator, number, separator, number (chapter 2.A.69).
      const texts = values.map((repetition) => [1, 2, 3, 4].map((part) => words(obx, 5, [part], repetition)).join(''));
      return texts.filter((value) => value !== '').map((value) => measured(obx, value));
    }
    default:
      return textLines(message, obx, 5)
        .map((line) => line.replace(/[\^&]+/g, ' ').trim())
        .filter((line) => line !== '');
  }
}

const UID = /^[0-9]+(?:\.[0-9]+)+$/;
// DICOM codes (PS3.16) and the words that senders use for them, in OBX-3.
const STUDY_UID_ROW = /^(?:113014|110180|DICOM study|study instance uid)$/i;
const OTHER_UID_ROW = /^(?:112002|110181|series instance uid|(?:SR|SOP) instance uid)$/i;

/** The UID that an OBX tells of (IHE RAD-128 and others) in place of a result; `null` where it is a result. */
function toldUid(obx: Hl7Segment): { readonly ofStudy: boolean; readonly uid: string } | null {
  const uid = component(obx, 5).trim();
  const named = [component(obx, 3), component(obx, 3, 2)].map((one) => one.trim());
  const ofStudy = named.some((one) => STUDY_UID_ROW.test(one));
  return UID.test(uid) && (ofStudy || named.some((one) => OTHER_UID_ROW.test(one))) ? { ofStudy, uid } : null;
}

// Table 0085: deleted, posted as wrong (to another patient, say), cannot be obtained.
const REMOVED = new Set(['D', 'W', 'X']);
// The rest of it; A, B and V of later versions.
const KNOWN = new Set(['', HL7_NULL, 'A', 'B', 'C', 'F', 'I', 'N', 'O', 'P', 'R', 'S', 'U', 'V']);

export interface ReportRows {
  readonly observations: readonly Observation[];
  /** Whether a result was taken back: OBX-11 D, W or X. */
  readonly anyRemoved: boolean;
  /** The Study Instance UIDs that rows of their own tell. */
  readonly studyUids: readonly string[];
  /** The notes that follow the OBR and not an OBX. */
  readonly notes: readonly string[];
}

interface Row {
  readonly obx: Hl7Segment;
  readonly notes: string[];
}

/** Each OBX with the lines of the NTE behind it (a PRT of HL7 2.7 may stand between), and those of the OBR's own. */
function rowsWithNotes(message: Hl7Message, segments: readonly Hl7Segment[]): { rows: Row[]; notes: string[] } {
  const rows: Row[] = [];
  const ofObr: string[] = [];
  let open: string[] = [];
  for (const one of segments) {
    if (one.name === 'NTE') {
      for (const line of textLines(message, one, 3)) open.push(line);
    } else if (one.name === 'OBX') {
      open = [];
      rows.push({ obx: one, notes: open });
    } else if (one.name !== 'PRT') {
      open = one.name === 'OBR' ? ofObr : [];
    }
  }
  return { rows, notes: ofObr };
}

/**
 * The OBX of a report (HL7 v2.5.1 chapter 7.4.2), each with the NTE behind it. One that is taken back counts no more,
 * nor do its notes; rows that tell a UID are no text.
 * @throws Hl7Rejection pointing at an OBX-5 whose data or an OBX-11 whose status cannot be read.
 */
export function reportRows(message: Hl7Message, segments: readonly Hl7Segment[]): ReportRows {
  const observations: Observation[] = [];
  const studyUids = new Set<string>();
  let anyRemoved = false;
  const { rows, notes } = rowsWithNotes(message, segments);
  for (const { obx, notes: own } of rows) {
    const status = component(obx, 11).trim().toUpperCase();
    if (!REMOVED.has(status) && !KNOWN.has(status)) {
      const location = { segment: 'OBX', ordinal: ordinal(message, obx), field: 11 };
      throw new Hl7Rejection(103, 'OBX-11 is not a result status of table 0085', location);
    }
    const told = toldUid(obx);
    if (REMOVED.has(status)) {
      if (told === null) anyRemoved = true;
      continue;
    }
    if (told?.ofStudy === true) studyUids.add(told.uid);
    if (told !== null && own.length === 0) continue;
    const { lines, attachments } = enclosed(message, obx);
    observations.push({
      status,
      lines: [...(told === null ? valueLines(message, obx) : []), ...lines, ...own],
      attachments,
    });
  }
  return { observations, anyRemoved, studyUids: [...studyUids], notes };
}

/** These lines as one text, without blank ones around it. */
export function textOf(lines: readonly string[]): string {
  const [from, to] = [lines.findIndex((line) => line !== ''), lines.findLastIndex((line) => line !== '')];
  return lines.slice(from, to + 1).join('\n');
}
