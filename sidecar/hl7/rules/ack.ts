import { segment, wholeComponent, type Hl7Message } from './message.ts';

/** Where in the message the trouble is, as ERR-2 names it: segment, its ordinal, field. */
export interface Hl7ErrorLocation {
  readonly segment: string;
  readonly ordinal?: number;
  readonly field?: number;
}

/**
 * What the sender is told (HL7 v2.5.1 chapter 2.9.2, original mode): `AA` after commit only, `AE` when the same
 * message may work later, `AR` when it never will. `errorCode` is of table 0357 (101 required field missing, 102 data
 * type error, 103 table value not found, 200 unsupported message type, 201 unsupported event, 202 unsupported processing
 * id, 204 unknown key, 207 application internal error).
 */
export type Answer =
  | { readonly code: 'AA'; readonly text?: string }
  | {
      readonly code: 'AE' | 'AR';
      readonly text: string;
      readonly errorCode: number;
      readonly location?: Hl7ErrorLocation;
    };

const escape = (text: string): string =>
  text
    .replace(/\\/g, '\\E\\')
    .replace(/\|/g, '\\F\\')
    .replace(/\^/g, '\\S\\')
    .replace(/&/g, '\\T\\')
    .replace(/~/g, '\\R\\')
    .replace(/\p{Cc}+/gu, ' ');

// Their ERR has the place and the error in ERR-1 (ELD, v2.5.1 chapter 2.A.27) and nothing else.
const BEFORE_2_5 = /^2\.[1-4](?!\d)/;

const two = (value: number, width = 2): string => String(value).padStart(width, '0');

/** `date` as an HL7 TS in UTC, to the second, with its offset. */
export function hl7Timestamp(date: Date): string {
  return (
    two(date.getUTCFullYear(), 4) +
    two(date.getUTCMonth() + 1) +
    two(date.getUTCDate()) +
    two(date.getUTCHours()) +
    two(date.getUTCMinutes()) +
    two(date.getUTCSeconds()) +
    '+0000'
  );
}

/**
 * The acknowledgment for `message` (absent where it could not be read: then MSA-2 is empty), segments ended by CR.
 * `controlId` becomes MSH-10 and must be new for each acknowledgment.
 */
export function buildAck(message: Hl7Message | undefined, answer: Answer, now: Date, controlId: string): string {
  const msh = message === undefined ? undefined : segment(message, 'MSH');
  const at = (field: number, part = 1): string => escape(wholeComponent(msh, field, part));
  const party = (field: number): string =>
    [1, 2, 3]
      .map((part) => at(field, part))
      .join('^')
      .replace(/\^+$/, '');
  const event = at(9, 2);
  const charset = at(18);
  const lines = [
    [
      'MSH|^~\\&',
      party(5),
      party(6),
      party(3),
      party(4),
      hl7Timestamp(now),
      '',
      event === '' ? 'ACK' : `ACK^${event}^ACK`,
      escape(controlId),
      at(11) || 'P',
      at(12) || '2.5.1',
      ...(charset === '' ? [] : ['', '', '', '', '', charset]),
    ].join('|'),
    ['MSA', answer.code, at(10), ...(answer.text === undefined ? [] : [escape(answer.text)])].join('|'),
  ];
  if (answer.code !== 'AA') {
    const { segment: name, ordinal = 1, field } = answer.location ?? { segment: '' };
    const location = name === '' ? '' : `${name}^${ordinal}${field === undefined ? '' : `^${field}`}`;
    const error = `${answer.errorCode}^^HL70357`;
    const before25 = BEFORE_2_5.test(wholeComponent(msh, 12));
    const first = before25 ? `${name}^${name && ordinal}^${field ?? ''}^${error.replaceAll('^', '&')}` : '';
    lines.push(`ERR|${first}|${location}|${error}|E||||${escape(answer.text)}`);
  }
  return lines.map((line) => `${line}\r`).join('');
}
