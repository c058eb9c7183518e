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

/** The form in which two accession numbers are compared: {@link cleanAccession}, upper case. `''` equals nothing. */
export function accessionKey(raw: string): string {
  return cleanAccession(cleanAccession(raw).toUpperCase().normalize('NFC'));
}
