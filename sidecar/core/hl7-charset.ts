import { Hl7Rejection } from './hl7-rejection.ts';

// HL7 table 0211 as senders write it, to the labels of the Encoding Standard.
const LABELS: Readonly<Record<string, string>> = {
  ASCII: 'windows-1252',
  'ISO IR6': 'windows-1252',
  'UNICODE UTF-8': 'utf-8',
  'UNICODE': 'utf-8',
  'UTF-8': 'utf-8',
  'UTF8': 'utf-8',
  'UNICODE UTF-16': 'utf-16le',
  ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16].map((part) => [`8859/${part}`, part === 1 ? 'windows-1252' : `iso-8859-${part}`])),
  '8859/9': 'windows-1254',
  'GB 18030-2000': 'gb18030',
  'BIG-5': 'big5',
  'KS X 1001': 'euc-kr',
}; // prettier-ignore

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
  if (charset === '') {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(raw);
    } catch {
      return new TextDecoder('windows-1252').decode(raw);
    }
  }
  const label = LABELS[charset];
  if (label === undefined) {
    throw new Hl7Rejection(103, 'MSH-18 is a character set that is not known', {
      segment: 'MSH',
      ordinal: 1,
      field: 18,
    });
  }
  return new TextDecoder(label).decode(raw);
}

/** An acknowledgment's bytes: UTF-8 or plain ASCII as its own MSH-18 says, `?` for what does not fit. */
export function encodeHl7(text: string): Buffer {
  const charset = headerField(Buffer.from(text, 'latin1'), 18);
  if (charset === '' || LABELS[charset] === 'utf-8') return Buffer.from(text, 'utf8');
  const highest = charset === '8859/1' ? 0xff : 0x7f;
  return Buffer.from(
    Array.from(text, (letter) => ((letter.codePointAt(0) ?? 0) <= highest ? letter : '?')).join(''),
    'latin1',
  );
}
