import { component, HL7_NULL, wholeText, type Hl7Message, type Hl7Segment } from '../../hl7/rules/message.ts';
import { joinedBase64, kindInBase64, packed } from './base64-data.ts';
import { beginsAsRtf, isReadable } from './document-kind.ts';
import { looksLikeHtml } from './html-words.ts';
import { PLAIN } from './report-document.ts';

/** A file as a message holds it, in pieces, not decoded yet. */
export interface EnclosedFile {
  readonly contentType: string;
  /** An encoding of table 0299 in capitals; `''` where none is said. */
  readonly encoding: string;
  readonly pieces: string[];
  /** The type says that there are no words in it, although the file might be readable. */
  readonly isWordless: boolean;
}

// ED.3 (table 0291) as senders write it, else ED.2 (table 0191): PDF, application/pdf, or .pdf.
const CONTENT_TYPES: ReadonlyMap<string, string> = new Map([
  ['PDF', 'application/pdf'],
  ['RTF', 'application/rtf'],
  ['HTML', 'text/html'],
  ['HTM', 'text/html'],
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

/** The type of a file of which no type that is known was said. */
export const UNKNOWN_TYPE = 'application/octet-stream';
const ENCODINGS = new Set(['BASE64', 'HEX', 'A', 'ASCII']);
// Main types (table 0191) of files without words, where the subtype does not say more.
const WORDLESS = new Set(['APPLICATION', 'IMAGE', 'AUDIO', 'VIDEO', 'IM', 'AU']);
const ANY_BYTES = /^(?:OCTET|OCTER)-STREAM$/;

const subtypeOf = (name: string): string => name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('.')) + 1);

type Components = readonly (readonly string[])[];

const said = (components: Components, part: number): string => (components[part - 1]?.[0] ?? '').trim().toUpperCase();

function describe(components: Components): Pick<EnclosedFile, 'contentType' | 'encoding' | 'isWordless'> {
  const [main, sub, encoding] = [said(components, 2), said(components, 3), said(components, 4)];
  const contentType = CONTENT_TYPES.get(subtypeOf(sub || main)) ?? UNKNOWN_TYPE;
  const isWordless = contentType === UNKNOWN_TYPE && sub !== '' && WORDLESS.has(main) && !ANY_BYTES.test(sub);
  return { contentType, encoding: encoding === HL7_NULL ? '' : encoding, isWordless };
}

const UNTYPED = { contentType: UNKNOWN_TYPE, encoding: '', isWordless: false };

const isName = (text: string): boolean => {
  const name = text.trim().toUpperCase();
  return CONTENT_TYPES.has(subtypeOf(name)) || ENCODINGS.has(name) || WORDLESS.has(name) || ANY_BYTES.test(name);
};

/** The file of a value that has none where an ED has it: RTF or Base64 of a known kind in any component. */
function recognised(message: Hl7Message, components: Components): EnclosedFile | null {
  const texts = components.map((sub) => sub.join('&'));
  const at = texts.findIndex((text) => beginsAsRtf(text) || /^\s*%PDF-/.test(text) || kindInBase64(text) !== null);
  if (at < 0) return null;
  const data = wholeText(message, components.slice(at));
  const isEncoded = kindInBase64(texts[at] ?? '') !== null;
  return { ...UNTYPED, encoding: isEncoded ? 'BASE64' : 'A', pieces: [isEncoded ? (texts[at] ?? '') : data] };
}

/** An ED whose data stands in another component than the fifth, or is all that there is. */
function misplaced(message: Hl7Message, components: Components): EnclosedFile | null {
  const known = recognised(message, components);
  if (known !== null) return known;
  const texts = components.map((sub) => sub.join('&'));
  // An encoding alone encodes nothing: it is a word.
  const isWord = texts.length === 1 && ENCODINGS.has((texts[0] ?? '').trim().toUpperCase());
  if (isWord || !texts.some(isName)) {
    const whole = wholeText(message, components).trim();
    return whole === '' || whole === HL7_NULL ? null : { ...UNTYPED, pieces: [wholeText(message, components)] };
  }
  const [longest = ''] = texts
    .filter((text) => !isName(text) && (/\S\s+\S/.test(text.trim()) || text.length > 40))
    .sort((a, b) => b.length - a.length);
  return longest === '' ? null : { ...UNTYPED, pieces: [longest] };
}

/**
 * The files of an ED (v2.5.1 chapter 2.A.24). A repetition without an ED's five components is more data of the one
 * before it: some senders part Base64 so, and data that is not encoded may hold a bare repetition separator.
 */
function encapsulated(message: Hl7Message, obx: Hl7Segment): EnclosedFile[] {
  const found: EnclosedFile[] = [];
  for (const components of obx.fields[5] ?? []) {
    const data = wholeText(message, components.slice(4));
    if (data.trim() !== '') {
      const [only = '', another] = components
        .slice(4)
        .map((sub) => sub.join('&'))
        .filter((one) => one.trim() !== '');
      const isCode = another === undefined && isPieceOfBase64(only);
      if (data.trim() !== HL7_NULL) found.push({ ...describe(components), pieces: [isCode ? only : data] });
      continue;
    }
    const before = components.length < 5 ? found.at(-1) : undefined;
    if (before !== undefined) before.pieces.push(wholeText(message, components));
    else found.push(...[misplaced(message, components)].filter((one) => one !== null));
  }
  return found;
}

