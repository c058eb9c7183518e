import type { Policy } from '../rules/against.ts';
import { decideLink, type Decision, type NewDecision, type RisStudy, type StoredStudy } from '../rules/match.ts';

export interface LinkTx {
  /** Until the transaction ends, no other one decides links or changes what they rest on. */
  lockLinking(): Promise<void>;
  loadStudies(dicomStudyIds: readonly string[]): Promise<StoredStudy[]>;
  /** For each DICOM study the RIS studies that {@link decideLink} asks for. */
  loadRisStudies(dicomStudyIds: readonly string[]): Promise<ReadonlyMap<string, readonly RisStudy[]>>;
  /** Writes decision and history; makes the study of its own where one is needed, removes it where it no longer is. */
  saveDecisions(decisions: readonly NewDecision[], decidedBy: string, now: Date): Promise<void>;
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

/**
 * Decides these DICOM studies anew from the facts as they are, inside the caller's transaction, and gives the ids of
 * the RIS studies whose images came, went or came into question. Idempotent: what stands is not written again. What a
 * person decided is left alone.
 */
export async function linkStudies(
  tx: LinkTx,
  dicomStudyIds: readonly string[],
  now: Date,
  policy: Policy,
): Promise<string[]> {
  if (dicomStudyIds.length === 0) return [];
  await tx.lockLinking();
  const [studies, risStudies] = [await tx.loadStudies(dicomStudyIds), await tx.loadRisStudies(dicomStudyIds)];
  const changed: NewDecision[] = [];
  const touched = new Set<string>();
  for (const { id, seen, standing } of studies) {
    if (standing !== null && standing.decidedBy !== RULES) continue;
    const decision = decideLink(seen, risStudies.get(id) ?? [], policy);
    if (standing !== null && stands(standing, decision)) continue;
    changed.push({ dicomStudyId: id, decision });
    for (const studyId of [...(standing?.candidateIds ?? []), ...decision.candidateIds]) touched.add(studyId);
  }
  if (changed.length > 0) await tx.saveDecisions(changed, RULES, now);
  await tx.refreshOwnStudies(dicomStudyIds);
  return [...touched];
}
