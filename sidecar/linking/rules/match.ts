import { accessionKey } from '../../ris/rules/accession.ts';
import { comparePersonNames } from '../../ris/rules/person-name.ts';
import {
  type PatientIdentifier,
  fold,
  samePatientId,
  type PatientSide,
  patientsContradict,
} from '../../ris/rules/same-patient.ts';

/** What images of one Orthanc study say, each set once. `''` and `null`: not said. Dates are `YYYY-MM-DD`. */
export interface SeenTags {
  /** Of several that one image names by itself, parted by a backslash. */
  readonly accessionNumber: string;
  readonly patientId: PatientIdentifier;
  readonly patientName: string;
  readonly birthDate: string | null;
  readonly studyDate: string | null;
}

/** A DICOM study: all Orthanc studies that share its StudyInstanceUID (usually one). */
export interface SeenStudy {
  readonly studyInstanceUid: string;
  readonly modalities: readonly string[];
  readonly tags: readonly SeenTags[];
}

/** A RIS study that may come into question, with its patient. `patientIds` has those of merged patients too. */
export interface RisStudy {
  readonly id: string;
  readonly accessionNumber: string;
  readonly studyInstanceUid: string;
  readonly patientIds: readonly PatientIdentifier[];
  readonly patientName: string;
  readonly birthDate: string | null;
  readonly studyDate: string | null;
  readonly modality: string;
  readonly cancelled: boolean;
}

export type Rule = 'accession' | 'study-uid' | 'patient-id-date' | 'name-birth-modality' | 'no-order';

/** `candidateIds` are the RIS studies that came into question, for `provisional` as suggestions; sorted. */
export type Decision =
  | {
      readonly status: 'linked';
      readonly rule: Rule;
      readonly studyId: string;
      readonly candidateIds: readonly string[];
    }
  | {
      readonly status: 'provisional';
      readonly rule: 'no-order';
      readonly reason: 'accession-unknown' | 'nothing-matches';
      readonly candidateIds: readonly string[];
    }
  | {
      readonly status: 'review';
      readonly rule: Rule;
      readonly reason: 'patient-contradicts' | 'several-candidates' | 'tags-disagree';
      readonly candidateIds: readonly string[];
    };

/**
 * What a person decided, and why. `released`: what a person decided no longer stands, the rules decide again.
 * `provisional`: its images belong to no study of the RIS; `candidateIds` are those that they were taken from.
 */
export type PersonDecision = {
  readonly rule: 'person' | 'released';
  readonly reason: string;
  readonly candidateIds: readonly string[];
} & ({ readonly status: 'linked'; readonly studyId: string } | { readonly status: 'provisional' });

/** A DICOM study with the decision that stands. */
export interface StoredStudy {
  readonly id: string;
  readonly seen: SeenStudy;
  /** `null` for one that was never decided. */
  readonly standing: {
    readonly studyId: string;
    readonly status: string;
    readonly rule: string;
    readonly reason: string | null;
    readonly candidateIds: readonly string[];
    readonly decidedBy: string;
  } | null;
}

export interface NewDecision {
  readonly dicomStudyId: string;
  readonly decision: Decision | PersonDecision;
}

const side = (tags: SeenTags): PatientSide => ({
  patientIds: [tags.patientId],
  patientName: tags.patientName,
  birthDate: tags.birthDate,
});

// Names that RIS and modality use for one kind of device (PS3.3 C.7.3.1.1.1 and what practices write).
const SAME_MODALITY: Readonly<Record<string, string>> = {
  CR: 'DX', DR: 'DX', RG: 'DX', XR: 'DX', XRAY: 'DX', MRI: 'MR', PET: 'PT', MAMMO: 'MG', ULTRASOUND: 'US',
}; // prettier-ignore

function modalityAgrees(study: SeenStudy, ris: RisStudy): boolean {
  const family = (modality: string): string => SAME_MODALITY[fold(modality)] ?? fold(modality);
  return study.modalities.some((modality) => family(modality) === family(ris.modality) && fold(modality) !== '');
}

const DAY_MS = 86_400_000;

function daysApart(a: string | null, b: string | null): number {
  return a === null || b === null ? Infinity : Math.abs(Date.parse(a) - Date.parse(b)) / DAY_MS;
}

