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
 * What a frame's bytes say. node-hl7-server's parser judges the message as its own listener would; the fields are then
 * read by ../rules/parse.ts, since that parser's tree does not give a field's repetitions apart.
 */
export function readFrame(raw: Buffer): ReadFrame {
  try {
    const text = decodeHl7(raw);
    const message = parseHl7(text);
    new InboundRequest(new Message({ text: text.trimStart() }), { type: 'message' }).getMessage();
    return { message, problem: null };
  } catch (error) {
    const problem = error instanceof Hl7Rejection ? error.message : 'the message could not be parsed';
    return { message: readHeader(raw), problem };
  }
}

/** Whom to answer, of a message that cannot be read whole. */
export function readHeader(raw: Buffer): Hl7Message | null {
  try {
    const [header = ''] = raw
      .subarray(0, MAX_HEADER_BYTES)
      .toString('latin1')
      .trimStart()
      .split(/[\r\n]/, 1);
    return parseHl7(header);
  } catch {
    return null;
  }
}
