import type { DocumentWords } from './document-words.ts';
import { createReader } from './rtf-reader.ts';

type Reader = ReturnType<typeof createReader>;

const isLetter = (code: number): boolean => (code >= 97 && code <= 122) || (code >= 65 && code <= 90);
const isDigit = (code: number): boolean => code >= 48 && code <= 57;
const hexOf = (code: number): number =>
  isDigit(code) ? code - 48 : code >= 97 && code <= 102 ? code - 87 : code >= 65 && code <= 70 ? code - 55 : -1;

/** What stands behind a backslash at `at`; gives where it ends. */
function readControl(source: string, at: number, reader: Reader): number {
  const code = source.charCodeAt(at + 1);
  if (!isLetter(code)) return readSymbol(source, at, reader);
  let end = at + 1;
  while (end < source.length && end - at <= 33 && isLetter(source.charCodeAt(end))) end += 1;
  const name = source.slice(at + 1, end);
  const from = end;
  if (source.charAt(end) === '-' && isDigit(source.charCodeAt(end + 1))) end += 1;
  while (end - from <= 11 && isDigit(source.charCodeAt(end))) end += 1;
  const value = end > from ? Number(source.slice(from, end)) : null;
  if (source.charAt(end) === ' ') end += 1;
  if (name === 'bin' && value !== null) return Math.min(end + Math.max(value, 0), source.length);
  if (reader.skipsUnicode()) reader.skipOne();
  else if (name === 'u' && value !== null) reader.unicode(value);
  else reader.word(name, value);
  return end;
}

function readSymbol(source: string, at: number, reader: Reader): number {
  const sign = source.charAt(at + 1);
  const [high, low] = sign === "'" ? [hexOf(source.charCodeAt(at + 2)), hexOf(source.charCodeAt(at + 3))] : [-1, -1];
  const end = high >= 0 && low >= 0 ? at + 4 : at + 2;
  if (reader.skipsUnicode()) {
    reader.skipOne();
    return end;
  }
  switch (sign) {
    case "'":
      if (end === at + 4) reader.byte(high * 16 + low);
      break;
    case '*':
      reader.star();
      break;
    case '~':
      reader.text(' ');
      break;
    case '_':
      reader.text('-');
      break;
    case '\n':
    case '\r':
      reader.word('par', null);
      break;
    case '\t':
      reader.word('tab', null);
      break;
    case '\\':
    case '{':
    case '}':
      reader.text(sign);
      break;
    default:
      break;
  }
  return end;
}

// What ends a run of plain letters; in bytes each letter above 7F too.
const SPECIAL = /[\\{}\r\n\0]/g;
const SPECIAL_OR_HIGH = /[\\{}\r\n\0\x80-\xff]/g;

/**
 * The words of an RTF document (RTF 1.9.1) from its `{\rtf`, and where its last group ends: lines and table rows as
 * lines, cells parted by tabs, signs of symbol fonts as the signs they draw, fields by their result. Pictures, tables of
 * fonts and styles, hidden and deleted text and remarks are left out; head and foot of the page too, except where nothing
 * else has words. `bytes` says that letters above 7F are bytes of the code page. Time and room are linear in the source.
 */
export function wordsOfRtf(source: string, bytes: boolean): DocumentWords & { readonly end: number } {
  const reader = createReader();
  let at = 0;
  while (at < source.length && !reader.isFull()) {
    const sign = source.charAt(at);
    if (sign === '{') {
      reader.open();
      at += 1;
    } else if (sign === '}') {
      reader.close();
      at += 1;
      if (reader.depth() === 0) break;
    } else if (sign === '\\') at = readControl(source, at, reader);
    else if (sign === '\r' || sign === '\n' || sign === '\0') at += 1;
    else if (reader.skipsUnicode()) {
      reader.skipOne();
      at += 1;
    } else if (reader.isWithinLetter() || (bytes && sign > '\x7f')) {
      reader.byte(source.charCodeAt(at) & 0xff);
      at += 1;
    } else {
      const special = bytes ? SPECIAL_OR_HIGH : SPECIAL;
      special.lastIndex = at;
      const end = special.exec(source)?.index ?? source.length;
      reader.text(source.slice(at, end));
      at = end;
    }
  }
  return { ...reader.result(), end: reader.isFull() ? source.length : Math.min(at, source.length) };
}
