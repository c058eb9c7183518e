import { decodeBytes } from './charset.ts';
import { undoubleEscapes } from './doubled-escapes.ts';
import type { Hl7Field, Hl7Message, Hl7Segment } from './message.ts';
import { Hl7Rejection } from './rejection.ts';

interface Encoding {
  readonly field: string;
  readonly component: string;
  readonly repetition: string;
  readonly escape: string;
  readonly subcomponent: string;
  /** HL7 2.7 and later. */
  readonly truncation: string;
  /** MSH-18. */
  readonly charset: string;
}

/** NULs say nothing, and no database text can hold one. */
function withoutNuls(text: string): string {
  return text.replaceAll('\0', '');
}

const HEX_ESCAPE = /^X((?:[0-9A-Fa-f]{2})+)$/;
const MAX_SKIPPED = 80;

// HL7 v2.5.1 chapter 2.7: a sequence that is not known stays as it is, so that nothing is lost.
function unescape(text: string, encoding: Encoding): string {
  const { escape, charset } = encoding;
  if (escape === '' || !text.includes(escape)) return text;
  const parts = text.split(escape);
  const closedAt = (index: number): string | null => (index + 1 < parts.length ? (parts[index] ?? '') : null);
  let result = parts[0] ?? '';
  let bytes = '';
  for (let index = 1; index < parts.length; index += 1) {
    const sequence = closedAt(index);
    const hex = HEX_ESCAPE.exec(sequence ?? '')?.[1];
    if (hex !== undefined) {
      bytes += hex;
      const literal = parts[index + 1] ?? '';
      // A letter of several bytes may be written as several sequences.
      if (literal !== '' || !HEX_ESCAPE.test(closedAt(index + 2) ?? '')) {
        result += withoutNuls(decodeBytes(Buffer.from(bytes, 'hex'), charset)) + literal;
        bytes = '';
      }
      index += 1;
      continue;
    }
    const meaning = sequence === null ? null : meaningOf(sequence, encoding);
    if (meaning === null) {
      result += escape + (parts[index] ?? '');
    } else {
      result += meaning + (parts[index + 1] ?? '');
      index += 1;
    }
  }
  return result;
}

function meaningOf(sequence: string, encoding: Encoding): string | null {
  switch (sequence) {
    case 'F':
      return encoding.field;
    case 'S':
      return encoding.component;
    case 'R':
      return encoding.repetition;
    case 'E':
      return encoding.escape;
    case 'T':
      return encoding.subcomponent;
    case 'P':
      return encoding.truncation === '' ? null : encoding.truncation;
    case 'H':
    case 'N':
      return '';
    default:
      return formatting(sequence);
  }
}

/** Formatting commands of FT (chapter 2.7.6): line ends as such, skipped blanks as blanks, other layout as one. */
function formatting(sequence: string): string | null {
  const [, command = '', count = ''] = /^\.(br|ce|sp|sk|fi|nf|in|ti) ?([+-]?\d{0,3})$/i.exec(sequence) ?? [];
  const times = Math.min(Math.max(Math.abs(Number(count)), 1), MAX_SKIPPED);
  switch (command.toLowerCase()) {
    case '':
      return null;
    case 'br':
    case 'ce':
      return '\n';
    case 'sp':
      return '\n'.repeat(times);
    case 'sk':
      return ' '.repeat(times);
    default:
      return ' ';
  }
}

function parseField(text: string, encoding: Encoding): Hl7Field {
  if (text === '') return [];
  const split = (part: string, separator: string): string[] => (separator === '' ? [part] : part.split(separator));
  return split(text, encoding.repetition).map((repetition) =>
    split(repetition, encoding.component).map((component) =>
      split(component, encoding.subcomponent).map((subcomponent) => unescape(subcomponent, encoding)),
    ),
  );
}

