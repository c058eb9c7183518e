import { Hl7Rejection } from './rejection.ts';

// HL7 table 0211 and what senders write instead of it, in upper case and without blanks, `-`, `_` and `/`, to the labels
// of the Encoding Standard.
const LABELS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['ASCII', 'USASCII', 'ISOIR6', 'WINDOWS1252', 'CP1252', 'ANSI', 'LATIN1', 'ISOIR100'].map((name) => [name, 'windows-1252'])),
  ...Object.fromEntries(['UNICODEUTF8', 'UNICODE', 'UTF8', 'ISOIR192'].map((name) => [name, 'utf-8'])),
  UNICODEUTF16: 'utf-16le',
  ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16].flatMap((part) =>
    [`8859${part}`, `ISO8859${part}`].map((name) => [name, part === 1 ? 'windows-1252' : part === 9 ? 'windows-1254' : `iso-8859-${part}`]))),
  GB180302000: 'gb18030',
  GB18030: 'gb18030',
  BIG5: 'big5',
  KSX1001: 'euc-kr',
}; // prettier-ignore

/** The Encoding Standard's label of a character set that MSH-18 names. */
function labelOf(charset: string): string | undefined {
  const name = charset.toUpperCase().replace(/[\s_/-]/g, '');
  return Object.hasOwn(LABELS, name) ? LABELS[name] : undefined;
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

/** Bytes as that character set has them (`''`: UTF-8), or as 8859/1 where they are none of it. */
export function decodeBytes(bytes: Buffer, charset: string): string {
  const label = charset === '' ? 'utf-8' : (labelOf(charset) ?? 'windows-1252');
  try {
    return decoderOf(label, true).decode(bytes);
  } catch {
    return decoderOf('windows-1252', false).decode(bytes);
  }
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
 * where it is valid UTF-8, else 8859/1. Bytes that the character set does not have become U+FFFD.
 * @throws Hl7Rejection 103 for a character set that is not known: guessing could change a name.
 */
export function decodeHl7(raw: Buffer): string {
  const charset = headerField(raw, 18);
  if (charset === '') return decodeBytes(raw, charset);
  const label = labelOf(charset);
  if (label === undefined) {
    throw new Hl7Rejection(103, 'MSH-18 is a character set that is not known', {
      segment: 'MSH',
      ordinal: 1,
      field: 18,
    });
  }
  return decoderOf(label, false).decode(raw);
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
