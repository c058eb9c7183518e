import { accessionKey } from '../../ris/rules/accession.ts';
import { type PatientIdentifier, type PatientSide, patientsContradict } from '../../ris/rules/same-patient.ts';
import { against, AGAINST, sideOf, type Against, type Policy } from './against.ts';
import type { Shown } from './contested.ts';
import { byNameBirthDateAndModality, byPatientIdAndDate, preferLive } from './candidates.ts';

/** What images of one Orthanc study say, each set once. `''` and `null`: not said. Dates are `YYYY-MM-DD`. */
export interface SeenTags {
  /** What one image names by itself. Several are parted by a backslash. */
  readonly accessionNumbers: readonly string[];
  readonly patientId: PatientIdentifier;
  readonly patientName: string;
  readonly birthDate: string | null;
  readonly studyDate: string | null;
  readonly sex?: string | null;
  /** Of the programs that sent its instances, `''` for one that names none; not there where nobody knows. */
  readonly callingAeTitles?: readonly string[] | null;
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
  /** Two RIS studies of the same one are one patient's. */
  readonly patientRef: string;
  readonly patientIds: readonly PatientIdentifier[];
  readonly patientName: string;
  readonly birthDate: string | null;
  readonly sex?: string | null;
  /**
   * What the RIS said before of that patient, each version as a whole: where its name was a placeholder, or of an
   * identifier that was merged since.
   */
  readonly earlier?: readonly PatientSide[];
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
      /** The others, where the study names several accession numbers itself. */
      readonly alsoStudyIds?: readonly string[];
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
      readonly reason: Against | 'several-candidates' | 'several-patients' | 'tags-disagree';
      readonly candidateIds: readonly string[];
    };

/** All that sends a study to review. */
export const REVIEW_REASONS = [
  ...AGAINST,
  ...(['several-candidates', 'several-patients', 'tags-disagree'] as const),
] as const satisfies readonly Extract<Decision, { readonly status: 'review' }>['reason'][];

/**
 * What a person decided, and why. `released`: what a person decided no longer stands, the rules decide again.
 * `provisional`: its images belong to no study of the RIS; `candidateIds` are those that they were taken from.
 */
export type PersonDecision = {
  readonly rule: 'person' | 'released';
  readonly reason: string;
  readonly candidateIds: readonly string[];
} & (
  | { readonly status: 'linked'; readonly studyId: string; readonly alsoStudyIds?: readonly string[] }
  | { readonly status: 'provisional' }
);

/** What a person had decided of a DICOM study when its images were deleted. */
export interface KeptDecision {
  readonly decision: PersonDecision;
  readonly decidedBy: string;
  readonly decidedAt: Date;
  /** Both sides as that person was shown them. */
  readonly shown: Shown | null;
}

/** A DICOM study with the decision that stands. */
export interface StoredStudy {
  readonly id: string;
  readonly seen: SeenStudy;
  /** `null` for one that was never decided. */
  readonly standing: {
    readonly studyId: string;
    /** What it is linked to besides. */
    readonly alsoStudyIds?: readonly string[];
    readonly status: string;
    readonly rule: string;
    readonly reason: string | null;
    readonly candidateIds: readonly string[];
    readonly decidedBy: string;
    /** Both sides as the person was shown them who decided; `null` where nobody was. */
    readonly shown?: Shown | null;
    /** In what a person's link is contested; `null`: in nothing. */
    readonly contested?: string | null;
  } | null;
  /** What stands again now that it has images again; not there: nothing. */
  readonly kept?: KeptDecision | null;
}

export interface NewDecision {
  readonly dicomStudyId: string;
  readonly decision: Decision | PersonDecision;
}

/** Strict, and no images without an identity. */
export const STRICT: Policy = { matching: 2, byAccessionAlone: [] };

const ids = (found: readonly RisStudy[]): string[] => found.map((candidate) => candidate.id).sort();

function settle(rule: Rule, found: readonly RisStudy[], tags: readonly SeenTags[], policy: Policy): Decision {
  const [only, another] = found;
  if (only === undefined || another !== undefined) {
    return { status: 'review', rule, reason: 'several-candidates', candidateIds: ids(found) };
  }
  const reason = against(rule, tags, only, policy);
  if (reason !== null) return { status: 'review', rule, reason, candidateIds: ids(found) };
  return { status: 'linked', rule, studyId: only.id, candidateIds: ids(found) };
}

