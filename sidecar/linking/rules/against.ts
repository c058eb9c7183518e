import { isPlaceholderBirthDate, isPlaceholderName } from '../../ris/rules/placeholder.ts';
import { comparePersonNames } from '../../ris/rules/person-name.ts';
import {
  comparePatients,
  likeness,
  patientsContradict,
  type Likeness,
  type Matching,
  type PatientSide,
} from '../../ris/rules/same-patient.ts';
import type { RisStudy, Rule, SeenTags } from './match.ts';

/** How strictly is matched. */
export interface Policy {
  readonly matching: Matching;
  /** The AE titles whose images need no identity where their accession number is an order's; `*`: all. */
  readonly byAccessionAlone: readonly string[];
}

/** Why a rule that leaves one candidate does not link. */
export const AGAINST = ['patient-contradicts', 'patient-id-differs', 'nothing-to-compare', 'placeholder'] as const;
export type Against = (typeof AGAINST)[number];

/** Whose the images of that part are, as the part itself says. */
export const sideOf = ({ patientId, patientName, birthDate, sex }: SeenTags): PatientSide => ({
  ...{ patientIds: [patientId], patientName, birthDate },
  sex: sex ?? null,
});

/** Whether the images were made under that earlier version of a patient: they bear its name or its birth date. */
function bears(seen: PatientSide, version: PatientSide): boolean {
  const born = seen.birthDate !== null && seen.birthDate === version.birthDate;
  return born || comparePersonNames(seen.patientName, version.patientName) === 'same';
}

/** Whether that version is of somebody else by name and birth date: a merge alone makes two people none. */
function ofAnother(version: PatientSide, ris: RisStudy): boolean {
  const compared = comparePatients(version, ris);
  return !isPlaceholderName(version.patientName) && compared.name === false && compared['birth-date'] === false;
}

/** What the RIS said of these identifiers before counts too where the images bear it, and only as a whole. */
function likenessToAny(seen: PatientSide, ris: RisStudy): Likeness {
  const earlier = (ris.earlier ?? []).filter((version) => bears(seen, version) && !ofAnother(version, ris));
  return earlier.some((version) => likeness(seen, version) === 'agree') ? 'agree' : likeness(seen, ris);
}

/** Whether those images cannot be of that RIS study's patient, as the RIS says now or said before. */
export const contradicts = (seen: PatientSide, ris: RisStudy, { matching }: Policy): boolean =>
  matching === 1 ? patientsContradict(seen, ris, 1) : likenessToAny(seen, ris) === 'contradict';

function byAccessionAlone(tags: readonly SeenTags[], { byAccessionAlone: named }: Policy): boolean {
  if (named.includes('*')) return true;
  const calling = tags.flatMap(({ callingAeTitles }) => callingAeTitles ?? ['']);
  return calling.length > 0 && calling.every((title) => named.includes(title));
}

const proves = (tags: SeenTags): boolean =>
  !isPlaceholderName(tags.patientName) && tags.birthDate !== null && !isPlaceholderBirthDate(tags.birthDate);

/**
 * What speaks against linking these parts of one study to that RIS study, which a rule found; `null`: nothing does.
 * What was searched by confirms nothing: of Patient ID and study date it is the ID, which is then not compared.
 */
export function against(rule: Rule, tags: readonly SeenTags[], ris: RisStudy, policy: Policy): Against | null {
  if (policy.matching === 1) {
    return tags.some((seen) => patientsContradict(sideOf(seen), ris, 1)) ? 'patient-contradicts' : null;
  }
  const byId = rule === 'patient-id-date';
  const sides = tags.map((seen) => (byId ? { ...sideOf(seen), patientIds: [] } : sideOf(seen)));
  const alike = sides.map((seen) => likenessToAny(seen, ris));
  if (alike.includes('contradict')) return 'patient-contradicts';
  if (rule === 'name-birth-modality') {
    if (sides.some((seen) => comparePatients(seen, ris)['patient-id'] === false)) return 'patient-id-differs';
    return tags.some(proves) ? null : 'placeholder';
  }
  return alike.includes('agree') || byId || byAccessionAlone(tags, policy) ? null : 'nothing-to-compare';
}
