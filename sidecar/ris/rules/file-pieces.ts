import { kindInBase64, packed } from './base64-data.ts';
import { beginsAsRtf } from './document-kind.ts';

/** Looks at the pieces of a file as they come, for where it ends. */
export interface FileEnd {
  feed(piece: string): void;
  /** Whether a file of this kind has come to its end; one whose kind does not tell has with each piece. */
  isReached(): boolean;
  /** Whether the end would be reached with this piece. */
  wouldReach(piece: string): boolean;
}

const TAIL = 1024;

function endOf(kind: string | null, tail: string, depth: number): boolean {
  switch (kind ?? '') {
    case 'application/pdf':
      return tail.includes('%%EOF');
    case 'application/rtf':
      return depth <= 0;
    case 'image/jpeg':
      return /\xff\xd9\s*\0*$/.test(tail);
    case 'image/png':
      return tail.includes('IEND');
    default:
      return true;
  }
}

/** Follows a file that begins with this piece, in Base64 or as text, piece by piece; time and room are linear. */
export function followFile(first: string, isEncoded: boolean): FileEnd {
  const kind = isEncoded ? kindInBase64(first) : beginsAsRtf(first) ? 'application/rtf' : null;
  let carry = '';
  let tail = '';
  let depth = 0;
  let isEscaped = false;
  const raw = (piece: string): { text: string; rest: string } => {
    if (!isEncoded) return { text: piece, rest: '' };
    const letters = carry + packed(piece);
    const whole = letters.endsWith('=') ? letters.length : letters.length - (letters.length % 4);
    return { text: Buffer.from(letters.slice(0, whole), 'base64').toString('latin1'), rest: letters.slice(whole) };
  };
  const withTail = (text: string): string => (tail + text.slice(-TAIL)).slice(-TAIL);
  const nesting = (text: string, from: number): number => {
    let count = from;
    for (let at = 0; at < text.length; at += 1) {
      const sign = text.charCodeAt(at);
      if (isEscaped) isEscaped = false;
      else if (sign === 0x5c) isEscaped = true;
      else if (sign === 0x7b) count += 1;
      else if (sign === 0x7d) count -= 1;
    }
    return count;
  };
  const end: FileEnd = {
    feed(piece) {
      const { text, rest } = raw(piece);
      carry = rest;
      tail = withTail(text);
      if (kind === 'application/rtf') depth = nesting(text, depth);
    },
    isReached: () => endOf(kind, tail, depth),
    wouldReach: (piece) => endOf(kind, withTail(raw(piece).text), 1),
  };
  end.feed(first);
  return end;
}
