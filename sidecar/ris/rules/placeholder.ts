import { nameWords } from './person-name.ts';

/** What hospitals write in place of a name that nobody knows or that is not given yet. */
const NOBODY = new Set([
  'UNKNOWN', 'UNK', 'UNIDENTIFIED', 'UNNAMED', 'NONAME', 'ANONYMOUS', 'NEWBORN', 'NEONATE', 'BABYOF',
]); // prettier-ignore

/** `BABY OF SMITH`, `TWIN 2 OF SMITH`, `B/O SMITH`: somebody's child. */
const CHILD_OF = /\b(BABY|BOY|GIRL|INFANT|TWIN|SON|DAUGHTER)( \w+)? OF\b|\bB O\b|\bNO NAME\b/;

/** Whether that is no name of one person (DICOM PN): many have it, so that two of them prove nothing. */
export function isPlaceholderName(personName: string): boolean {
  const words = nameWords(personName);
  return words.some((word) => NOBODY.has(word)) || CHILD_OF.test(words.join(' '));
}

/** Whether that is no birth date: 1900-01-01 and what is before it. `YYYY-MM-DD`. */
export const isPlaceholderBirthDate = (birthDate: string): boolean => birthDate <= '1900-01-01';
