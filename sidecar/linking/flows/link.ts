import type { Policy } from '../rules/against.ts';
import { contestedIn, namesAnother, type ContestedLink, type Shown } from '../rules/contested.ts';
import { decideLink, type Decision, type NewDecision, type RisStudy, type StoredStudy } from '../rules/match.ts';

export interface LinkTx {
  /** Until the transaction ends, no other one decides links or changes what they rest on. */
  lockLinking(): Promise<void>;
  loadStudies(dicomStudyIds: readonly string[]): Promise<StoredStudy[]>;
  /** For each DICOM study the RIS studies that {@link decideLink} asks for. */
  loadRisStudies(dicomStudyIds: readonly string[]): Promise<ReadonlyMap<string, readonly RisStudy[]>>;
  /** Writes decision and history; makes the study of its own where one is needed, removes it where it no longer is. */
  saveDecisions(decisions: readonly NewDecision[], decidedBy: string, now: Date): Promise<void>;
  /** Keeps with a person's decision what that person was shown of both sides. */
  saveShown(dicomStudyId: string, shown: Shown): Promise<void>;
  /** Marks these persons' links as contested, or no longer (`null`), with their history. */
  saveContested(links: readonly ContestedLink[], now: Date): Promise<void>;
  /** Brings the studies of their own that these have, if any, to what their tags say by now. */
  refreshOwnStudies(dicomStudyIds: readonly string[]): Promise<void>;
}

/** Who decided, where it was no person. */
export const RULES = 'rules';

function stands(standing: NonNullable<StoredStudy['standing']>, decision: Decision): boolean {
  return (
    standing.status === decision.status &&
    standing.rule === decision.rule &&
    standing.reason === ('reason' in decision ? decision.reason : null) &&
    (decision.status !== 'linked' || standing.studyId === decision.studyId) &&
    standing.candidateIds.join() === decision.candidateIds.join()
  );
}

/** In what a person's decision is contested now. */
function contestedNow(
  seen: StoredStudy['seen'],
  standing: NonNullable<StoredStudy['standing']>,
  ris: readonly RisStudy[],
  policy: Policy,
): string | null {
  if (standing.status !== 'linked') return namesAnother(seen, ris, standing.shown ?? null);
  const linked = [standing.studyId, ...(standing.alsoStudyIds ?? [])];
  return contestedIn(seen, linked, ris, standing.shown ?? null, policy).join(', ') || null;
}

/** Has what persons decided stand again where images that were deleted are back; gives those that they link. */
async function standAgain(tx: LinkTx, studies: readonly StoredStudy[]): Promise<string[]> {
  const touched: string[] = [];
  for (const { id, kept } of studies) {
    if (kept === undefined || kept === null) continue;
    const { decision, decidedBy, decidedAt, shown } = kept;
    await tx.saveDecisions([{ dicomStudyId: id, decision }], decidedBy, decidedAt);
    if (shown !== null) await tx.saveShown(id, shown);
    touched.push(...decision.candidateIds);
  }
  return touched;
}

/**
 * Decides these DICOM studies anew from the facts as they are, inside the caller's transaction, and gives the ids of
 * the RIS studies whose images came, went or came into question. Idempotent: what stands is not written again. What a
 * person decided stands, and is contested where later facts contradict it.
 */
export async function linkStudies(
  tx: LinkTx,
  dicomStudyIds: readonly string[],
  now: Date,
  policy: Policy,
): Promise<string[]> {
  if (dicomStudyIds.length === 0) return [];
  await tx.lockLinking();
  const stored = await tx.loadStudies(dicomStudyIds);
  const touched = new Set(await standAgain(tx, stored));
  const studies = stored.some(({ kept }) => kept) ? await tx.loadStudies(dicomStudyIds) : stored;
  const risStudies = await tx.loadRisStudies(dicomStudyIds);
  const changed: NewDecision[] = [];
  const marks: ContestedLink[] = [];
  for (const { id, seen, standing } of studies) {
    if (standing !== null && standing.decidedBy !== RULES) {
      const contested = contestedNow(seen, standing, risStudies.get(id) ?? [], policy);
      if (contested === (standing.contested ?? null)) continue;
      marks.push({ dicomStudyId: id, contested });
      const linked = [standing.studyId, ...(standing.alsoStudyIds ?? [])];
      for (const studyId of [...linked, ...standing.candidateIds]) touched.add(studyId);
      continue;
    }
    const decision = decideLink(seen, risStudies.get(id) ?? [], policy);
    if (standing !== null && stands(standing, decision)) continue;
    changed.push({ dicomStudyId: id, decision });
    for (const studyId of [...(standing?.candidateIds ?? []), ...decision.candidateIds]) touched.add(studyId);
  }
  if (changed.length > 0) await tx.saveDecisions(changed, RULES, now);
  if (marks.length > 0) await tx.saveContested(marks, now);
  await tx.refreshOwnStudies(dicomStudyIds);
  return [...touched];
}
