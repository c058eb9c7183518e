/**
 * An accession number as it is shown and stored: no control characters, no surrounding blanks, no trailing component
 * separators (`ACC1^^`, which some modalities copy over from HL7). `''` where nothing is left. Leading zeros count.
 */
export function cleanAccession(raw: string): string {
  const text = raw
    .toWellFormed()
    .replace(/\p{Cc}/gu, '')
    .trim();
  let end = text.length;
  while (end > 0 && /[\s^]/.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

const MAX_LENGTH = 64;
/** Control, format (bidirectional and zero-width among them) and other characters that nobody sees. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

/**
 * Why what a message gives can be no accession number, or `null`. It is never altered to make it one: two numbers that
 * look alike must not be two studies, nor a number cut to another one's.
 */
export function accessionProblem(raw: string): string | null {
  const text = raw.trim().replace(/[\s^]{1,64}$/, '');
  if (UNSEEN.test(text)) return 'the accession number has a control, bidirectional or zero-width character';
  return Array.from(cleanAccession(raw)).length > MAX_LENGTH
    ? `the accession number is longer than ${MAX_LENGTH} characters`
    : null;
}

/** The form in which two accession numbers are compared: {@link cleanAccession}, upper case. `''` equals nothing. */
export function accessionKey(raw: string): string {
  return cleanAccession(cleanAccession(raw).toUpperCase().normalize('NFC'));
}
