const ascii = (bytes: Uint8Array, from: number, to: number): string =>
  String.fromCharCode(...bytes.subarray(from, Math.min(to, bytes.length)));

// How files begin that hold no words that could be read here.
const BY_SIGNATURE: readonly (readonly [string, string])[] = [
  ['%PDF-', 'application/pdf'],
  ['\xff\xd8\xff', 'image/jpeg'],
  ['\x89PNG\r\n\x1a', 'image/png'],
  ['GIF87a', 'image/gif'],
  ['GIF89a', 'image/gif'],
  ['II*\0', 'image/tiff'],
  ['MM\0*', 'image/tiff'],
  ['PK\x03\x04', 'application/zip'],
  ['\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', 'application/msword'],
  ['\x1f\x8b\x08', 'application/gzip'],
];
const RTF = /^[\s\0]*\{\\{1,2}rtf/;

/** What a file is by how it begins; `null` where that says nothing. */
export function kindByContent(bytes: Uint8Array): string | null {
  const begins = ascii(bytes, 0, 64).replace(/^\xef\xbb\xbf/, '');
  const known = BY_SIGNATURE.find(([signature]) => begins.trimStart().startsWith(signature))?.[1];
  if (known !== undefined) return known;
  if (RTF.test(begins)) return 'application/rtf';
  return ascii(bytes, 128, 132) === 'DICM' ? 'application/dicom' : null;
}

/** Whether a text begins as RTF. */
export const beginsAsRtf = (text: string): boolean => /^[\s\0\ufeff]*\{\\{1,2}rtf/.test(text.slice(0, 256));

/** UTF-16 by its byte order mark, or by the NULs beside the first letters. */
function wideLabel(bytes: Uint8Array): string {
  if (bytes.length % 2 !== 0) return '';
  const begins = ascii(bytes, 0, 8);
  if (/^\xff\xfe|^(?:[^\0]\0){4}/.test(begins)) return 'utf-16le';
  return /^\xfe\xff|^(?:\0[^\0]){4}/.test(begins) ? 'utf-16be' : '';
}

/** A file's bytes as text: as its byte order mark says, else UTF-8 where they are that, else windows-1252. */
export function decodeText(bytes: Uint8Array): string {
  const wide = wideLabel(bytes);
  for (const label of [wide, 'utf-8'].filter((one) => one !== '')) {
    try {
      return new TextDecoder(label, { fatal: true }).decode(bytes);
    } catch {
      // Not what it seemed; the next one has a try.
    }
  }
  return new TextDecoder('windows-1252').decode(bytes);
}

// What no text holds, however it was decoded.
const UNREADABLE = /[[\p{Cc}--[\t\n\v\f\r]]\ufffd]/v;

/** As good as all of it letters, digits and signs of ASCII: what any bytes at all hardly ever are. */
function isMostlyAscii(bytes: Uint8Array): boolean {
  let count = 0;
  for (const byte of bytes) if ((byte >= 0x20 && byte < 0x7f) || (byte >= 9 && byte <= 13)) count += 1;
  return count >= bytes.length * 0.8;
}

/** Whether bytes of no known kind are words. `strict`: where nobody said that they are a file at all. */
export function isReadable(bytes: Uint8Array, strict = false): boolean {
  const text = decodeText(bytes);
  if (text.trim() === '' || UNREADABLE.test(text) || text.includes('%PDF-')) return false;
  return (
    !strict || (/\p{L}/u.test(text) && (isMostlyAscii(bytes) || Buffer.from(text, 'utf8').equals(Buffer.from(bytes))))
  );
}

/** Whether what is said to be words can be that: a control character in twenty letters at most. */
export function isMostlyWords(text: string): boolean {
  const controls = text.match(/[[\p{Cc}--[\t\n\v\f\r]]\ufffd]/gv)?.length ?? 0;
  return controls * 20 <= text.length;
}
