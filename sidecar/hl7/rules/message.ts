/**
 * An HL7 v2 message as plain data, escapes already resolved: `fields[n][repetition][component][subcomponent]`, n being
 * the field's number in the standard (`fields[0]` is empty; in MSH, `fields[1]` is the field separator), everything
 * else from 0. Absent is an empty array or `''`; the HL7 null `""` stays the two characters `""` (v2.5.1 chapter 2.5.3).
 */
export type Hl7Field = readonly (readonly (readonly string[])[])[];
export interface Hl7Segment {
  readonly name: string;
  readonly fields: readonly Hl7Field[];
}
export interface Hl7Message {
  readonly segments: readonly Hl7Segment[];
}

/** HL7's way of saying "delete this value" (v2.5.1 chapter 2.5.3). */
export const HL7_NULL = '""';

/** Component `component` (from 1) of repetition `repetition` (from 0) of field `field`; `''` where it is absent. */
export function component(segment: Hl7Segment | undefined, field: number, component = 1, repetition = 0): string {
  return segment?.fields[field]?.[repetition]?.[component - 1]?.[0] ?? '';
}

/** As {@link component}, of a text that has no subcomponents: what a bare `&` parted is put together again. */
export function wholeComponent(segment: Hl7Segment | undefined, field: number, component = 1, repetition = 0): string {
  return (segment?.fields[field]?.[repetition]?.[component - 1] ?? []).join('&');
}

/** As {@link wholeComponent}, but a field that is `""` as a whole has `""` for each of its components. */
export function componentOrNull(segment: Hl7Segment | undefined, field: number, component = 1): string {
  const repetitions = segment?.fields[field] ?? [];
  const nulled =
    repetitions.length === 1 && repetitions[0]?.length === 1 && wholeComponent(segment, field) === HL7_NULL;
  return nulled ? HL7_NULL : wholeComponent(segment, field, component);
}

/** The repetitions of a field, each a list of components (first subcomponents only). */
export function repetitions(segment: Hl7Segment | undefined, field: number): readonly (readonly string[])[] {
  return (segment?.fields[field] ?? []).map((components) => components.map((sub) => sub[0] ?? ''));
}

/** One repetition of a field that is text: what bare separators parted is put together again, as it was written. */
export function wholeText(message: Hl7Message, components: readonly (readonly string[])[]): string {
  const encoding = component(message.segments[0], 2);
  return components.map((sub) => sub.join(encoding.charAt(3) || '&')).join(encoding.charAt(0) || '^');
}

/** The repetitions of a field that is text, as {@link wholeText} gives each. */
export function textRepetitions(message: Hl7Message, segment: Hl7Segment | undefined, field: number): string[] {
  return (segment?.fields[field] ?? []).map((components) => wholeText(message, components));
}

/** The first segment named `name`. */
export function segment(message: Hl7Message, name: string): Hl7Segment | undefined {
  return message.segments.find((candidate) => candidate.name === name);
}

/** Which one of its name a segment of the message is, from 1, as ERR-2 counts them. */
export function ordinal(message: Hl7Message, segment: Hl7Segment): number {
  return message.segments.filter(({ name }) => name === segment.name).indexOf(segment) + 1;
}
