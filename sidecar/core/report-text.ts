import {
  component,
  HL7_NULL,
  ordinal,
  textRepetitions,
  wholeComponent,
  type Hl7Message,
  type Hl7Segment,
} from './hl7-message.ts';
import { Hl7Rejection } from './hl7-rejection.ts';

export interface Attachment {
  readonly contentType: string;
  readonly base64: string;
}

/** A result row of a report: an OBX that counts, with the notes behind it. */
export interface Observation {
  /** OBX-11, table 0085; `''` where it is not said. */
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

/** A number with its unit, and what it measures before it: `Lesion: 4 mm`. */
function measured(obx: Hl7Segment, value: string): string {
  const number = [value, words(obx, 6, [1, 2])].filter((part) => part !== '').join(' ');
  const what = words(obx, 3, [2, 5]);
  return what === '' ? number : `${what}: ${number}`;
}

/** What an OBX says in words by its type (HL7 v2.5.1 table 0125); a text as it was written. */
function valueLines(message: Hl7Message, obx: Hl7Segment): string[] {
  const type = component(obx, 2).trim().toUpperCase();
  const values = (obx.fields[5] ?? []).map((_, repetition) => repetition);
  switch (type) {
    case 'TX':
    case 'FT':
    case 'ST':
    case '':
      return textLines(message, obx, 5);
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
        .map((value) => measured(obx, value.trim()))
        .filter((line) => line !== '');
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

// Subtypes of ED.3 as they are written: PDF, or application/pdf.
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  PDF: 'application/pdf', RTF: 'application/rtf', JPEG: 'image/jpeg', JPG: 'image/jpeg', PNG: 'image/png', XML: 'text/xml',
}; // prettier-ignore

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** ED (v2.5.1 chapter 2.A.24): source, type, subtype, encoding, data; the data of each repetition. */
function attachments(message: Hl7Message, obx: Hl7Segment): Attachment[] {
  if (component(obx, 2).trim().toUpperCase() !== 'ED') return [];
  return (obx.fields[5] ?? []).flatMap((components, repetition) => {
    const data = components
      .slice(4)
      .map((sub) => sub.join('&'))
      .join('^');
    if (data.trim() === '' || data.trim() === HL7_NULL) return [];
    const subtype = component(obx, 5, 3, repetition).trim().toUpperCase().replace(/^.*\//, '');
    const contentType =
      (Object.hasOwn(CONTENT_TYPES, subtype) ? CONTENT_TYPES[subtype] : undefined) ?? 'application/octet-stream';
    const wrong = (code: 102 | 103, reason: string) =>
      new Hl7Rejection(code, reason, { segment: 'OBX', ordinal: ordinal(message, obx), field: 5 });
    switch (component(obx, 5, 4, repetition).trim().toUpperCase()) {
      case 'BASE64': {
        const base64 = data.replace(/\s/g, '');
        if (!BASE64.test(base64) || base64.replace(/=+$/, '').length % 4 === 1) throw wrong(102, 'OBX-5 is not Base64');
        return [{ contentType, base64 }];
      }
      case 'HEX': {
        const hex = data.replace(/\s/g, '');
        if (!/^(?:[0-9A-Fa-f]{2})+$/.test(hex)) throw wrong(102, 'OBX-5 is not hexadecimal');
        return [{ contentType, base64: Buffer.from(hex, 'hex').toString('base64') }];
      }
      case 'A':
      case 'ASCII':
        return [{ contentType, base64: Buffer.from(data, 'utf8').toString('base64') }];
      default:
        throw wrong(103, 'OBX-5.4 is not an encoding of table 0299');
    }
  });
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
  /** How many results were taken back: OBX-11 D, W or X. */
  readonly removed: number;
  /** The Study Instance UIDs that rows of their own tell. */
  readonly studyUids: readonly string[];
}

/**
 * The OBX of a report (HL7 v2.5.1 chapter 7.4.2), each with the NTE behind it. One that is taken back counts no more,
 * nor do its notes; rows that tell a UID are no text.
 * @throws Hl7Rejection pointing at an OBX-5 whose data or an OBX-11 whose status cannot be read.
 */
export function reportRows(message: Hl7Message, segments: readonly Hl7Segment[]): ReportRows {
  const observations: Observation[] = [];
  const studyUids = new Set<string>();
  let removed = 0;
  for (const [index, obx] of segments.entries()) {
    if (obx.name !== 'OBX') continue;
    const status = component(obx, 11).trim().toUpperCase();
    if (!REMOVED.has(status) && !KNOWN.has(status)) {
      const location = { segment: 'OBX', ordinal: ordinal(message, obx), field: 11 };
      throw new Hl7Rejection(103, 'OBX-11 is not a result status of table 0085', location);
    }
    const told = toldUid(obx);
    if (REMOVED.has(status)) {
      if (told === null) removed += 1;
      continue;
    }
    const rest = segments.slice(index + 1);
    const end = rest.findIndex(({ name }) => name !== 'NTE');
    const notes = rest.slice(0, end === -1 ? rest.length : end).flatMap((nte) => textLines(message, nte, 3));
    if (told?.ofStudy === true) studyUids.add(told.uid);
    if (told !== null && notes.length === 0) continue;
    observations.push({
      status: status === HL7_NULL ? '' : status,
      lines: [...(told === null ? valueLines(message, obx) : []), ...notes],
      attachments: attachments(message, obx),
    });
  }
  return { observations, removed, studyUids: [...studyUids] };
}
