import { Message } from 'node-hl7-client';
import { InboundRequest } from 'node-hl7-server';
import { decodeHl7 } from '../rules/charset.ts';
import type { Hl7Message } from '../rules/message.ts';
import { parseHl7 } from '../rules/parse.ts';
import { Hl7Rejection } from '../rules/rejection.ts';

export interface ReadFrame {
  /** Of a message that could not be read at most its MSH. */
  readonly message: Hl7Message | null;
  /** Why it could not be read; without patient data. */
  readonly problem: string | null;
}

const MAX_HEADER_BYTES = 4096;

/**
 * What a frame's bytes say. node-hl7-server's parser judges the header as its own listener would; the message is read by
 * ../rules/parse.ts, since that parser's tree does not give a field's repetitions apart, and has no bounds.
 */
export function readFrame(raw: Buffer): ReadFrame {
  try {
    const message = parseHl7(decodeHl7(raw));
    const [header = ''] = headerBytes(raw)
      .toString('latin1')
      .split(/[\r\n]/, 1);
    new InboundRequest(new Message({ text: header }), { type: 'message' }).getMessage();
    return { message, problem: null };
  } catch (error) {
    const problem = error instanceof Hl7Rejection ? error.message : 'the message could not be parsed';
    return { message: readHeader(raw), problem };
  }
}

const isBlank = (byte: number | undefined): boolean => byte !== undefined && (byte <= 0x20 || byte === 0xa0);

/** The first line that is not blank, as far as a header may go. */
function headerBytes(raw: Buffer): Buffer {
  const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
  let from = BYTE_ORDER_MARK.every((byte, at) => raw[at] === byte) ? 3 : 0;
  while (from < MAX_HEADER_BYTES && isBlank(raw[from])) from += 1;
  const most = raw.subarray(from, from + MAX_HEADER_BYTES);
  const end = most.findIndex((byte) => byte === 0x0d || byte === 0x0a);
  return end < 0 ? most : most.subarray(0, end);
}

/** Who sends it and whom to answer, by its MSH alone, whatever follows: no more than 4096 bytes of it are looked at. */
export function readHeader(raw: Buffer): Hl7Message | null {
  const header = headerBytes(raw);
  for (const decode of [decodeHl7, (bytes: Buffer) => bytes.toString('latin1')]) {
    try {
      return parseHl7(decode(header));
    } catch {
      // Of a character set that is not known, the header is ASCII still.
    }
  }
  return null;
}
