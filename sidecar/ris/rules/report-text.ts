import { component, HL7_NULL, ordinal, type Hl7Message, type Hl7Segment } from '../../hl7/rules/message.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';
import { composeBody, textOf, type ReportBody } from './report-body.ts';
import { textPart } from './report-document.ts';
import { rowParts, type Row } from './report-parts.ts';
import { textLines } from './report-values.ts';

/** A result row of a report: an OBX that counts, with the notes behind it. */
export interface Observation {
  /** OBX-11, table 0085. */
  readonly status: string;
  readonly isBlank: boolean;
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

export interface ReportRows extends ReportBody {
  readonly observations: readonly Observation[];
  /** Whether a result was taken back: OBX-11 D, W or X. */
  readonly anyRemoved: boolean;
  /** The Study Instance UIDs that rows of their own tell. */
  readonly studyUids: readonly string[];
}

interface OpenRow extends Row {
  readonly notes: string[];
}

/** Each OBX with the lines of the NTE behind it (a PRT of HL7 2.7 may stand between), and those of the OBR's own. */
function rowsWithNotes(message: Hl7Message, segments: readonly Hl7Segment[]): { rows: OpenRow[]; notes: string[] } {
  const rows: OpenRow[] = [];
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
 * The OBX of a report (HL7 v2.5.1 chapter 7.4.2), each with the NTE behind it, and the body that they make. One that is
 * taken back counts no more, nor do its notes; rows that tell a UID are no text. The notes of
 * the OBR are the body where the rows have none.
 * @throws Hl7Rejection pointing at an OBX-5 whose data or an OBX-11 whose status cannot be read.
 */
export function reportRows(message: Hl7Message, segments: readonly Hl7Segment[]): ReportRows {
  const counted: OpenRow[] = [];
  const studyUids = new Set<string>();
  let anyRemoved = false;
  const { rows, notes } = rowsWithNotes(message, segments);
  const statusOf = ({ obx }: Row): string => component(obx, 11).trim().toUpperCase();
  const rejected = (obx: Hl7Segment, field: number, code: 102 | 103, reason: string): Hl7Rejection =>
    new Hl7Rejection(code, reason, { segment: 'OBX', ordinal: ordinal(message, obx), field });
  for (const row of rows) {
    const status = statusOf(row);
    if (!REMOVED.has(status) && !KNOWN.has(status)) {
      throw rejected(row.obx, 11, 103, 'OBX-11 is not a result status of table 0085');
    }
    const told = toldUid(row.obx);
    if (REMOVED.has(status)) {
      if (told === null) anyRemoved = true;
      continue;
    }
    if (told?.ofStudy === true) studyUids.add(told.uid);
    if (told !== null && row.notes.length === 0) continue;
    counted.push(told !== null ? { ...row, obx: { ...row.obx, fields: row.obx.fields.with(5, []) } } : row);
  }
  const read = rowParts(message, counted, (obx, code, reason) => rejected(obx, 5, code, reason));
  const composed = composeBody(read);
  const ofObr = composed.body === '' ? textPart(notes) : null;
  const body = ofObr === null ? composed.body : textOf(ofObr.lines);
  return {
    observations: counted.map((row, index) => ({ status: statusOf(row), isBlank: read[index]?.isBlank ?? true })),
    body,
    bold: ofObr === null ? composed.bold : ofObr.bold,
    attachments: ofObr === null ? composed.attachments : [...composed.attachments, ...ofObr.attachments],
    anyRemoved,
    studyUids: [...studyUids],
  };
}
