import type { Hl7Field, Hl7Message, Hl7Segment } from './hl7-message.ts';
import { Hl7Rejection } from './hl7-rejection.ts';

interface Separators {
  readonly field: string;
  readonly component: string;
  readonly repetition: string;
  readonly escape: string;
  readonly subcomponent: string;
  /** HL7 2.7 and later. */
  readonly truncation: string;
}

/** NULs say nothing, and no database text can hold one. */
function withoutNuls(text: string): string {
  return text.replaceAll('\0', '');
}

function hexText(hex: string): string {
  return withoutNuls(Buffer.from(hex, 'hex').toString('latin1'));
}

// HL7 v2.5.1 chapter 2.7: a sequence that is not known stays as it is, so that nothing is lost.
function unescape(text: string, separators: Separators): string {
  const { escape } = separators;
  if (escape === '' || !text.includes(escape)) return text;
  const parts = text.split(escape);
  let result = parts[0] ?? '';
  for (let index = 1; index < parts.length; index += 1) {
    const sequence = parts[index] ?? '';
    const closed = index + 1 < parts.length;
    const meaning = closed ? meaningOf(sequence, separators) : null;
    if (meaning === null) {
      result += escape + sequence;
    } else {
      result += meaning + (parts[index + 1] ?? '');
      index += 1;
    }
  }
  return result;
}

function meaningOf(sequence: string, separators: Separators): string | null {
  switch (sequence) {
    case 'F':
      return separators.field;
    case 'S':
      return separators.component;
    case 'R':
      return separators.repetition;
    case 'E':
      return separators.escape;
    case 'T':
      return separators.subcomponent;
    case 'P':
      return separators.truncation === '' ? null : separators.truncation;
    case 'H':
    case 'N':
      return '';
    default:
      if (/^X(?:[0-9A-Fa-f]{2})+$/.test(sequence)) return hexText(sequence.slice(1));
      if (/^\.(?:br|sp ?\d*|ce)$/i.test(sequence)) return '\n';
      return /^\.(?:fi|nf|in ?[+-]?\d*|ti ?[+-]?\d*|sk ?\d*)$/i.test(sequence) ? ' ' : null;
  }
}

function parseField(text: string, separators: Separators): Hl7Field {
  if (text === '') return [];
  const split = (part: string, separator: string): string[] => (separator === '' ? [part] : part.split(separator));
  return split(text, separators.repetition).map((repetition) =>
    split(repetition, separators.component).map((component) =>
      split(component, separators.subcomponent).map((subcomponent) => unescape(subcomponent, separators)),
    ),
  );
}

function parseSegment(line: string, separators: Separators): Hl7Segment {
  const [name = '', ...fields] = line.split(separators.field);
  if (name !== 'MSH') return { name, fields: [[], ...fields.map((field) => parseField(field, separators))] };
  const [encoding = '', ...rest] = fields;
  return {
    name,
    fields: [[], [[[separators.field]]], [[[encoding]]], ...rest.map((field) => parseField(field, separators))],
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
  const lines: string[] = [];
  for (const line of text.split(/\r\n?|\n/).filter((one) => one.trim() !== '')) {
    const before = lines.at(-1);
    if (before !== undefined && TEXT_SEGMENT.test(before) && !beginsSegment(line, separator)) {
      lines[lines.length - 1] = `${before}\n${line}`;
    } else {
      lines.push(line);
    }
  }
  return lines;
}

/**
 * An HL7 v2 message (v2.5.1 chapter 2.6) as plain data: its own separators, segments ended by CR, LF or both (such a
 * line end within an OBX or NTE is put up with), escapes resolved (`\.br\` is a line end, `\X..\` the named bytes as
 * 8859/1), NULs left out.
 * @throws Hl7Rejection 100 where it does not begin with an MSH segment or a segment has no name.
 */
export function parseHl7(text: string): Hl7Message {
  const lines = segmentLines(withoutNuls(text));
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
  const separators = { field, component, repetition, escape, subcomponent, truncation };
  const segments = [header, ...lines.slice(1)].map((line) => parseSegment(line, separators));
  const nameless = segments.find(({ name }) => !/^[A-Z][A-Z0-9]{2}$/.test(name));
  if (nameless !== undefined) throw new Hl7Rejection(100, 'a line of the message is not a segment');
  return { segments };
}
