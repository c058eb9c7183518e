import { segment, wholeComponent, type Hl7Message } from './message.ts';
import { Hl7Rejection } from './rejection.ts';

/**
 * Whether a message is a test: MSH-11 `T`, training (HL7 v2.5.1 2.14.9.11, table 0103). It is answered and kept, and
 * nothing follows of it. An MSH-11 that is empty or of no known meaning counts as production, since an order must not be
 * lost to it.
 * @throws Hl7Rejection 202 for `D`, debugging: nobody sends that to a practice on purpose, so that the sender is told.
 */
export function isTestMessage(message: Hl7Message): boolean {
  const id = wholeComponent(segment(message, 'MSH'), 11).trim().toUpperCase();
  if (id !== 'D') return id === 'T';
  throw new Hl7Rejection(202, 'MSH-11 D (debugging) is not taken', { segment: 'MSH', ordinal: 1, field: 11 });
}

export const DOCTOR = 'AXIS-DOCTOR';

/** An order for a patient who does not exist, as a test (MSH-11 `T`; HL7 v2.5.1 4.4.1). `at` is a TS. */
export function testOrder(controlId: string, at: string): string {
  return [
    `MSH|^~\\&|${DOCTOR}|AXIS|AXIS_PORTAL|AXIS|${at}||ORM^O01^ORM_O01|${controlId}|T|2.5.1`,
    `PID|1||${DOCTOR}^^^AXIS^MR||DOCTOR^AXIS`,
    `ORC|NW|${DOCTOR}|${DOCTOR}`,
    `OBR|1|${DOCTOR}|${DOCTOR}|TEST^TEST^L||||||||||||||${DOCTOR}||||||OT`,
  ]
    .map((line) => `${line}\r`)
    .join('');
}
