import { isFinal, type ReportStatus } from '../../ris/rules/report.ts';

/** What an Orthanc study's labels follow from. */
export interface LabelFacts {
  readonly status: 'linked' | 'provisional' | 'review';
  /** Of each linked RIS study the report that was said last, `null` where there is none, and whether it must not be shown. */
  readonly reports: readonly { readonly status: ReportStatus | null; readonly withheld: boolean }[];
}

const REPORT_FINAL = 'report-final';

/** All that the sidecar puts and removes by itself. orthanc/filter.lua keeps viewers from them. */
export const OWN_LABELS: readonly string[] = ['ris-linked', 'ris-provisional', 'ris-review', REPORT_FINAL];

/** The labels that a study should carry: exactly one of how it is linked, and `report-final` when all its reports are. */
export function desiredLabels({ status, reports }: LabelFacts): readonly string[] {
  const final = reports.map((report) => report.status !== null && isFinal(report.status) && !report.withheld);
  const reported = status === 'linked' && final.length > 0 && final.every((one) => one);
  return [`ris-${status}`, ...(reported ? [REPORT_FINAL] : [])];
}

/** Whether that is a label that the sidecar puts and removes by itself, or one that differs from it by case only. */
export const isOwnLabel = (label: string): boolean => OWN_LABELS.includes(label.toLowerCase());

/** What makes `present` right. Labels that are not the sidecar's own are left alone. */
export function labelChanges(
  desired: readonly string[],
  present: readonly string[],
): { readonly put: readonly string[]; readonly remove: readonly string[] } {
  return {
    put: desired.filter((label) => !present.includes(label)),
    remove: present.filter((label) => isOwnLabel(label) && !desired.includes(label)),
  };
}
