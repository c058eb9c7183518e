import { comparePersonNames } from './person-name.ts';
import { isPlaceholderBirthDate, isPlaceholderName } from './placeholder.ts';

export interface PatientIdentifier {
  readonly id: string;
  readonly issuer: string;
}

export const fold = (text: string): string => text.trim().toUpperCase();

/** `null` where the two cannot be compared: one is absent, or their issuers differ. */
export function samePatientId(a: PatientIdentifier, b: PatientIdentifier): boolean | null {
  if (fold(a.id) === '' || fold(b.id) === '') return null;
  if (fold(a.issuer) !== '' && fold(b.issuer) !== '' && fold(a.issuer) !== fold(b.issuer)) return null;
  return fold(a.id) === fold(b.id);
}

export interface PatientSide {
  readonly patientIds: readonly PatientIdentifier[];
  readonly patientName: string;
  readonly birthDate: string | null;
  /** As HL7 and DICOM write it. Whatever is neither `M` nor `F` counts as not said. */
  readonly sex?: string | null;
}

export const PATIENT_FIELDS = ['patient-id', 'name', 'birth-date', 'sex'] as const;
export type PatientField = (typeof PATIENT_FIELDS)[number];

/** Of each field whether the two agree in it; `null` where they cannot be compared. */
export type PatientComparison = Readonly<Record<PatientField, boolean | null>>;

function sameSex(a: PatientSide, b: PatientSide): boolean | null {
  const [one, other] = [fold(a.sex ?? ''), fold(b.sex ?? '')];
  return /^[MF]$/.test(one) && /^[MF]$/.test(other) ? one === other : null;
}

/** Compares two descriptions field by field. One agreeing Patient ID of several is enough. Symmetric. */
export function comparePatients(a: PatientSide, b: PatientSide): PatientComparison {
  const ids = a.patientIds.flatMap((one) => b.patientIds.map((other) => samePatientId(one, other)));
  const name = comparePersonNames(a.patientName, b.patientName);
  return {
    'patient-id': ids.includes(true) ? true : ids.includes(false) ? false : null,
    name: name === 'unknown' ? null : name === 'same',
    'birth-date': a.birthDate === null || b.birthDate === null ? null : a.birthDate === b.birthDate,
    sex: sameSex(a, b),
  };
}

/** The fields in which two descriptions differ. */
export function differingFields(a: PatientSide, b: PatientSide): readonly PatientField[] {
  const compared = comparePatients(a, b);
  return PATIENT_FIELDS.filter((field) => compared[field] === false);
}

/** `incomparable`: nothing that both sides have proves anything. */
export type Likeness = 'agree' | 'contradict' | 'incomparable';

/**
 * Whether two descriptions can be one patient's. Of Patient ID, name and birth date, as far as both have them, they
 * contradict where at least as many differ as agree. Another sex is one more that differs, the same one counts for
 * nothing. What is absent contradicts nothing, and a placeholder that both have proves nothing. Symmetric.
 */
export function likeness(a: PatientSide, b: PatientSide): Likeness {
  const compared = comparePatients(a, b);
  const proves = [
    compared['patient-id'] === true,
    compared.name === true && !isPlaceholderName(a.patientName) && !isPlaceholderName(b.patientName),
    compared['birth-date'] === true && a.birthDate !== null && !isPlaceholderBirthDate(a.birthDate),
  ].filter((agrees) => agrees).length;
  const differing = PATIENT_FIELDS.filter((field) => compared[field] === false).length;
  if (differing > 0 && differing >= proves) return 'contradict';
  return proves > 0 ? 'agree' : 'incomparable';
}

/**
 * Which rules of matching hold. 1: those of before, by which one difference of two is no contradiction, and nothing to
 * compare is none either. The setting MATCHING names them.
 */
export type Matching = 1 | 2;

/**
 * Whether two descriptions cannot be one patient's: {@link likeness}; by the rules of before, of Patient ID, name and
 * birth date two or more differ, or the only one that can be compared does.
 */
export function patientsContradict(a: PatientSide, b: PatientSide, matching: Matching = 2): boolean {
  if (matching === 2) return likeness(a, b) === 'contradict';
  const { 'patient-id': id, name, 'birth-date': birthDate } = comparePatients(a, b);
  const compared = [id, name, birthDate].filter((agrees) => agrees !== null);
  const differing = compared.filter((agrees) => !agrees).length;
  return differing >= 2 || (differing === 1 && compared.length === 1);
}