function parseSegment(line: string, encoding: Encoding): Hl7Segment {
  const [name = '', ...fields] = line.split(encoding.field);
  if (name !== 'MSH') return { name, fields: [[], ...fields.map((field) => parseField(field, encoding))] };
  const [separators = '', ...rest] = fields;
  return {
    name,
    fields: [[], [[[encoding.field]]], [[[separators]]], ...rest.map((field) => parseField(field, encoding))],
  };
}

/** Whether a line begins a segment: a name and the message's field separator, which `MRI shows …` does not have. */
function beginsSegment(line: string, separator: string): boolean {
  return /^[A-Z][A-Z0-9]{2}/.test(line) && line.charAt(3) === separator;
}

/** Segments that carry text or data, which senders break into lines although chapter 2.7 forbids it. */
const TEXT_SEGMENT = /^(?:OBX|NTE)/;

/** The lines of the segments; a line that begins none belongs to the text segment before it, if one is. */
function segmentLines(text: string): string[] {
  const separator = text
    .replace(/^\uFEFF/, '')
    .trimStart()
    .charAt(3);
  const segments: string[][] = [];
  for (const line of text.split(/\r\n?|\n/).filter((one) => one.trim() !== '')) {
    const current = segments.at(-1);
    if (current !== undefined && TEXT_SEGMENT.test(current[0] ?? '') && !beginsSegment(line, separator)) {
      current.push(line);
    } else {
      segments.push([line]);
    }
  }
  return segments.map((lines) => lines.join('\n'));
}

/** Far above any real message; each part takes much more memory than its separator did. */
const MAX_PARTS = 500_000;

function countParts(text: string, separators: readonly string[]): number {
  let parts = 0;
  for (const separator of separators.filter((one) => one !== '')) {
    for (let at = text.indexOf(separator); at >= 0 && parts <= MAX_PARTS; at = text.indexOf(separator, at + 1))
      parts += 1;
  }
  return parts;
}

/**
 * An HL7 v2 message (v2.5.1 chapter 2.6) as plain data: its own separators, segments ended by CR, LF or both (such a
 * line end within an OBX or NTE is put up with), escapes resolved (`\.br\` is a line end, `\X..\` the named bytes in
 * the message's character set), NULs left out.
 * @throws Hl7Rejection 100 where it does not begin with an MSH segment or a segment has no name, or where ADD or DSC say
 * that it goes on (chapter 2.10.2): half a report must not pass for one.
 */
export function parseHl7(text: string): Hl7Message {
  const lines = segmentLines(undoubleEscapes(withoutNuls(text)));
  const header = lines[0]?.replace(/^\uFEFF/, '').trimStart() ?? '';
  const field = header.charAt(3);
  if (!header.startsWith('MSH') || field === '' || /[A-Za-z0-9\s]/.test(field)) {
    throw new Hl7Rejection(100, 'the message does not begin with an MSH segment', { segment: 'MSH' });
  }
  const [component = '', repetition = '', escape = '', subcomponent = '', truncation = ''] =
    header.slice(4).split(field, 1)[0] ?? '';
  if (component === '') {
    throw new Hl7Rejection(101, 'MSH-2 has no separators', { segment: 'MSH', ordinal: 1, field: 2 });
  }
  const [charset = ''] = (header.split(field)[17] ?? '').split(/[~^]/, 1);
  if (countParts(text, [field, component, repetition, subcomponent]) > MAX_PARTS) {
    throw new Hl7Rejection(102, `the message has more than ${MAX_PARTS} fields and parts of fields`);
  }
  const encoding = { field, component, repetition, escape, subcomponent, truncation, charset: charset.trim() };
  const segments = [header, ...lines.slice(1)].map((line) => parseSegment(line, encoding));
  const nameless = segments.find(({ name }) => !/^[A-Z][A-Z0-9]{2}$/.test(name));
  if (nameless !== undefined) throw new Hl7Rejection(100, 'a line of the message is not a segment');
  const continued = segments.find(({ name, fields }) => name === 'ADD' || (name === 'DSC' && fields[1]?.length));
  if (continued !== undefined) {
    throw new Hl7Rejection(100, 'a message in several parts is not taken', { segment: continued.name });
  }
  return { segments };
}