const isShapedAsEd = (components: Components): boolean =>
  components.length >= 5 && /^(?:BASE64|HEX)$/.test(said(components, 4));

/** What a value holds, in its order: lines of a text, files, and pointers to documents that are kept elsewhere. */
export type Content =
  | { readonly kind: 'line'; readonly line: string }
  | { readonly kind: 'file'; readonly file: EnclosedFile }
  | { readonly kind: 'pointer'; readonly pointer: string };

/** RP (v2.5.1 chapter 2.A.66): the pointer whole, although an address may hold separators that nobody escaped. */
function pointers(obx: Hl7Segment): Content[] {
  const found: string[] = [];
  for (const components of obx.fields[5] ?? []) {
    const pointer = (components[0] ?? []).join('&').trim();
    const before = found.at(-1);
    // As in https://ris/~reports/1.pdf.
    if (before?.endsWith('/') === true && /^\w/.test(pointer) && !/^\w+:/.test(pointer)) {
      found[found.length - 1] = `${before}~${pointer}`;
    } else if (pointer !== '' && pointer !== HL7_NULL) found.push(pointer);
  }
  return found.map((pointer) => ({ kind: 'pointer', pointer }));
}

/** What OBX-5 holds, if there is more in it than a value of its type; `null` where it is a value and nothing else. */
export function contentsOf(message: Hl7Message, obx: Hl7Segment): Content[] | null {
  const type = component(obx, 2).trim().toUpperCase();
  if (type === 'RP') return pointers(obx);
  if (type === 'ED') return encapsulated(message, obx).map((file) => ({ kind: 'file', file }));
  const contents: Content[] = [];
  let open: EnclosedFile | undefined;
  for (const components of obx.fields[5] ?? []) {
    const line = wholeText(message, components);
    const file = isShapedAsEd(components)
      ? { ...describe(components), pieces: [wholeText(message, components.slice(4))] }
      : recognised(message, components);
    if (file !== null) {
      contents.push({ kind: 'file', file });
      open = file;
    } else if (open !== undefined && (open.encoding !== 'BASE64' || isPieceOfBase64(line))) open.pieces.push(line);
    else contents.push({ kind: 'line', line });
  }
  return open === undefined ? null : contents;
}

/** Whether a text can be more of a file in Base64: its letters only, without words that blanks part. */
export const isPieceOfBase64 = (text: string): boolean => /^[A-Za-z0-9+/]+={0,2}$/.test(packed(text));

const HEX = /^(?:[0-9A-Fa-f]{2})+$/;

/** Pieces of a text that is no Base64: bare repetition separators parted them, or in RTF line ends too. */
function joinedText(pieces: readonly string[]): string {
  const [first = '', ...rest] = pieces;
  if (!beginsAsRtf(first)) return pieces.join('~');
  return rest.reduce((all, next) => {
    const isLine =
      !all.endsWith('\\') && (/^\s*(?:$|[\\{}])/.test(next) || /(?:\n\s*|\\[a-z]+-?\d*)$/.test(all.slice(-40)));
    return all + (isLine ? '\n' : '~') + next;
  }, first);
}

const isItself = (text: string): boolean =>
  beginsAsRtf(text) || looksLikeHtml(text.slice(0, 4096)) || /^\s*(?:%PDF-|<\?xml\b)/.test(text);

/** What a file without an encoding is: itself where it is a text, else Base64. */
function unsaidEncoding({ contentType, pieces }: EnclosedFile): 'A' | 'BASE64' {
  const base64 = joinedBase64(pieces.map(packed));
  if (kindInBase64(pieces.join('')) !== null && base64 !== null) return 'BASE64';
  if (contentType !== UNKNOWN_TYPE && !contentType.startsWith('text/'))
    return isItself(pieces[0] ?? '') ? 'A' : 'BASE64';
  if (base64 === null || base64.length < 16) return 'A';
  return base64.length % 4 === 0 && isReadable(Buffer.from(base64, 'base64'), true) ? 'BASE64' : 'A';
}

export type FileData = { readonly base64: string } | { readonly text: string } | { readonly problem: Problem };
interface Problem {
  readonly code: 102 | 103;
  readonly reason: string;
}

/** A file's data as Base64, or as the text that stood in the message; a problem where it is not what it says it is. */
export function fileData(file: EnclosedFile): FileData {
  const { pieces } = file;
  const encoding = file.encoding === '' ? unsaidEncoding(file) : file.encoding;
  if (encoding === 'A' || encoding === 'ASCII' || isItself(pieces[0] ?? '')) return { text: joinedText(pieces) };
  if (encoding === 'BASE64') {
    const base64 = joinedBase64(pieces.map(packed));
    return base64 === null ? { problem: { code: 102, reason: 'OBX-5 is not Base64' } } : { base64 };
  }
  if (encoding !== 'HEX') return { problem: { code: 103, reason: 'OBX-5.4 is not an encoding of table 0299' } };
  const digits = pieces.join('').replace(/\s/g, '');
  return HEX.test(digits)
    ? { base64: Buffer.from(digits, 'hex').toString('base64') }
    : { problem: { code: 102, reason: 'OBX-5 is not hexadecimal' } };
}

/** Whether a file has any data. */
export const hasData = ({ pieces }: EnclosedFile): boolean => {
  const data = pieces.join('').trim();
  return data !== '' && data !== HL7_NULL;
};
