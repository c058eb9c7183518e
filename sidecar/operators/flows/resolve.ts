import { Failure } from '../../platform/rules/failure.ts';
import { checkedBy, RULES } from '../rules/by.ts';
import type { Act } from '../rules/work.ts';
import { PatientDiffers } from '../rules/patient-differs.ts';
import type { Policy } from '../../linking/rules/against.ts';
import { differences, shownOf, type Shown } from '../../linking/rules/contested.ts';
import type { RisStudy, StoredStudy } from '../../linking/rules/match.ts';
import type { By } from '../../audit/rules/who.ts';

export interface Standing {
  readonly dicomStudyId: string;
  /** `null`: never decided. */
  readonly status: 'linked' | 'provisional' | 'review' | 'deleted' | null;
  readonly studyId: string | null;
  /** What it is linked to besides. */
  readonly alsoStudyIds: readonly string[];
  readonly candidateIds: readonly string[];
  readonly decidedBy: string | null;
  /** The studies that it claimed when its images were deleted or changed. */
  readonly keptClaims: readonly string[];
  /** What a person decided stands again when its images, which were deleted, come again. */
  readonly isKept: boolean;
}

export interface ManualDecision {
  readonly dicomStudyId: string;
  readonly status: 'linked' | 'provisional' | 'review';
  /** `null`: the DICOM study's own. */
  readonly studyId: string | null;
  readonly alsoStudyIds: readonly string[];
  readonly candidateIds: readonly string[];
  readonly rule: 'person' | 'released';
}

export interface ResolveTx {
  lockLinking(): Promise<void>;
  loadStanding(studyInstanceUid: string): Promise<Standing | null>;
  /** The RIS study with that accession number, as accession numbers are compared. */
  findRisStudy(accessionNumber: string): Promise<string | null>;
  /** Writes decision and history as a person's; makes or removes the study of its own. */
  saveManualDecision(decision: ManualDecision, by: By, now: Date): Promise<void>;
  /** These DICOM studies with their tags and decisions. */
  loadStudies(dicomStudyIds: readonly string[]): Promise<StoredStudy[]>;
  /** By DICOM study; those that a person linked it to are among them. */
  loadRisStudies(dicomStudyIds: readonly string[]): Promise<ReadonlyMap<string, readonly RisStudy[]>>;
  /** Keeps with a person's decision what that person was shown of both sides. */
  saveShown(dicomStudyId: string, shown: Shown): Promise<void>;
  /** What it claimed when its images were deleted or changed it claims no more, and what a person decided then is over. */
  dropClaims(dicomStudyId: string): Promise<void>;
  /** Keeps in the history that a person let go of what one claimed of which nothing is left. */
  noteReleased(dicomStudyId: string, claims: readonly string[], by: By, now: Date): Promise<void>;
  /** A person has seen in what its images differ from files that came again. */
  seeDifferences(dicomStudyId: string, by: By, now: Date): Promise<void>;
  /** From now on the rules decide this one. */
  leaveToRules(dicomStudyId: string): Promise<void>;
}

export interface ResolveDeps<Tx extends ResolveTx> {
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  /** Decides what the rules may, then brings the texts and labels of all that was touched up to it. */
  readonly decided: (tx: Tx, dicomStudyId: string, touchedStudyIds: readonly string[], now: Date) => Promise<void>;
  /** How strictly is matched. */
  readonly policy: Policy;
  readonly now: () => Date;
}

const refusal = (code: string, message: string): Failure => new Failure('permanent', code, message);

/**
 * The studies of the RIS that lose the images, or their claim, with this one. They stay its candidates: until one has
 * other images, nobody knows whose images its report is of, and its text is held.
 */
function takenFrom({ status, studyId, alsoStudyIds, candidateIds, decidedBy }: Standing): readonly string[] {
  const linked = status === 'linked' && studyId !== null ? [studyId, ...alsoStudyIds] : [];
  const claimed = status === 'review' || decidedBy !== RULES ? candidateIds : [];
  return [...new Set([...linked, ...claimed])];
}

