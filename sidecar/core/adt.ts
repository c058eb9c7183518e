import { parseDate } from './dicom.ts';
import { component, HL7_NULL, repetitions, segment, type Hl7Message, type Hl7Segment } from './hl7-message.ts';
import { Hl7Rejection } from './hl7-rejection.ts';
import { personNameFromXpn } from './person-name.ts';
import { chooseMobile, phoneCandidates } from './phone.ts';

/** `undefined`: the message says nothing, keep what is there; `null`: the message deletes it (`""`). */
export type Said<T> = T | null | undefined;

/** What a PID segment says of a patient. */
export interface PatientFacts {
  readonly externalId: string;
  readonly issuer: string;
  readonly name: Said<string>;
  /** `YYYY-MM-DD`. */
  readonly birthDate: Said<string>;
  readonly sex: Said<string>;
  /** E.164. `null` with a `phoneProblem` where no number given takes a text. */
  readonly phoneNumber: Said<string>;
  readonly phoneProblem: Said<string>;
}

export type PatientMessage =
  | { readonly kind: 'update'; readonly patient: PatientFacts }
  /** A40: everything of `prior` becomes `patient`'s. */
  | { readonly kind: 'merge'; readonly patient: PatientFacts; readonly prior: { externalId: string; issuer: string } };

// Identifier type codes (table 0203) by how surely they name the patient to this practice.
const PREFERRED_ID_TYPES = ['MR', 'PI', 'PT', ''];

/** Of a CX list (PID-3, MRG-1) the medical record number, else the practice's own, never a Medicare or passport number. */
function patientIdentifier(
  source: Hl7Segment | undefined,
  field: number,
): { externalId: string; issuer: string } | null {
  const given = repetitions(source, field)
    .map(([id = '', , , issuer = '', type = '']) => ({
      externalId: id.trim(),
      issuer: issuer.trim(),
      type: type.trim(),
    }))
    .filter(({ externalId }) => externalId !== '' && externalId !== HL7_NULL);
  for (const type of PREFERRED_ID_TYPES) {
    const found = given.find((candidate) => candidate.type === type);
    if (found !== undefined) return { externalId: found.externalId, issuer: found.issuer };
  }
  return null;
}

/** What a field says, read by `read`; what cannot be read counts as not said. */
export function said<T>(text: string, read: (text: string) => T | null): Said<T> {
  if (text === HL7_NULL) return null;
  return text.trim() === '' ? undefined : (read(text) ?? undefined);
}

function readPhone(pid: Hl7Segment, region: string): Pick<PatientFacts, 'phoneNumber' | 'phoneProblem'> {
  const fields = [...repetitions(pid, 13), ...repetitions(pid, 14)].filter((xtn) => xtn.some((part) => part !== ''));
  if (fields.length === 0) return { phoneNumber: undefined, phoneProblem: undefined };
  if (fields.every(([number]) => number === HL7_NULL)) return { phoneNumber: null, phoneProblem: 'no-number' };
  const chosen = chooseMobile(phoneCandidates(pid), region);
  if ('number' in chosen) return { phoneNumber: chosen.number, phoneProblem: null };
  return { phoneNumber: null, phoneProblem: chosen.reason };
}

/**
 * Reads PID (HL7 v2.5.1 chapter 3.4.2) for a practice whose national numbers are of `region`.
 * @throws Hl7Rejection 100 where there is no PID, or a second one, whose orders and reports would become the first
 * patient's; 101 where PID-3 has no patient identifier.
 */
export function readPatient(message: Hl7Message, region: string): PatientFacts {
  const pid = segment(message, 'PID');
  if (pid === undefined) throw new Hl7Rejection(100, 'PID segment missing', { segment: 'PID' });
  if (message.segments.filter(({ name }) => name === 'PID').length > 1) {
    throw new Hl7Rejection(100, 'more than one PID segment', { segment: 'PID', ordinal: 2 });
  }
  const identifier = patientIdentifier(pid, 3);
  if (identifier === null) {
    throw new Hl7Rejection(101, 'PID-3 has no patient identifier', { segment: 'PID', ordinal: 1, field: 3 });
  }
  const name = component(pid, 5) === HL7_NULL ? null : personNameFromXpn(repetitions(pid, 5)) || undefined;
  return {
    ...identifier,
    name,
    birthDate: said(component(pid, 7).slice(0, 8), parseDate),
    sex: said(component(pid, 8), (text) => text.trim().slice(0, 1).toUpperCase()),
    ...readPhone(pid, region),
  };
}

const UPDATES = new Set(['A01', 'A04', 'A05', 'A08', 'A28', 'A31']);

/**
 * Reads an ADT message (HL7 v2.5.1 chapter 3.3).
 * @throws Hl7Rejection 201 for an event that is not taken, 101 for a missing identifier.
 */
export function readPatientMessage(message: Hl7Message, region: string): PatientMessage {
  const event = component(segment(message, 'MSH'), 9, 2);
  if (event !== 'A40' && !UPDATES.has(event)) {
    throw new Hl7Rejection(201, 'this ADT event is not taken', { segment: 'MSH', ordinal: 1, field: 9 });
  }
  const patient = readPatient(message, region);
  if (event !== 'A40') return { kind: 'update', patient };
  const prior = patientIdentifier(segment(message, 'MRG'), 1);
  if (prior === null) {
    throw new Hl7Rejection(101, 'MRG-1 has no patient identifier', { segment: 'MRG', ordinal: 1, field: 1 });
  }
  return { kind: 'merge', patient, prior };
}