/** A live order goes before a cancelled one, which is still the answer where it is the only one. */
function preferLive(found: readonly RisStudy[]): readonly RisStudy[] {
  const live = found.filter((ris) => !ris.cancelled);
  return live.length > 0 ? live : found;
}

function byPatientIdAndDate(study: SeenStudy, tags: SeenTags, ris: readonly RisStudy[]): readonly RisStudy[] {
  const found = ris.filter(
    (candidate) =>
      tags.studyDate !== null &&
      candidate.studyDate === tags.studyDate &&
      candidate.patientIds.some((id) => samePatientId(id, tags.patientId) === true),
  );
  const live = preferLive(found);
  const narrowed = live.filter((candidate) => modalityAgrees(study, candidate));
  return narrowed.length > 0 ? narrowed : live;
}

function byNameBirthDateAndModality(study: SeenStudy, tags: SeenTags, ris: readonly RisStudy[]): readonly RisStudy[] {
  return preferLive(
    ris.filter(
      (candidate) =>
        tags.birthDate !== null &&
        candidate.birthDate === tags.birthDate &&
        comparePersonNames(candidate.patientName, tags.patientName) === 'same' &&
        modalityAgrees(study, candidate) &&
        daysApart(candidate.studyDate, tags.studyDate) <= 2,
    ),
  );
}

const ids = (found: readonly RisStudy[]): string[] => found.map((candidate) => candidate.id).sort();

function settle(rule: Rule, found: readonly RisStudy[], tags: readonly SeenTags[]): Decision {
  const [only, another] = found;
  if (only === undefined || another !== undefined) {
    return { status: 'review', rule, reason: 'several-candidates', candidateIds: ids(found) };
  }
  if (tags.some((seen) => patientsContradict(side(seen), only))) {
    return { status: 'review', rule, reason: 'patient-contradicts', candidateIds: ids(found) };
  }
  return { status: 'linked', rule, studyId: only.id, candidateIds: ids(found) };
}

/**
 * Decides to which RIS study a DICOM study belongs. A pure function of the facts as they are now: no earlier decision
 * counts, so that any order of orders and images ends the same. `ris` may hold more than what fits, in any order; it
 * must hold every RIS study with the accession number, the announced StudyInstanceUID, the Patient ID on the study
 * date, or the birth date within two days of the study date.
 *
 * The rules, in order: accession number; StudyInstanceUID announced by the RIS; and only without an accession number,
 * Patient ID and study date (several: the modality narrows); name, birth date and modality within two days. A rule that
 * leaves one candidate and nothing against it links; several, or a contradicting patient, need a person; none at all
 * is provisional, an accession number that no order has (yet) too, with what the last two rules find as suggestions.
 */
export function decideLink(study: SeenStudy, ris: readonly RisStudy[]): Decision {
  const { tags } = study;
  const numbers = tags.flatMap((seen) => seen.accessionNumber.split('\\'));
  const accessions = [...new Set(numbers.map(accessionKey).filter((key) => key !== ''))];
  const disagree =
    accessions.length > 1 ||
    tags.some((one, index) => tags.slice(index + 1).some((other) => patientsContradict(side(one), side(other))));
  const byAccession = ris.filter((candidate) => accessions.includes(accessionKey(candidate.accessionNumber)));
  if (disagree) {
    return { status: 'review', rule: 'accession', reason: 'tags-disagree', candidateIds: ids(byAccession) };
  }
  if (byAccession.length > 0) return settle('accession', byAccession, tags);

  const announced = ris.filter(
    (candidate) => candidate.studyInstanceUid !== '' && candidate.studyInstanceUid === study.studyInstanceUid,
  );
  if (announced.length > 0) return settle('study-uid', preferLive(announced), tags);

  const union = (found: readonly (readonly RisStudy[])[]): RisStudy[] => [...new Set(found.flat())];
  const byId = union(tags.map((seen) => byPatientIdAndDate(study, seen, ris)));
  const byName = union(tags.map((seen) => byNameBirthDateAndModality(study, seen, ris)));
  if (accessions.length > 0) {
    return {
      status: 'provisional',
      rule: 'no-order',
      reason: 'accession-unknown',
      candidateIds: ids(union([byId, byName])),
    };
  }
  if (byId.length > 0) return settle('patient-id-date', byId, tags);
  if (byName.length > 0) return settle('name-birth-modality', byName, tags);
  return { status: 'provisional', rule: 'no-order', reason: 'nothing-matches', candidateIds: [] };
}