async function decide(tx: ResolveTx, standing: Standing, act: Act): Promise<ManualDecision> {
  const { dicomStudyId, candidateIds, studyId, alsoStudyIds } = standing;
  const status = standing.status === 'deleted' ? null : standing.status;
  if (status === null) throw refusal('study-not-there', 'Orthanc holds nothing of that study');
  const nothing = { studyId: null, alsoStudyIds: [], candidateIds: [] };
  const own = { dicomStudyId, ...nothing, status: 'provisional', rule: 'person' } as const;
  const linked = (to: string, also: readonly string[] = []): ManualDecision => {
    const lost = standing.status === 'review' && standing.decidedBy === RULES ? [] : takenFrom(standing);
    const candidates = new Set([to, ...also, ...lost]);
    return { ...own, status: 'linked', studyId: to, alsoStudyIds: also, candidateIds: [...candidates] };
  };
  switch (act.kind) {
    case 'link': {
      const found = await tx.findRisStudy(act.accessionNumber);
      if (found === null) throw refusal('accession-unknown', 'no study of the RIS has that accession number');
      return linked(found);
    }
    case 'unlink':
      return { ...own, candidateIds: takenFrom(standing) };
    case 'confirm': {
      if (status === 'linked' && studyId !== null) return linked(studyId, alsoStudyIds);
      if (status === 'provisional') return { ...own, candidateIds: takenFrom(standing) };
      const [only, another] = candidateIds;
      if (only !== undefined && another === undefined) return linked(only);
      throw refusal('nothing-to-confirm', `the review has ${candidateIds.length} candidates: link it to one of them`);
    }
    case 'release':
      return {
        ...{ dicomStudyId, status, candidateIds, rule: 'released' },
        ...(status === 'linked' ? { studyId, alsoStudyIds } : nothing),
      };
  }
}

/** Keeps both sides of what was just decided. @throws PatientDiffers where those of a link contradict, unless that is said. */
async function show(tx: ResolveTx, { dicomStudyId, studyId, alsoStudyIds }: ManualDecision, act: Act, policy: Policy) {
  const [study] = await tx.loadStudies([dicomStudyId]);
  const ris = (await tx.loadRisStudies([dicomStudyId])).get(dicomStudyId) ?? [];
  if (study === undefined) return;
  const linkedTo = ris.filter(({ id }) => id === studyId || alsoStudyIds.includes(id));
  const shown = shownOf(study.seen, linkedTo);
  const despite = 'despitePatient' in act && act.despitePatient === true;
  if (studyId !== null && !despite && differences(study.seen, linkedTo, policy).length > 0)
    throw new PatientDiffers(shown);
  await tx.saveShown(dicomStudyId, shown);
}

/**
 * Applies what a person decided about one DICOM study, in one transaction with the texts and labels that follow. It is
 * kept with who and why, and no rule undoes it until it is released. Of a DICOM study that is deleted only what it claimed,
 * and what a person decided, can be released.
 * @throws Failure permanent, nothing done: `study-unknown`, `study-not-there`, `accession-unknown`,
 * `nothing-to-confirm`, `patient-differs` (a {@link PatientDiffers}), `who-missing`, `why-missing`, `too-long`.
 */
export async function resolveReview<Tx extends ResolveTx>(
  deps: ResolveDeps<Tx>,
  studyInstanceUid: string,
  act: Act,
  said: By,
): Promise<void> {
  const by = checkedBy(said);
  await deps.transaction(async (tx) => {
    await tx.lockLinking();
    const standing = await tx.loadStanding(studyInstanceUid);
    if (standing === null) throw refusal('study-unknown', 'no such Study Instance UID');
    const now = deps.now();
    const { dicomStudyId, keptClaims, isKept } = standing;
    if (act.kind !== 'unlink') await tx.dropClaims(dicomStudyId);
    if (act.kind === 'release' && standing.status === 'deleted' && (keptClaims.length > 0 || isKept)) {
      await tx.noteReleased(dicomStudyId, keptClaims, by, now);
      await deps.decided(tx, dicomStudyId, keptClaims, now);
      return;
    }
    const decision = await decide(tx, standing, act);
    await tx.saveManualDecision(decision, by, now);
    await tx.seeDifferences(dicomStudyId, by, now);
    if (act.kind !== 'release') await show(tx, decision, act, deps.policy);
    if (act.kind === 'release') await tx.leaveToRules(dicomStudyId);
    const touched = [
      ...keptClaims,
      ...standing.candidateIds,
      ...decision.candidateIds,
      standing.studyId,
      decision.studyId,
    ];
    await deps.decided(tx, dicomStudyId, [...new Set(touched.filter((id) => id !== null))], now);
  });
}
