import { isFinal, type ReportStatus } from '../../ris/rules/report.ts';

/** One version of a study's report. */
export interface ReportVersion {
  readonly id: string;
  /** The message that brought it. */
  readonly messageId: string;
  readonly status: ReportStatus;
  /** Why it must not be shown, as `patient-differs`. */
  readonly withheld: string | null;
  /** It has neither words nor attachments. */
  readonly empty: boolean;
  readonly cameAt: Date;
  /** The older of OBR-22 and MSH-7; `null` where neither can be read. */
  readonly toldAt: Date | null;
}

export type Standing =
  /** `finalSince`: when the first version came since which the report has been final without a break. */
  | { readonly report: ReportVersion; readonly finalSince: Date }
  /** `no-report`, or `report-` and what keeps it back: a status, or why it is withheld. */
  | { readonly report: null; readonly reason: string };

/**
 * Which version of a report stands; `versions` are in the order in which they were said. It is the last final or
 * corrected one. A preliminary one after it hides nothing, a withdrawal does. What is withheld counts for nothing: it
 * is another patient's.
 */
export function standingReport(versions: readonly ReportVersion[]): Standing {
  const told = versions.filter(({ withheld, status }) => withheld === null && status !== 'preliminary');
  const lastWithdrawn = told.findLastIndex(({ status }) => !isFinal(status));
  const standing = told.slice(lastWithdrawn + 1);
  const report = standing.at(-1);
  if (report !== undefined) {
    return { report, finalSince: new Date(Math.min(...standing.map(({ cameAt }) => cameAt.getTime()))) };
  }
  const last = versions.findLast(({ withheld }) => withheld === null) ?? versions.at(-1);
  return { report: null, reason: last === undefined ? 'no-report' : `report-${last.withheld ?? last.status}` };
}
