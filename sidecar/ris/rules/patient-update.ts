import {
  component,
  HL7_NULL,
  ordinal,
  repetitions,
  segment,
  type Hl7Message,
  type Hl7Segment,
} from '../../hl7/rules/message.ts';
import { MAX_GROUPS, tooManyGroups } from '../../hl7/rules/limits.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';
import { settingsFor, type Hl7Settings } from '../../hl7/rules/field-settings.ts';
import { NOBODY_TAKES } from './ignored-types.ts';
import { personNameFromXpn } from './person-name.ts';
import { PHONE_FIELDS, phoneCandidates } from './phone.ts';
import { hasBarringNote } from './phone-note.ts';
import { phoneOf, saidPhones, type SaidPhones } from './patient-phones.ts';
import {
  isSameNumber,
  otherNumbers,
  patientIdentifiers,
  patientNumber,
  plain,
  type Identifier,
} from './patient-number.ts';
import { distinctWarnings, unheard, type Warn, type Warning } from './warning.ts';
import { parseDate } from '../../platform/rules/date.ts';

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
  /** Whether the patient has died (PID-30, else a time of death in PID-29); not there where nothing is said. */
  readonly deceased?: boolean | undefined;
  /** What each field says of phones; not there where none says anything. */
  readonly phones?: SaidPhones | undefined;
  /** Its other numbers in PID-3; not there without. */
  readonly others?: readonly Identifier[] | undefined;
  /** Said with a report of a sender whose reports have a say in phones as orders have. */
  readonly rulesPhones?: boolean | undefined;
}

export interface PatientMerge {
  readonly patient: PatientFacts;
  readonly prior: Identifier;
}

export type PatientMessage = { readonly warnings: readonly Warning[] } & (
  | { readonly kind: 'update'; readonly patient: PatientFacts }
  /** A40 and its like: everything of each `prior` becomes its `patient`'s, in this order. */
  | { readonly kind: 'merge'; readonly merges: readonly PatientMerge[] }
  /** A37: the two are two patients, whatever was said before. */
  | { readonly kind: 'unlink'; readonly patients: readonly [Identifier, Identifier] }
);

/** What a field says, read by `read`; what cannot be read counts as not said. */
export function said<T>(text: string, read: (text: string) => T | null): Said<T> {
  if (text.trim() === HL7_NULL) return null;
  return text.trim() === '' ? undefined : (read(text) ?? undefined);
}

type SaidOfPhones = Pick<PatientFacts, 'phoneNumber' | 'phoneProblem' | 'phones' | 'rulesPhones'>;

function readPhones(pid: Hl7Segment, { phoneRegion, reportsRulePhones }: PhoneSettings, warn: Warn): SaidOfPhones {
  const phones = saidPhones(pid, phoneRegion);
  if (Object.keys(phones).length === 0) return { phoneNumber: undefined, phoneProblem: undefined };
  const candidates = PHONE_FIELDS.flatMap((field) => phoneCandidates(pid, field));
  if (candidates.some(({ text, use, equipment }) => hasBarringNote(text, use, equipment))) {
    const detail = 'a note says that a number is somebody else’s or is not to be used';
    warn({ code: 'phone-not-used', field: 'PID-13, PID-14, PID-40', detail });
  }
  return { ...phoneOf(phones), phones, ...(reportsRulePhones === true && { rulesPhones: true }) };
}

/** PID-30 (table 0136), else PID-29: a time of death is one, whatever its form. */
function readDeath(pid: Hl7Segment): Pick<PatientFacts, 'deceased'> {
  const [indicator, time] = [component(pid, 30).trim().toUpperCase(), component(pid, 29).trim()];
  if (indicator === 'Y') return { deceased: true };
  if (indicator === 'N' || indicator === HL7_NULL) return { deceased: false };
  if (time !== '') return { deceased: time !== HL7_NULL };
  return {};
}

function readBirthDate(pid: Hl7Segment, warn: Warn): Said<string> {
  const written = component(pid, 7);
  const birthDate = said(written, (text) => parseDate(/^\s*\d{8}/.exec(text)?.[0] ?? text));
  if (birthDate === undefined && written.trim() !== '') {
    warn({ code: 'birth-date-unreadable', field: 'PID-7', detail: 'is not a whole day' });
  }
  return birthDate;
}

type PhoneSettings = Pick<Hl7Settings, 'phoneRegion' | 'reportsRulePhones'>;
type PatientSettings = PhoneSettings & Pick<Hl7Settings, 'patientIdTypes'>;

