import { comparePersonNames } from './person-name.ts';

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
}

/**
 * Whether two descriptions cannot be one patient's: of Patient ID, name and birth date, as far as both have them, two
 * or more differ, or the only one that can be compared does. What is absent contradicts nothing.
 */
export function patientsContradict(a: PatientSide, b: PatientSide): boolean {
  const ids = a.patientIds.flatMap((one) => b.patientIds.map((other) => samePatientId(one, other)));
  const name = comparePersonNames(a.patientName, b.patientName);
  const agreements = [
    ids.includes(true) ? true : ids.includes(false) ? false : null,
    name === 'unknown' ? null : name === 'same',
    a.birthDate === null || b.birthDate === null ? null : a.birthDate === b.birthDate,
  ].filter((agrees) => agrees !== null);
  const differing = agreements.filter((agrees) => !agrees).length;
  return differing >= 2 || (differing === 1 && agreements.length === 1);
}