/**
 * The accession numbers that the parts of a study name. `several`: one part names all of them itself, so that they are
 * meant together; otherwise its parts name different ones.
 */
function accessionsOf(tags: readonly SeenTags[], { matching }: Policy) {
  const keysOf = (text: string): string[] =>
    text
      .split('\\')
      .map(accessionKey)
      .filter((key) => key !== '');
  const named = tags.flatMap(({ accessionNumbers }) => accessionNumbers.map((text) => new Set(keysOf(text))));
  const accessions = [...new Set(named.flatMap((keys) => [...keys]))];
  const several = matching === 2 && accessions.length > 1 && named.some(({ size }) => size === accessions.length);
  return { accessions, several };
}

/** One scan for several orders: linked to all of them where they are one patient's and nothing speaks against any. */
function settleSeveral(found: readonly RisStudy[], tags: readonly SeenTags[], policy: Policy): Decision {
  const key = ({ accessionNumber }: RisStudy): string => accessionKey(accessionNumber);
  const review = { status: 'review', rule: 'accession', candidateIds: ids(found) } as const;
  if (new Set(found.map(({ patientRef }) => patientRef)).size > 1) return { ...review, reason: 'several-patients' };
  if (new Set(found.map(key)).size < found.length) return { ...review, reason: 'several-candidates' };
  const reasons = found.map((ris) => against('accession', tags, ris, policy));
  const reason = AGAINST.find((one) => reasons.includes(one));
  if (reason !== undefined) return { ...review, reason };
  const [first = '', ...others] = found.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)).map(({ id }) => id);
  return { status: 'linked', rule: 'accession', studyId: first, alsoStudyIds: others, candidateIds: ids(found) };
}

/**
 * Decides to which RIS study a DICOM study belongs. A pure function of the facts as they are now: no earlier decision
 * counts, so that any order of orders and images ends the same. `ris` may hold more than what fits, in any order; it
 * must hold every RIS study with the accession number, the announced StudyInstanceUID, the Patient ID on the study
 * date, or the birth date within two days of the study date.
 *
 * The rules, in order: accession number (several that the study names itself: all of them); StudyInstanceUID announced by the RIS; and only without an accession number,
 * Patient ID and study date (several: the modality narrows); name, birth date and modality within two days. A rule that
 * leaves one candidate and nothing {@link against} it links; several, or one that something speaks against, need a
 * person; none at all is provisional, an accession number that no order has (yet) too, with what the last two rules
 * find as suggestions.
 */
export function decideLink(study: SeenStudy, ris: readonly RisStudy[], policy: Policy = STRICT): Decision {
  const { tags } = study;
  const contradict = (one: SeenTags, other: SeenTags): boolean =>
    patientsContradict(sideOf(one), sideOf(other), policy.matching);
  const { accessions, several } = accessionsOf(tags, policy);
  const disagree =
    (accessions.length > 1 && !several) ||
    tags.some((one, index) => tags.slice(index + 1).some((other) => contradict(one, other)));
  const byAccession = ris.filter((candidate) => accessions.includes(accessionKey(candidate.accessionNumber)));
  if (disagree) {
    return { status: 'review', rule: 'accession', reason: 'tags-disagree', candidateIds: ids(byAccession) };
  }
  if (several && byAccession.length > 1) return settleSeveral(byAccession, tags, policy);
  if (byAccession.length > 0) return settle('accession', byAccession, tags, policy);

  const announced = ris.filter(
    (candidate) => candidate.studyInstanceUid !== '' && candidate.studyInstanceUid === study.studyInstanceUid,
  );
  if (announced.length > 0) return settle('study-uid', preferLive(announced), tags, policy);

  const union = (found: readonly (readonly RisStudy[])[]): RisStudy[] => [...new Set(found.flat())];
  const byId = union(tags.map((seen) => byPatientIdAndDate(study, seen, ris, policy.matching)));
  const byName = union(tags.map((seen) => byNameBirthDateAndModality(study, seen, ris)));
  if (accessions.length > 0) {
    return {
      status: 'provisional',
      rule: 'no-order',
      reason: 'accession-unknown',
      candidateIds: ids(union([byId, byName])),
    };
  }
  if (byId.length > 0) return settle('patient-id-date', byId, tags, policy);
  if (byName.length > 0) return settle('name-birth-modality', byName, tags, policy);
  return { status: 'provisional', rule: 'no-order', reason: 'nothing-matches', candidateIds: [] };
}