/** What PID says of the patient with that number; `retired`: numbers of PID-3 that are another's. */
function factsOf(
  pid: Hl7Segment,
  identifier: Identifier,
  settings: PatientSettings,
  warn: Warn,
  retired: readonly Identifier[] = [],
): PatientFacts {
  const numbers = otherNumbers(pid, identifier, settings.patientIdTypes);
  const others = numbers.filter((one) => !retired.some((prior) => isSameNumber(one, prior)));
  const names = repetitions(pid, 5).map((xpn) => xpn.map(plain));
  const nulled = component(pid, 5).trim() === HL7_NULL && names.flat().every((part) => part === '');
  return {
    ...identifier,
    name: nulled ? null : personNameFromXpn(names) || undefined,
    birthDate: readBirthDate(pid, warn),
    sex: said(component(pid, 8), (text) => text.trim().slice(0, 1).toUpperCase()),
    ...readPhones(pid, settings, warn),
    ...readDeath(pid),
    ...(others.length > 0 && { others }),
  };
}

/**
 * Reads PID (HL7 v2.5.1 chapter 3.4.2) by what holds for this sender.
 * @throws Hl7Rejection 100 where there is no PID, or a second one, whose orders and reports would become the first
 * patient's; 101 where no place has a patient number.
 */
export function readPatient(message: Hl7Message, settings: Hl7Settings, warn: Warn = unheard): PatientFacts {
  const pid = segment(message, 'PID');
  if (pid === undefined) throw new Hl7Rejection(100, 'PID segment missing', { segment: 'PID' });
  if (message.segments.filter(({ name }) => name === 'PID').length > 1) {
    throw new Hl7Rejection(100, 'more than one PID segment', { segment: 'PID', ordinal: 2 });
  }
  return factsOf(pid, patientNumber(message, pid, settings, warn), settings, warn);
}

/**
 * The number that survives: of PID-3 alone, and the first that is not among those that are retired. One of another field
 * counts for its sender and field alone, so that it cannot say that two patients are one.
 */
function survivorNumber(
  message: Hl7Message,
  pid: Hl7Segment,
  { patientIdTypes }: Hl7Settings,
  retired: readonly Identifier[],
): Identifier {
  const numbers = patientIdentifiers(pid, 3, patientIdTypes);
  const stays = numbers.find((one) => !retired.some((prior) => isSameNumber(one, prior))) ?? numbers[0];
  if (stays !== undefined) return stays;
  const location = { segment: 'PID', ordinal: ordinal(message, pid), field: 3 };
  const reason =
    'PID-3 has no patient number of the types in HL7_PATIENT_ID_TYPES; a merge takes it from no other field';
  throw new Hl7Rejection(101, reason, location);
}

/** The numbers of MRG-1 of the type that counts. */
function retiredNumbers(message: Hl7Message, mrg: Hl7Segment, { patientIdTypes }: Hl7Settings): Identifier[] {
  const priors = patientIdentifiers(mrg, 1, patientIdTypes);
  if (priors.length > 0) return priors;
  const location = { segment: 'MRG', ordinal: ordinal(message, mrg), field: 1 };
  throw new Hl7Rejection(101, 'MRG-1 has no patient identifier', location);
}

/** Each PID with the MRG segments that follow it. */
function mergedPatients(message: Hl7Message): { readonly pid: Hl7Segment; readonly mrgs: readonly Hl7Segment[] }[] {
  const groups: { pid: Hl7Segment; mrgs: Hl7Segment[] }[] = [];
  for (const one of message.segments) {
    const last = groups.at(-1);
    if (one.name === 'PID') {
      if (last?.mrgs.length === 0) break;
      groups.push({ pid: one, mrgs: [] });
    } else if (one.name === 'MRG') {
      if (last === undefined) throw new Hl7Rejection(100, 'PID segment missing', { segment: 'PID' });
      last.mrgs.push(one);
    }
  }
  return groups;
}

/**
 * The pairs of A40 (HL7 v2.5.1 chapter 3.3.40): each MRG is of the PID before it, and no PID is without one. Every number
 * in MRG-1 of the type that counts is retired.
 */
function readMerges(message: Hl7Message, settings: Hl7Settings, warn: Warn): PatientMerge[] {
  const groups = mergedPatients(message);
  if (groups.length === 0) throw new Hl7Rejection(100, 'PID segment missing', { segment: 'PID' });
  const merges: PatientMerge[] = [];
  let read = 0;
  for (const { pid, mrgs } of groups) {
    if (mrgs.length === 0) {
      throw new Hl7Rejection(100, 'PID without an MRG of its own', { segment: 'MRG', ordinal: read + 1 });
    }
    read += mrgs.length;
    const retired = mrgs.flatMap((mrg) => retiredNumbers(message, mrg, settings));
    const survivor = survivorNumber(message, pid, settings, retired);
    const patient = factsOf(pid, survivor, settings, warn, retired);
    merges.push(...retired.map((prior) => ({ patient, prior })));
    if (merges.length > MAX_GROUPS) throw tooManyGroups('MRG', 'merges (MRG-1)');
  }
  return merges;
}

