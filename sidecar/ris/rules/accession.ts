// What most are: nothing of it is altered, but by upper case.
const PLAIN = /^[A-Za-z0-9.-]*$/;

/**
 * An accession number as it is shown and stored: no control characters, no surrounding blanks, no trailing component
 * separators (`ACC1^^`, which some modalities copy over from HL7). `''` where nothing is left. Leading zeros count.
 */
export function cleanAccession(raw: string): string {
  if (PLAIN.test(raw)) return raw;
  const text = raw
    .toWellFormed()
    .replace(/\p{Cc}/gu, '')
    .trim();
  let end = text.length;
  while (end > 0 && /[\s^]/.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

/** Control, format (bidirectional and zero-width among them) and other characters that nobody sees. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

/**
 * Whether a number has characters that nobody sees. It is never altered to be without: two numbers that look alike must
 * not be two studies.
 */
export const hasUnseen = (raw: string): boolean =>
  !PLAIN.test(raw) && UNSEEN.test(raw.trim().replace(/[\s^]{1,64}$/, ''));

/** The form in which two accession numbers are compared: {@link cleanAccession}, upper case. `''` equals nothing. */
export function accessionKey(raw: string): string {
  if (PLAIN.test(raw)) return raw.toUpperCase();
  return cleanAccession(cleanAccession(raw).toUpperCase().normalize('NFC'));
}
