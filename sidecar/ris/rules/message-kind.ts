import { component, segment, wholeComponent, type Hl7Message } from '../../hl7/rules/message.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';
import { NOBODY_TAKES, type IgnoredTypes } from './ignored-types.ts';
import { isPatientEvent } from './patient-update.ts';

/** What is done with a message. `ignored`: acknowledged, counted, and without effect but what every ADT may say. */
export type MessageKind = 'order' | 'report' | 'patient' | 'ignored';

/** The longest MSH-3, MSH-4 and MSH-10 that are taken; the standard's own limits are 227, 227 and 20 (199 from 2.7). */
export const MAX_HEADER_LENGTH = 200;

// A map: of an object, `constructor` would be a type too.
const EVENTS: ReadonlyMap<string, { readonly kind: MessageKind; readonly events: readonly string[] }> = new Map([
  ['ORM', { kind: 'order', events: ['O01', ''] }],
  ['OMI', { kind: 'order', events: ['O23'] }],
  ['OMG', { kind: 'order', events: ['O19'] }],
  ['ORU', { kind: 'report', events: ['R01', ''] }],
]);

/** Whether such a message has an effect. */
export function isTakenType(type: string, event: string): boolean {
  return type === 'ADT' ? isPatientEvent(event) : EVENTS.get(type)?.events.includes(event) === true;
}

/**
 * What kind of message it is, by MSH-9, whatever bytes that holds; before HL7 2.2 an ADT's event is EVN-1.
 * @throws Hl7Rejection for one that is not taken: 101 and 102 at MSH-3, 4 or 10; 200 (type) and 201 (event) at MSH-9.
 */
export function route(message: Hl7Message, ignored: IgnoredTypes): MessageKind {
  const msh = segment(message, 'MSH');
  const at = (field: number) => ({ segment: 'MSH', ordinal: 1, field });
  if (wholeComponent(msh, 10) === '') throw new Hl7Rejection(101, 'MSH-10 message control ID missing', at(10));
  const long = [3, 4, 10].find((field) => wholeComponent(msh, field).length > MAX_HEADER_LENGTH);
  if (long !== undefined)
    throw new Hl7Rejection(102, `MSH-${long} is longer than ${MAX_HEADER_LENGTH} characters`, at(long));
  const type = wholeComponent(msh, 9);
  const event =
    wholeComponent(msh, 9, 2).trim() || (type === 'ADT' ? component(segment(message, 'EVN'), 1).trim() : '');
  const known = EVENTS.get(type);
  if (known?.events.includes(event) === true) return known.kind;
  if (ignored.has(`${type}^${event}`)) return 'ignored';
  if (type === 'ADT') return 'patient';
  if (known === undefined) throw new Hl7Rejection(200, NOBODY_TAKES.type, at(9));
  throw new Hl7Rejection(201, NOBODY_TAKES.event, at(9));
}
