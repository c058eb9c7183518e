import { component, HL7_NULL, ordinal, wholeText, type Hl7Message, type Hl7Segment } from '../../hl7/rules/message.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';

export interface Attachment {
  readonly contentType: string;
  readonly base64: string;
}

/** What an OBX holds that is no value: text for the report's body, or documents beside it. */
export interface Enclosed {
  readonly lines: readonly string[];
  readonly attachments: readonly Attachment[];
}

const PLAIN = 'text/plain';

// ED.3 (table 0291) as senders write it, else ED.2 (table 0191): PDF, or application/pdf.
const CONTENT_TYPES: ReadonlyMap<string, string> = new Map([
  ['PDF', 'application/pdf'],
  ['RTF', 'application/rtf'],
  ['HTML', 'text/html'],
  ['XHTML', 'application/xhtml+xml'],
  ['XML', 'text/xml'],
  ['X-HL7-CDA-LEVEL-ONE', 'text/xml'],
  ['JPEG', 'image/jpeg'],
  ['JPG', 'image/jpeg'],
  ['PNG', 'image/png'],
  ['GIF', 'image/gif'],
  ['TIFF', 'image/tiff'],
  ['DICOM', 'application/dicom'],
  ...['PLAIN', 'TXT', 'TEXT', 'TX', 'FT'].map((name): [string, string] => [name, PLAIN]),
]);

const UNKNOWN = 'application/octet-stream';
const PDF_BEGINS = 'JVBERi0';

/** One ED (v2.5.1 chapter 2.A.24), its data whole. */
interface Encapsulated {
  readonly contentType: string;
  readonly encoding: string;
  readonly chunks: string[];
}

/**
 * The EDs of OBX-5. A repetition without an ED's five components is more data of the one before it: some senders part
 * Base64 so, and data that is not encoded may hold a bare repetition separator.
 */
function encapsulated(message: Hl7Message, obx: Hl7Segment): Encapsulated[] {
  const found: Encapsulated[] = [];
  for (const [index, components] of (obx.fields[5] ?? []).entries()) {
    const data = components.slice(4);
    if (data.length === 0) {
      found.at(-1)?.chunks.push(wholeText(message, components));
      continue;
    }
    const said = (part: number): string => component(obx, 5, part, index).trim().toUpperCase();
    const name = said(3) || said(2);
    found.push({
      contentType: CONTENT_TYPES.get(name.slice(name.lastIndexOf('/') + 1)) ?? UNKNOWN,
      encoding: said(4),
      chunks: [wholeText(message, data)],
    });
  }
  return found;
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const HEX = /^(?:[0-9A-Fa-f]{2})+$/;

/** An encoding of table 0299; where it is left out, text is itself and anything else Base64. */
function encodingOf({ contentType, encoding }: Encapsulated): string {
  if (encoding !== '' && encoding !== HL7_NULL) return encoding;
  return contentType.startsWith('text/') ? 'A' : 'BASE64';
}

function toBase64(one: Encapsulated, wrong: (code: 102 | 103, reason: string) => Hl7Rejection): string {
  const packed = one.chunks.join('').replace(/\s/g, '');
  switch (encodingOf(one)) {
    case 'BASE64':
      if (!BASE64.test(packed) || packed.replaceAll('=', '').length % 4 === 1) throw wrong(102, 'OBX-5 is not Base64');
      return packed;
    case 'HEX':
      if (!HEX.test(packed)) throw wrong(102, 'OBX-5 is not hexadecimal');
      return Buffer.from(packed, 'hex').toString('base64');
    case 'A':
    case 'ASCII':
      return Buffer.from(one.chunks.join('~')).toString('base64');
    default:
      throw wrong(103, 'OBX-5.4 is not an encoding of table 0299');
  }
}

function decoded(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

/**
 * What an OBX of type ED or RP holds. Plain text is text of the report; PDF, HTML, RTF, XML, pictures and what is of no
 * known type are attachments. An RP (v2.5.1 chapter 2.A.66) names a document that is kept elsewhere and cannot be
 * fetched from here: its pointer is kept as an attachment of type `text/uri-list`.
 * @throws Hl7Rejection pointing at OBX-5 where the data is not what its encoding says.
 */
export function enclosed(message: Hl7Message, obx: Hl7Segment): Enclosed {
  const type = component(obx, 2).trim().toUpperCase();
  if (type === 'RP') {
    const pointers = (obx.fields[5] ?? []).map((_, index) => component(obx, 5, 1, index).trim());
    const attachments = pointers
      .filter((pointer) => pointer !== '' && pointer !== HL7_NULL)
      .map((pointer) => ({ contentType: 'text/uri-list', base64: Buffer.from(pointer).toString('base64') }));
    return { lines: [], attachments };
  }
  if (type !== 'ED') return { lines: [], attachments: [] };
  const wrong = (code: 102 | 103, reason: string): Hl7Rejection =>
    new Hl7Rejection(code, reason, { segment: 'OBX', ordinal: ordinal(message, obx), field: 5 });
  const lines: string[] = [];
  const attachments: Attachment[] = [];
  for (const one of encapsulated(message, obx)) {
    const data = one.chunks.join('').trim();
    if (data === '' || data === HL7_NULL) continue;
    const base64 = toBase64(one, wrong);
    if (one.contentType === PLAIN) lines.push(decoded(base64));
    else if (base64.startsWith(PDF_BEGINS)) attachments.push({ contentType: 'application/pdf', base64 });
    else attachments.push({ contentType: one.contentType, base64 });
  }
  return { lines, attachments };
}
