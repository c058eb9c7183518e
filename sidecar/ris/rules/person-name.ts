// Letters that Unicode does not decompose into a base letter and a mark.
const UNDECOMPOSED: Readonly<Record<string, string>> = { Æ: 'AE', Ø: 'O', Œ: 'OE', Ł: 'L', Đ: 'D', Ð: 'D', Þ: 'TH' };

/** One component group of a name, folded: the family name in one piece, the given and middle names as words. */
interface FoldedName {
  readonly family: string;
  readonly given: readonly string[];
}

function foldWords(text: string): string[] {
  return text
    .toWellFormed()
    .toUpperCase()
    .normalize('NFKD')
    .replace(/[\p{M}\p{Cc}'’`´ʼ.]/gu, '')
    .replace(/[ÆØŒŁĐÐÞ]/g, (letter) => UNDECOMPOSED[letter] ?? letter)
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
}

/** All words of a name, folded as {@link comparePersonNames} folds them. */
export const nameWords = (personName: string): readonly string[] => foldWords(personName);

function fold(personName: string): FoldedName[] {
  return personName
    .split('=')
    .map((group) => {
      const [family = '', given = '', middle = ''] = group.split('^');
      return { family: foldWords(family).join(''), given: foldWords(`${given} ${middle}`) };
    })
    .filter((name) => name.family !== '' || name.given.length > 0);
}

/** Whether the shorter list of given names is how the longer one begins: `ANNA` and `ANNA MARIE`, not `ANNE`. */
function givenAgree(a: readonly string[], b: readonly string[]): boolean {
  if (a.join('') === b.join('')) return true;
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  return short.length > 0 && short.every((word, index) => word === long[index]);
}

function groupsAgree(a: FoldedName, b: FoldedName): boolean {
  if (a.family === b.family && givenAgree(a.given, b.given)) return true;
  return a.family + a.given.join('') === b.family + b.given.join('');
}

/**
 * Whether two person names (DICOM PN, PS3.5 6.2: component groups parted by `=`, components by `^`) can be one
 * person's: `unknown` where either says nothing. Case, accents, apostrophes, hyphens, blanks, name prefix and suffix do
 * not count; a missing middle name does not either; one agreeing component group (alphabetic, ideographic, phonetic)
 * is enough. Symmetric.
 */
export function comparePersonNames(a: string, b: string): 'same' | 'different' | 'unknown' {
  const left = fold(a);
  const right = fold(b);
  if (left.length === 0 || right.length === 0) return 'unknown';
  return left.some((one) => right.some((other) => groupsAgree(one, other))) ? 'same' : 'different';
}

/**
 * An HL7 XPN (v2.5.1 chapter 2.A.88: family, given, middle, suffix, prefix) with its repetitions as a DICOM PN, whose
 * order of suffix and prefix is the other way round; further repetitions (other scripts, aliases) become further
 * component groups. `''` where there is no name.
 */
export function personNameFromXpn(repetitions: readonly (readonly string[])[]): string {
  return repetitions
    .map(([family = '', given = '', middle = '', suffix = '', prefix = '']) =>
      [family, given, middle, prefix, suffix].map((part) => part.replace(/[\^=\p{Cc}]/gu, ' ').trim()).join('^'),
    )
    .map((group) => group.replace(/\^+$/, ''))
    .filter((group) => group !== '')
    .slice(0, 3)
    .join('=');
}
