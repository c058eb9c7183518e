import { decideLink, type Decision, type RisStudy, type StoredStudy } from './match.ts';
import type { Policy } from './against.ts';

/** DICOM studies that would be decided otherwise, in one way. */
export interface Moved {
  readonly from: string;
  readonly to: string;
  /** Why they would be `to`: the reason, or the rule. */
  readonly cause: string;
  /** The programs that sent them; `''` where nobody knows. */
  readonly callingAeTitles: string;
}

/** How that policy would decide a study otherwise than it stands; `null`: as it stands, or a person decided. */
export function movedBy(study: StoredStudy, ris: readonly RisStudy[], policy: Policy): Moved | null {
  const { seen, standing } = study;
  if (standing === null || standing.decidedBy !== 'rules') return null;
  const decision: Decision = decideLink(seen, ris, policy);
  const sameStudy = decision.status !== 'linked' || decision.candidateIds.join() === standing.candidateIds.join();
  if (decision.status === standing.status && sameStudy) return null;
  const titles = new Set(seen.tags.flatMap(({ callingAeTitles }) => callingAeTitles ?? ['']));
  return {
    from: standing.status,
    to: decision.status,
    cause: decision.status === 'linked' ? decision.rule : decision.reason,
    callingAeTitles: [...titles].sort().join(' '),
  };
}
