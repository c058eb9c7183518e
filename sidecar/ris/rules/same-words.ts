const MAX_LENGTH = 1_000_000;

/** The words of a text alone, parted by single blanks; `null` of one too long to be compared. */
export function wordsOnly(text: string): string | null {
  if (text.length > MAX_LENGTH) return null;
  return (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).join(' ');
}

/** Whether these words stand one after the other in those. Time is linear, whatever they are (Knuth, Morris, Pratt). */
export function containsWords(all: string, some: string): boolean {
  const [text, wanted] = [` ${all} `, ` ${some} `];
  if (some === '' || wanted.length > text.length) return some === '';
  const back = new Int32Array(wanted.length);
  for (let at = 1, length = 0; at < wanted.length; at += 1) {
    while (length > 0 && wanted.charCodeAt(at) !== wanted.charCodeAt(length)) length = back[length - 1] ?? 0;
    if (wanted.charCodeAt(at) === wanted.charCodeAt(length)) length += 1;
    back[at] = length;
  }
  for (let at = 0, length = 0; at < text.length; at += 1) {
    while (length > 0 && text.charCodeAt(at) !== wanted.charCodeAt(length)) length = back[length - 1] ?? 0;
    if (text.charCodeAt(at) === wanted.charCodeAt(length)) length += 1;
    if (length === wanted.length) return true;
  }
  return false;
}
