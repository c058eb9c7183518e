/** The beginning of a message up to MSH-2's escape character, which stands there twice. */
const DOUBLED = /^(\s*MSH[^\sA-Za-z0-9\\]{3}\\)\\(?=[^\\\r\n])/;
const SINGLE = /(?<!\\)(?:\\\\)*\\(?!\\)/;

/**
 * A message whose engine wrote each backslash twice, as in MSH-2 `^~\\&`, as HL7 has it (v2.5.1 chapter 2.5.4: the escape
 * character is one). Where its text has single ones too, only MSH-2 was doubled. Any other message stays as it is.
 */
export function undoubleEscapes(text: string): string {
  if (!DOUBLED.test(text)) return text;
  return SINGLE.test(text) ? text.replace(DOUBLED, '$1') : text.replaceAll('\\\\', '\\');
}
