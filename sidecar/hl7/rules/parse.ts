import { decodeBytes } from './charset.ts';
import { undoubleEscapes } from './doubled-escapes.ts';
import { countUpTo, MAX_ESCAPES, MAX_LINE_ENDS, MAX_PARTS, MAX_REPETITIONS, MAX_SEGMENTS } from './limits.ts';
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
  /** Those that a field can have. */
  readonly parts: readonly string[];
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
  if (!encoding.parts.some((one) => text.includes(one))) return [[[text]]];
  const { repetition, component, subcomponent } = encoding;
  const split = (part: string, separator: string): string[] => (separator === '' ? [part] : part.split(separator));
  return split(text, repetition).map((one) =>
    split(one, component).map((part) => split(part, subcomponent).map((piece) => unescape(piece, encoding))),
  );
}

/** Those behind are of no segment of any version, and no setting can name one. */
const MOST_FIELDS = 200;

function parseFields(line: string, encoding: Encoding): Hl7Field[] {
  const [name = '', ...fields] = line.split(encoding.field, MOST_FIELDS);
  if (name !== 'MSH') return [[], ...fields.map((field) => parseField(field, encoding))];
  const [separators = '', ...rest] = fields;
  return [[], [[[encoding.field]]], [[[separators]]], ...rest.map((field) => parseField(field, encoding))];
}

/** A segment whose fields are taken apart when they are first asked for: of most segments nobody asks. */
function lazySegment(line: string, encoding: Encoding): Hl7Segment {
  let fields: Hl7Field[] | undefined;
  return {
    name: line.slice(0, 3),
    get fields() {
      return (fields ??= parseFields(line, encoding));
    },
  };
}

const NAME = /^[A-Z][A-Z0-9]{2}/;

// Senders write them without a separator when they have nothing to say. Of another name that is a line of text, such as NAD.
const MAY_BE_BARE = new Set([
  'EVN',
  'PD1',
  'PV1',
  'PV2',
  'AL1',
  'DG1',
  'IN1',
  'GT1',
  'NK1',
  'TQ1',
  'IPC',
  'ORC',
  'OBR',
  'OBX',
  'NTE',
  'DSC',
  'ADD',
]);
/** Segments that carry text, in which such a line is a line of it. */
const TEXT_SEGMENT = /^(?:OBX|NTE)/;

/** Whether a line begins a segment: a name and the message's field separator, which `MRI shows …` does not have. */
function beginsSegment(line: string, separator: string, before: string): boolean {
  if (line.length > 3) return line.charAt(3) === separator && NAME.test(line);
  return MAY_BE_BARE.has(line) && !TEXT_SEGMENT.test(before);
}

const tooMany = (most: number, what: string): Hl7Rejection =>
  new Hl7Rejection(102, `the message has more than ${most} ${what}, and no setting raises that`);

/**
 * The lines of the segments. A line that begins none belongs to the field before it, although chapter 2.7 has an escape
 * for that: senders break the lines of what people type. In MSH nobody types.
 */
function segmentLines(text: string, separator: string): string[] {
  const segments: string[][] = [];
  for (const line of text.split(/\r\n?|\n/)) {
    if (line.trim() === '') continue;
    const current = segments.at(-1);
    if (current === undefined || beginsSegment(line, separator, current[0] ?? '')) segments.push([line]);
    else if (segments.length > 1) current.push(line);
    else throw new Hl7Rejection(100, 'the line after MSH is not a segment', { segment: 'MSH', ordinal: 1 });
    if (segments.length > MAX_SEGMENTS) throw tooMany(MAX_SEGMENTS, 'segments');
  }
  return segments.map((lines) => lines.join('\n'));
}

/**
 * An HL7 v2 message (v2.5.1 chapter 2.6) as plain data: its own separators, segments ended by CR, LF or both (such a
 * line end within a field is put up with), escapes resolved (`\.br\` is a line end, `\X..\` the named bytes in the
 * message's character set), NULs left out. Takes time and memory in proportion to its length, within the bounds of
 * limits.ts.
 * @throws Hl7Rejection 100 where it does not begin with an MSH segment, has a second one, or ADD or DSC say that it goes on
 * (chapter 2.10.2): half a report must not pass for one; 102 for one beyond a bound.
 */
export function parseHl7(text: string): Hl7Message {
  const clean = undoubleEscapes(withoutNuls(text))
    .replace(/^\uFEFF/, '')
    .trimStart();
  const field = clean.charAt(3);
  if (!clean.startsWith('MSH') || field === '' || /[A-Za-z0-9\s]/.test(field)) {
    throw new Hl7Rejection(100, 'the message does not begin with an MSH segment', { segment: 'MSH' });
  }
  const [header = ''] = clean.split(/[\r\n]/, 1);
  const [component = '', repetition = '', escape = '', subcomponent = '', truncation = ''] =
    header.slice(4).split(field, 1)[0] ?? '';
  if (component === '') {
    throw new Hl7Rejection(101, 'MSH-2 has no separators', { segment: 'MSH', ordinal: 1, field: 2 });
  }
  const parting = [field, component, repetition, subcomponent];
  if (countUpTo(clean, parting, MAX_PARTS) > MAX_PARTS) throw tooMany(MAX_PARTS, 'fields and parts of fields');
  if (countUpTo(clean, [repetition], MAX_REPETITIONS) > MAX_REPETITIONS) throw tooMany(MAX_REPETITIONS, 'repetitions');
  if (countUpTo(clean, ['\r', '\n'], MAX_LINE_ENDS) > MAX_LINE_ENDS) throw tooMany(MAX_LINE_ENDS, 'ends of lines');
  if (countUpTo(clean, [escape], MAX_ESCAPES) > MAX_ESCAPES) throw tooMany(MAX_ESCAPES, 'escape characters');
  const [charset = ''] = (header.split(field, 18)[17] ?? '').split(/[~^]/, 1);
  const parts = [repetition, component, escape, subcomponent].filter((one) => one !== '');
  const encoding = { field, component, repetition, escape, subcomponent, truncation, charset: charset.trim(), parts };
  const segments = segmentLines(clean, field).map((line) => lazySegment(line, encoding));
  const second = segments.findIndex(({ name }, index) => index > 0 && name === 'MSH');
  if (second > 0) {
    const reason = 'more than one MSH segment: several messages in one frame need an envelope (BHS … BTS)';
    throw new Hl7Rejection(100, reason, { segment: 'MSH', ordinal: 2 });
  }
  const continued = segments.find((one) => one.name === 'ADD' || (one.name === 'DSC' && one.fields[1]?.length));
  if (continued !== undefined) {
    throw new Hl7Rejection(100, 'a message in several parts is not taken', { segment: continued.name });
  }
  return { segments };
}