/** The two of A37 (HL7 v2.5.1 chapter 3.3.37), of each the first number that the other does not have. */
function readUnlink(message: Hl7Message, settings: Hl7Settings): readonly [Identifier, Identifier] {
  const [one, other, third] = message.segments.filter(({ name }) => name === 'PID');
  if (one === undefined || other === undefined || third !== undefined) {
    throw new Hl7Rejection(100, 'A37 needs two PID segments', { segment: 'PID' });
  }
  const numbers = (pid: Hl7Segment): Identifier[] => patientIdentifiers(pid, 3, settings.patientIdTypes);
  const first = survivorNumber(message, one, settings, numbers(other));
  const second = survivorNumber(message, other, settings, numbers(one));
  if (!isSameNumber(first, second)) return [first, second];
  throw new Hl7Rejection(101, 'both PID segments name one patient', { segment: 'PID', ordinal: 2, field: 3 });
}

const UPDATES = new Set(['A01', 'A04', 'A05', 'A08', 'A28', 'A31']);
// A18, A34 and A36 are what versions before 2.3.1 have for A40 (kept by chapter 3.3 for them).
const MERGES = new Set(['A40', 'A18', 'A34', 'A36']);
const UNLINK = 'A37';

/** Whether an ADT of that event has an effect of its own. */
export function isPatientEvent(event: string): boolean {
  return UPDATES.has(event) || MERGES.has(event) || event === UNLINK;
}

/**
 * The merges that a movement tells of beside: the A06 and A07 of some senders have MRG (HL7 v2.5.1 chapter 3.3.6), whose
 * MRG-1 mostly is PID-3 again. None where they cannot be read, since nothing hangs on a movement.
 */
export function readMovementMerges(message: Hl7Message, allSettings: Hl7Settings): PatientMerge[] {
  if (segment(message, 'MRG') === undefined) return [];
  try {
    return readMerges(message, settingsFor(message, allSettings), unheard).filter(
      ({ patient, prior }) =>
        patient.externalId.toUpperCase() !== prior.externalId.toUpperCase() ||
        (prior.issuer !== '' && patient.issuer.toUpperCase() !== prior.issuer.toUpperCase()),
    );
  } catch (error) {
    if (error instanceof Hl7Rejection) return [];
    throw error;
  }
}

/** What an ADT that is ignored says of a death all the same; `null` where it says nothing of one, or names nobody. */
export function readMovementDeath(
  message: Hl7Message,
  allSettings: Hl7Settings,
): Pick<PatientFacts, 'externalId' | 'issuer' | 'deceased'> | null {
  try {
    const { externalId, issuer, deceased } = readPatient(message, settingsFor(message, allSettings));
    return deceased === undefined ? null : { externalId, issuer, deceased };
  } catch (error) {
    if (error instanceof Hl7Rejection) return null;
    throw error;
  }
}

/**
 * Reads an ADT message (HL7 v2.5.1 chapter 3.3); its event is MSH-9.2, before HL7 2.2 EVN-1.
 * @throws Hl7Rejection 201 for an event that is not taken, 100 for a missing segment, 101 for a missing identifier.
 */
export function readPatientMessage(message: Hl7Message, allSettings: Hl7Settings): PatientMessage {
  const settings = settingsFor(message, allSettings);
  const event = (component(segment(message, 'MSH'), 9, 2) || component(segment(message, 'EVN'), 1)).trim();
  const heard: Warning[] = [];
  const warn = (warning: Warning): void => void heard.push(warning);
  const merges = MERGES.has(event) ? readMerges(message, settings, warn) : null;
  if (merges !== null) return { kind: 'merge', merges, warnings: distinctWarnings(heard) };
  if (event === UNLINK) {
    return { kind: 'unlink', patients: readUnlink(message, settings), warnings: distinctWarnings(heard) };
  }
  const patient = UPDATES.has(event) ? readPatient(message, settings, warn) : null;
  if (patient !== null) return { kind: 'update', patient, warnings: distinctWarnings(heard) };
  throw new Hl7Rejection(201, NOBODY_TAKES.adt, { segment: 'MSH', ordinal: 1, field: 9 });
}
