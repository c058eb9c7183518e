import {
  component,
  HL7_NULL,
  textRepetitions,
  wholeComponent,
  type Hl7Message,
  type Hl7Segment,
} from '../../hl7/rules/message.ts';

/** The lines of a text field, one a repetition; a deleted one is none. */
export const textLines = (message: Hl7Message, from: Hl7Segment, field: number): string[] =>
  textRepetitions(message, from, field).filter((line) => line.trim() !== HL7_NULL);

const words = (from: Hl7Segment, field: number, parts: readonly number[], repetition = 0): string =>
  parts
    .map((part) => wholeComponent(from, field, part, repetition).trim())
    .find((one) => one !== '' && one !== HL7_NULL) ?? '';

/** Types of OBX-5 whose value is a text as it was written. */
export const TEXT_TYPES = new Set(['TX', 'FT', 'ST', '']);

/** A number with its unit, and what it measures before it: `Lesion: 4 mm`. */
function measured(obx: Hl7Segment, value: string): string {
  const unit = words(obx, 6, [1, 2]);
  const number = unit === '' ? value : `${value} ${unit}`;
  const what = words(obx, 3, [2, 5]);
  return what === '' ? number : `${what}: ${number}`;
}

/** What an OBX says in words by its type (HL7 v2.5.1 table 0125); a text as it was written. */
export function valueLines(message: Hl7Message, obx: Hl7Segment): string[] {
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
