import { accessionKey } from '../../ris/rules/accession.ts';
import {
  comparePatients,
  differingFields,
  fold,
  PATIENT_FIELDS,
  patientsContradict,
  type PatientField,
  type PatientSide,
} from '../../ris/rules/same-patient.ts';
import { contradicts, sideOf, type Policy } from './against.ts';
import type { RisStudy, SeenStudy } from './match.ts';

/** Both sides of a link, as a person was shown them who decided it. */
export interface Shown {
  readonly images: readonly PatientSide[];
  readonly orders: readonly PatientSide[];
  /** The accession numbers that the images name, as they are compared. */
  readonly accessions: readonly string[];
}

/** In what a link is contested. */
export type Contested = PatientField | 'accession-number';

export interface ContestedLink {
  readonly dicomStudyId: string;
  /** In what, parted by commas; `null`: no longer. */
  readonly contested: string | null;
}

const CONTESTED: readonly Contested[] = [...PATIENT_FIELDS, 'accession-number'];

const orderSide = ({ patientIds, patientName, birthDate, sex }: RisStudy): PatientSide => ({
  ...{ patientIds, patientName, birthDate },
  sex: sex ?? null,
});

/** What there is to show of a DICOM study and the RIS studies that it is to be linked to. */
export function shownOf(study: SeenStudy, linkedTo: readonly RisStudy[]): Shown {
  const keys = study.tags.flatMap(({ accessionNumbers }) => accessionNumbers.flatMap((text) => text.split('\\')));
  return {
    images: study.tags.map(sideOf),
    orders: linkedTo.map(orderSide),
    accessions: [...new Set(keys.map(accessionKey).filter((key) => key !== ''))].sort(),
  };
}

const said = ({ patientIds, patientName, birthDate, sex }: PatientSide): string =>
  [
    patientIds.some(({ id }) => fold(id) !== ''),
    patientName.trim() !== '',
    birthDate !== null,
    /^[MF]$/.test(fold(sex ?? '')),
  ].join();

/** Whether two descriptions say the same, and of the same fields. */
const unchanged = (a: PatientSide, b: PatientSide): boolean =>
  said(a) === said(b) && !Object.values(comparePatients(a, b)).includes(false);

/** In what the images and the patients of these orders contradict each other now. */
export function differences(study: SeenStudy, linkedTo: readonly RisStudy[], policy: Policy): readonly PatientField[] {
  const pairs = study.tags.flatMap((tags) => linkedTo.map((ris) => [sideOf(tags), ris] as const));
  const found = new Set(
    pairs.flatMap(([seen, ris]) => (contradicts(seen, ris, policy) ? differingFields(seen, orderSide(ris)) : [])),
  );
  return PATIENT_FIELDS.filter((field) => found.has(field));
}

/** Those that the images name and did not name when a person was shown them. */
function namedSince(study: SeenStudy, ris: readonly RisStudy[], shown: Shown): readonly RisStudy[] {
  const { accessions } = shownOf(study, []);
  return ris.filter(({ accessionNumber }) => {
    const key = accessionKey(accessionNumber);
    return accessions.includes(key) && !shown.accessions.includes(key);
  });
}

/**
 * In what it is contested that a person took images away: they name the order of a study now that they did not name then.
 * `null`: in nothing.
 */
export function namesAnother(study: SeenStudy, ris: readonly RisStudy[], shown: Shown | null): Contested | null {
  return shown !== null && namedSince(study, ris, shown).length > 0 ? 'accession-number' : null;
}

/**
 * In what a person's link is contested: what differs now and was not so when that person was shown both sides, in one
 * order. With nothing shown (`null`), all in which the patients differ now. `ris` must hold the RIS studies that it is
 * linked to, and every one with an accession number that the images name.
 */
export function contestedIn(
  study: SeenStudy,
  linkedIds: readonly string[],
  ris: readonly RisStudy[],
  shown: Shown | null,
  policy: Policy,
): readonly Contested[] {
  const linkedTo = ris.filter(({ id }) => linkedIds.includes(id));
  if (shown === null) return differences(study, linkedTo, policy);
  const wasShown = (side: PatientSide, before: readonly PatientSide[]): boolean =>
    before.some((other) => unchanged(side, other));
  const now = shownOf(study, linkedTo);
  const newParts = study.tags.filter((tags) => !wasShown(sideOf(tags), shown.images));
  const newOrders = linkedTo.filter((order) => !wasShown(orderSide(order), shown.orders));
  const oldParts = study.tags.filter((tags) => !newParts.includes(tags));
  const among = newParts.flatMap((part) =>
    now.images
      .filter((other) => patientsContradict(sideOf(part), other, policy.matching))
      .flatMap((other) => differingFields(sideOf(part), other)),
  );
  const others = namedSince(study, ris, shown).filter(({ id }) => !linkedIds.includes(id));
  const found = new Set<Contested>([
    ...differences({ ...study, tags: newParts }, linkedTo, policy),
    ...differences({ ...study, tags: oldParts }, newOrders, policy),
    ...among,
    ...(others.length > 0 ? (['accession-number'] as const) : []),
  ]);
  return CONTESTED.filter((what) => found.has(what));
}
