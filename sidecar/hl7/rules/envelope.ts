import { hl7Timestamp } from './ack.ts';
import { MAX_ENVELOPED } from './limits.ts';
import { wholeComponent, type Hl7Message } from './message.ts';
import { parseHl7 } from './parse.ts';
import { Hl7Rejection } from './rejection.ts';

/** Messages in one frame with FHS or BHS before them (HL7 v2.5.1 chapter 2.10.3). */
export interface Envelope {
  readonly messages: readonly Buffer[];
  /** FHS and BHS, as far as they are there; their fields have the numbers of MSH's up to 7. */
  readonly headers: readonly { readonly name: 'FHS' | 'BHS'; readonly fields: Hl7Message }[];
}

const BEGINS = /^(?:\xef\xbb\xbf)?\s*[FB]HS[^A-Za-z0-9\s]/;
const LINE = /(?:^|[\r\n])(?=(MSH|FHS|BHS|BTS|FTS)(?:[^A-Za-z0-9\s]|[\r\n]|$))/g;
const HEAD_BYTES = 4096;

const HEADER_NAMES = ['FHS', 'BHS'] as const;

/** The first such line; FHS and BHS have the separators where MSH has them. */
function readHeaders(text: string): Envelope['headers'] {
  return HEADER_NAMES.flatMap((name) => {
    const at = text.search(new RegExp(`(?<![^\\r\\n\\s\\xbf])${name}[^A-Za-z0-9\\s]`));
    if (at < 0 || at > HEAD_BYTES) return [];
    const [line = ''] = text.slice(at + 3, at + HEAD_BYTES).split(/[\r\n]/, 1);
    return [{ name, fields: parseHl7(`MSH${line}`) }];
  });
}

/**
 * The messages of a frame that is an envelope, byte for byte; `null` of one that is none. Each is its own, also where
 * the envelope's end is missing or counts otherwise.
 * @throws Hl7Rejection 100 where there is no message in it, 102 where there are more than {@link MAX_ENVELOPED}.
 */
export function openEnvelope(raw: Buffer): Envelope | null {
  if (!BEGINS.test(raw.subarray(0, HEAD_BYTES).toString('latin1'))) return null;
  const text = raw.toString('latin1');
  const messages: Buffer[] = [];
  let from: number | null = null;
  const end = (at: number): void => {
    if (from !== null) messages.push(raw.subarray(from, at));
    from = null;
  };
  for (const match of text.matchAll(LINE)) {
    const at = match.index + match[0].length;
    end(at);
    if (match[1] === 'MSH') from = at;
    if (messages.length >= MAX_ENVELOPED && from !== null) {
      const reason = `more than ${MAX_ENVELOPED} messages in one envelope (FHS, BHS), and no setting raises that`;
      throw new Hl7Rejection(102, reason);
    }
  }
  end(raw.length);
  if (messages.length === 0) throw new Hl7Rejection(100, 'an envelope (FHS, BHS) without a message (MSH)');
  return { messages, headers: readHeaders(text.slice(0, 2 * HEAD_BYTES)) };
}

/**
 * The answer to an envelope: one of its kind with the acknowledgments of all its messages, in their order (chapter
 * 2.10.3.2, the first of its three ways). `''` where none is due, as MSH-15 and MSH-16 of all messages may ask.
 */
export function envelopeOf(
  { headers }: Envelope,
  acknowledgments: readonly string[],
  now: Date,
  newControlId: () => string,
): string {
  if (acknowledgments.length === 0) return '';
  const begins = headers.map(({ name, fields }) => {
    const msh = fields.segments[0];
    const at = (field: number): string => wholeComponent(msh, field).replace(/[|^~\\&\p{Cc}]/gu, ' ');
    const parties = [at(5), at(6), at(3), at(4)];
    return `${name}|^~\\&|${parties.join('|')}|${hl7Timestamp(now)}||||${newControlId()}|${at(11)}\r`;
  });
  const ends = headers.map(({ name }) => (name === 'BHS' ? `BTS|${acknowledgments.length}\r` : 'FTS|1\r')).toReversed();
  return [...begins, ...acknowledgments, ...ends].join('');
}
