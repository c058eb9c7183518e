import { kindByContent } from './document-kind.ts';

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
// Line ends as they come through engines: as such, as \r\n spelled out, as character references.
const LINE_ENDS = /\s+|\\[rn]|&#(?:13|10|[xX]0*[dDaA]);/g;
const PREFIX = /^\s*data:[^,]{0,100};base64,/i;

/** A piece of Base64 without what engines put between its letters. */
export const packed = (piece: string): string =>
  piece.replace(PREFIX, '').replace(LINE_ENDS, '').replaceAll('-', '+').replaceAll('_', '/');

/** Whether a piece, packed, is Base64 that can stand at the end of a file. */
export const isBase64 = (piece: string): boolean =>
  BASE64.test(piece) && (piece.indexOf('=') < 0 ? piece.length : piece.indexOf('=')) % 4 !== 1;

/** Base64 of several pieces, whether a file was parted before it was encoded or after; `null` where it is none. */
export function joinedBase64(pieces: readonly string[]): string | null {
  const whole: string[] = [];
  let open: string[] = [];
  for (const piece of pieces.filter((one) => one !== '')) {
    open.push(piece);
    if (piece.endsWith('=')) {
      whole.push(open.join(''));
      open = [];
    }
  }
  if (open.length > 0) whole.push(open.join(''));
  if (whole.length === 0 || !whole.every(isBase64)) return null;
  const [only] = whole;
  if (whole.length === 1 && only !== undefined) return only;
  return Buffer.concat(whole.map((one) => Buffer.from(one, 'base64'))).toString('base64');
}

const HEAD = 400;
const MIN_LENGTH = 8;

/** The kind of the file that a text is in Base64; `null`: the text is none, or none of a known kind. */
export function kindInBase64(text: string): string | null {
  const head = packed(text.slice(0, HEAD));
  const cut = head.slice(0, head.length - (head.length % 4));
  if (cut.length < MIN_LENGTH || !/^[A-Za-z0-9+/]+=*$/.test(cut)) return null;
  return kindByContent(Buffer.from(cut.slice(0, 240), 'base64'));
}
