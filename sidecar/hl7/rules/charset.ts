import { Hl7Rejection } from './rejection.ts';

// HL7 table 0211 and what senders write instead of it, in upper case and without blanks, `-`, `_` and `/`, to the labels
// of the Encoding Standard.
const LABELS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['ASCII', 'USASCII', 'ISOIR6', 'WINDOWS1252', 'CP1252', 'ANSI', 'LATIN1', 'ISOIR100', 'ISO2022IR100', 'WE8ISO8859P1', 'WE8MSWIN1252'].map((name) => [name, 'windows-1252'])),
  ...Object.fromEntries(['UNICODEUTF8', 'UNICODE', 'UTF8', 'ISOIR192'].map((name) => [name, 'utf-8'])),
  // What can be read as far as MSH-18 byte by byte is neither of them.
  ...Object.fromEntries(['UNICODEUTF16', 'UTF16', 'UNICODEUTF32', 'UTF32'].map((name) => [name, 'utf-8'])),
  ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16].flatMap((part) =>
    [`8859${part}`, `ISO8859${part}`].map((name) => [name, part === 1 ? 'windows-1252' : part === 9 ? 'windows-1254' : `iso-8859-${part}`]))),
  GB180302000: 'gb18030',
  GB18030: 'gb18030',
  BIG5: 'big5',
  KSX1001: 'euc-kr',
}; // prettier-ignore

/** The Encoding Standard's label of a character set that MSH-18 names, in HL7's words, DICOM's or its own. */
function labelOf(charset: string): string | undefined {
  const name = charset.toUpperCase().replace(/[\s_/-]/g, '');
  if (Object.hasOwn(LABELS, name)) return LABELS[name];
  try {
    const { encoding } = new TextDecoder(charset.trim());
    return encoding.startsWith('utf-16') ? 'utf-8' : encoding;
  } catch {
    return undefined;
  }
}

// Making one costs more than a short text's decoding, and a message may have very many of those.
type Decoder = InstanceType<typeof TextDecoder>;
const decoders = new Map<string, Decoder>();

function decoderOf(label: string, fatal: boolean): Decoder {
  const key = `${label} ${fatal}`;
  const known = decoders.get(key) ?? new TextDecoder(label, { fatal });
  decoders.set(key, known);
  return known;
}

function decodeWhole(bytes: Uint8Array, label: string): string | null {
  try {
    return decoderOf(label, true).decode(bytes);
  } catch {
    return null;
  }
}

/** How many bytes from `at` are one letter of UTF-8 (RFC 3629); 0: none. */
function utf8Length(bytes: Uint8Array, at: number): number {
  const [first = 0, second = 0] = [bytes[at], bytes[at + 1]];
  if (first < 0x80) return 1;
  const length =
    first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (length === 0 || second < lowest || second > highest) return 0;
  for (let next = at + 2; next < at + length; next += 1) if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

const LETTERS_OF_1252 = Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(new TextDecoder('windows-1252').decode(Uint8Array.of(byte)), 'utf8'),
);

/** Bytes that are said to be UTF-8 and are not all of it: those that are none are windows-1252, each for itself. */
function decodeMixed(bytes: Uint8Array): string {
  const out = Buffer.allocUnsafe(bytes.length * 3);
  let to = 0;
  for (let at = 0; at < bytes.length;) {
    const length = utf8Length(bytes, at);
    if (length === 0) {
      for (const byte of LETTERS_OF_1252[bytes[at] ?? 0] ?? []) out[to++] = byte;
      at += 1;
    } else for (const end = at + length; at < end; at += 1) out[to++] = bytes[at] ?? 0;
  }
  return out.toString('utf8', 0, to);
}

/** Whose letters are one byte each, so that text in them is hardly ever UTF-8 by chance. */
const isSingleByte = (label: string): boolean => /^(?:windows|iso-8859|koi8|ibm866|macintosh|x-mac)/.test(label);

const HIGH_BYTE = /[\x80-\xff]/;

/** Bytes by a label, or as what they are instead; without U+FFFD, unless the sender had it. */
function decodeAs(bytes: Buffer, label: string): string {
  if (label !== 'utf-8' && isSingleByte(label)) {
    const utf8 = HIGH_BYTE.test(bytes.toString('latin1')) ? decodeWhole(bytes, 'utf-8') : null;
    return utf8 ?? decodeWhole(bytes, label) ?? decoderOf('windows-1252', false).decode(bytes);
  }
  return decodeWhole(bytes, label) ?? decodeMixed(bytes);
}

/** Bytes as that character set has them (`''`: UTF-8), or as 8859/1 where they are none of it. */
export function decodeBytes(bytes: Buffer, charset: string): string {
  const label = charset === '' ? 'utf-8' : (labelOf(charset) ?? 'windows-1252');
  return decodeWhole(bytes, label) ?? decoderOf('windows-1252', false).decode(bytes);
}

function headerField(raw: Buffer, number: number): string {
  const [header = ''] = raw
    .subarray(0, 4096)
    .toString('latin1')
    .trimStart()
    .split(/[\r\n]/, 1);
  if (!header.startsWith('MSH')) return '';
  const [first = ''] = (header.split(header.charAt(3))[number - 1] ?? '').split(/[~^]/, 1);
  return first.trim().toUpperCase();
}

/**
 * A message's text by the character set that its MSH-18 names (HL7 v2.5.1 chapter 2.15.9.18). Without one it is UTF-8
 * where it is valid UTF-8, else 8859/1. Where bytes and MSH-18 disagree the bytes count: what is no UTF-8 is windows-1252,
 * and what is UTF-8 throughout is not 8859. No byte becomes U+FFFD.
 * @throws Hl7Rejection 103 for a character set that is not known, if the bytes are no UTF-8: guessing could change a name.
 */
export function decodeHl7(raw: Buffer): string {
  const charset = headerField(raw, 18);
  if (charset === '') return decodeWhole(raw, 'utf-8') ?? decoderOf('windows-1252', false).decode(raw);
  const label = labelOf(charset);
  if (label !== undefined) return decodeAs(raw, label);
  const utf8 = decodeWhole(raw, 'utf-8');
  if (utf8 !== null) return utf8;
  throw new Hl7Rejection(103, 'MSH-18 is a character set that is not known', {
    segment: 'MSH',
    ordinal: 1,
    field: 18,
  });
}

/** An acknowledgment's bytes: UTF-8 or plain ASCII as its own MSH-18 says, `?` for what does not fit. */
export function encodeHl7(text: string): Buffer {
  const charset = headerField(Buffer.from(text, 'latin1'), 18);
  const label = labelOf(charset);
  if (charset === '' || label === 'utf-8') return Buffer.from(text, 'utf8');
  const highest = /8859[/-]?1$/.test(charset) ? 0xff : 0x7f;
  return Buffer.from(
    Array.from(text, (letter) => ((letter.codePointAt(0) ?? 0) <= highest ? letter : '?')).join(''),
    'latin1',
  );
}
