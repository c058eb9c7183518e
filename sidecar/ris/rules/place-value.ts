import { HL7_NULL } from '../../hl7/rules/message.ts';

/** What a field holds, told without its content. `number`: it can be an accession number or a patient's number. */
export type ValueKind = 'empty' | 'deleted' | 'number' | 'name' | 'no-digit' | 'too-long' | 'unseen';

/** The longest number that is taken. DICOM has 16 characters for an accession number and 64 for a patient's. */
export const MAX_NUMBER_LENGTH = 64;

const TITLE = /^(?:a\/?prof|prof|dr|mr|mrs|ms|miss|mx|sr|fr|rev)[\s.]+\p{L}/iu;
/** Two words of letters beside one another: `Jane Smith`, `SMITH, Jane`. */
const WORDS = /\p{L}{2}[\p{L}'’-]*[\s,.]+\p{L}{2}/u;
const LETTERS = /^\p{L}[\p{L}\s'’.-]*$/u;

/** An XCN (HL7 v2.5.1 chapter 2.A.86) has family and given name behind the person's number; an EI or CX has neither. */
const isPerson = ([, family = '', given = '']: readonly string[]): boolean =>
  LETTERS.test(family) && LETTERS.test(given);

/** What a value is where a number is looked for; `components`: those of its field. */
export function kindOf(value: string, components: readonly string[] = []): ValueKind {
  const text = value.trim();
  if (text === HL7_NULL) return 'deleted';
  if (text === '') return 'empty';
  if (TITLE.test(text) || WORDS.test(text) || isPerson(components.map((one) => one.trim()))) return 'name';
  if (!/\d/.test(text)) return 'no-digit';
  return text.length > MAX_NUMBER_LENGTH ? 'too-long' : 'number';
}

/** As a sentence about a field ends: `OBR-18 holds a name`. */
export const KIND_WORDS: Readonly<Record<ValueKind, string>> = {
  empty: 'is empty',
  deleted: 'is deleted ("")',
  number: 'holds a number',
  name: 'holds a name',
  'no-digit': 'holds words without a digit',
  'too-long': `is longer than ${MAX_NUMBER_LENGTH} characters`,
  unseen: 'has a control, bidirectional or zero-width character',
};

/** Medicare card numbers: 8 digits, the first 2 to 6, a check digit, an issue number, and maybe who on the card. */
export function isMedicareNumber(text: string): boolean {
  const digits = text.replace(/[\s-]/g, '');
  if (!/^[2-6]\d{9,10}$/.test(digits)) return false;
  const sum = [1, 3, 7, 9, 1, 3, 7, 9].reduce((total, weight, at) => total + weight * Number(digits.charAt(at)), 0);
  return sum % 10 === Number(digits.charAt(8));
}
