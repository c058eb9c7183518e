import { delayOf, type Delays } from './delay.ts';
import { standingReport, type ReportVersion } from './standing-report.ts';

/** All that decides whether a study may be shown to its patient. */
export interface ReleaseFacts {
  readonly modality: string;
  readonly procedureCode: string;
  /** In the order in which they were said. */
  readonly reports: readonly ReportVersion[];
  /** How each DICOM study stands that is linked to the study or claims it: `linked`, `review`, `contested` and others. */
  readonly claims: readonly string[];
  readonly deceased: boolean;
  /** A person holds this study, or all of this patient. */
  readonly studyHeld: boolean;
  readonly patientHeld: boolean;
}

export type Release =
  /** `since`: when this version could be shown at the earliest. */
  | { readonly released: true; readonly report: ReportVersion; readonly since: Date }
  /** `report`: the one that stands, if any; `until`: when time alone lets it go. */
  | {
      readonly released: false;
      readonly reason: string;
      readonly report: ReportVersion | null;
      readonly until: Date | null;
    };

/** Codes for a study that has a report which stands and is kept back for another reason. */
export const KEPT_BACK = [
  'report-empty',
  'patient-deceased',
  'patient-held',
  'study-held',
  'study-in-review',
  'study-contested',
  'release-delay',
] as const;

function obstacle(facts: ReleaseFacts, report: ReportVersion): (typeof KEPT_BACK)[number] | null {
  if (facts.deceased) return 'patient-deceased';
  if (facts.patientHeld) return 'patient-held';
  if (facts.studyHeld) return 'study-held';
  if (facts.claims.includes('review')) return 'study-in-review';
  if (facts.claims.includes('contested')) return 'study-contested';
  return report.empty ? 'report-empty' : null;
}

/**
 * Whether a study may be shown to its patient, and which version of its report: the one rule for texts, pages and
 * programs. A study without images is not kept back for that. The delay counts from the first final version, so that a
 * correction hides nothing that was shown. A pure function, so that facts may come in any order.
 */
export function decideRelease(facts: ReleaseFacts, delays: Delays, now: Date): Release {
  const standing = standingReport(facts.reports);
  if (standing.report === null) return { released: false, reason: standing.reason, report: null, until: null };
  const { report, finalSince } = standing;
  const reason = obstacle(facts, report);
  if (reason !== null) return { released: false, reason, report, until: null };
  const until = new Date(finalSince.getTime() + delayOf(delays, facts));
  if (until > now) return { released: false, reason: 'release-delay', report, until };
  return { released: true, report, since: until > report.cameAt ? until : report.cameAt };
}
