import type { Hl7Message } from '../../hl7/rules/message.ts';
import { parseHl7 } from '../../hl7/rules/parse.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';
import type { FieldPlace, Hl7Settings } from '../../hl7/rules/field-settings.ts';

const place = (name: string, field: number): FieldPlace => ({ segment: name, field, component: 1 });

export const SETTINGS: Hl7Settings = {
  accessionFields: [place('OBR', 18), place('IPC', 1), place('OBR', 3), place('ORC', 3)],
  modalityFields: [place('IPC', 5), place('OBR', 24), place('OBR', 21), place('OBR', 22)],
  patientIdFields: [place('PID', 3), place('PID', 4), place('PID', 2)],
  patientIdTypes: ['MR', 'PI', 'PT'],
  senders: [],
  timeZone: 'Australia/Melbourne',
  phoneRegion: 'AU',
};

/** One segment with these fields by their number: `seg('OBR', { 3: 'F1', 18: 'ACC1' })`. */
export function seg(name: string, fields: Readonly<Record<number, string>>): string {
  const last = Math.max(0, ...Object.keys(fields).map(Number));
  return [name, ...Array.from({ length: last }, (_, index) => fields[index + 1] ?? '')].join('|');
}

export const PID = seg('PID', { 3: 'P1^^^CLINIC^MR', 5: 'Doe^Jane', 7: '19800203', 8: 'F', 13: '0412345678^PRN^CP' });

export function hl7Text(type: string, ...segments: readonly string[]): string {
  const msh = `MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|20260401120000||${type}|42|P|2.5.1`;
  return [msh, ...segments].map((line) => `${line}\r`).join('');
}

/** A message of that type (`ORM^O01`) with these segments after its MSH. */
export function hl7(type: string, ...segments: readonly string[]): Hl7Message {
  return parseHl7(hl7Text(type, ...segments));
}

/** The rejection that `read` throws. */
export function rejection(read: () => unknown): Hl7Rejection {
  try {
    read();
  } catch (error) {
    if (error instanceof Hl7Rejection) return error;
    throw error;
  }
  throw new Error('was taken');
}
