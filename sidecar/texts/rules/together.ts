import type { ReleaseFacts } from '../../release/rules/release.ts';
import { standingReport } from '../../release/rules/standing-report.ts';
import type { PlannedBefore, SmsFacts, SmsPlan } from './hold.ts';

/** A text that was planned and has not been begun. */
export interface OpenText extends PlannedBefore {
  readonly id: string;
  /** The study that its link leads to. */
  readonly studyId: string;
  readonly attempts: number;
  readonly approvedReportId: string | null;
}

/** A study of the RIS of which no text has told yet. */
export interface SmsSubject {
  readonly studyId: string;
  readonly patientId: string;
  readonly accessionNumber: string;
  readonly modality: string;
  readonly hasOrder: boolean;
  readonly hasImages: boolean;
  readonly release: ReleaseFacts;
  readonly facts: Omit<SmsFacts, 'release' | 'shownAt' | 'ordered' | 'approved'>;
  readonly text: OpenText | null;
}

/** The studies that one text tells of; `lead` is the one that its link leads to, and is among them. */
export interface Together {
  readonly lead: SmsSubject;
  readonly members: readonly [SmsSubject, ...SmsSubject[]];
}

/** The one text of some studies, as it is now to be. */
export interface PlannedText extends Together {
  readonly plan: SmsPlan;
  readonly body: string;
  /** The version that it tells of, and since when that can be shown; `null` of one that cannot be. */
  readonly shown: { readonly reportId: string; readonly at: Date } | null;
}

/**
 * Which of these studies are told of together: those of one patient whose standing reports one message brought, and
 * those that one waiting text tells of already. A study without an order is its message's, and so the patient's whose
 * orders the message reports. The link leads to the first of the message that has an order, else to the first with
 * images; a text that was tried keeps its own.
 */
export function tellTogether(subjects: readonly SmsSubject[]): Together[] {
  const patients = patientsOrdered(subjects);
  const groups: SmsSubject[][] = [];
  const byMark = new Map<string, SmsSubject[]>();
  for (const subject of subjects) {
    const marks = marksOf(subject, patients);
    const found = [...new Set(marks.flatMap((mark) => byMark.get(mark) ?? []))];
    const joined = groups.filter((group) => group.some((one) => found.includes(one)));
    const group = [...joined.flat(), subject];
    for (const one of joined) groups.splice(groups.indexOf(one), 1);
    groups.push(group);
    for (const mark of group.flatMap((one) => marksOf(one, patients))) byMark.set(mark, group);
  }
  return groups.flatMap((group) => {
    const [first, ...rest] = group.toSorted((a, b) => order(a) - order(b) || compareIds(reportOf(a), reportOf(b)));
    return first === undefined ? [] : [{ lead: first, members: [first, ...rest] as const }];
  });
}

const standing = ({ release }: SmsSubject) => standingReport(release.reports).report;
/** Reports of one message have ids in the order in which it names them. */
const reportOf = (subject: SmsSubject): string => standing(subject)?.id ?? '';

/** Whose orders each message reports. */
function patientsOrdered(subjects: readonly SmsSubject[]): ReadonlyMap<string, ReadonlySet<string>> {
  const patients = new Map<string, Set<string>>();
  for (const subject of subjects.filter(({ hasOrder }) => hasOrder)) {
    const messageId = standing(subject)?.messageId;
    if (messageId === undefined) continue;
    patients.set(messageId, (patients.get(messageId) ?? new Set()).add(subject.patientId));
  }
  return patients;
}

function marksOf(subject: SmsSubject, patients: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const { hasOrder, patientId, text } = subject;
  const report = standing(subject);
  if (report === null) return [];
  const [only = patientId, another] = patients.get(report.messageId) ?? [];
  const whose = hasOrder || another !== undefined ? patientId : only;
  return [`message ${report.messageId} ${whose}`, ...(text === null ? [] : [`text ${text.id} ${whose}`])];
}

function order({ studyId, hasOrder, hasImages, text }: SmsSubject): number {
  if (text !== null && text.attempts > 0 && text.studyId === studyId) return 0;
  if (hasOrder) return 1;
  return hasImages ? 2 : 3;
}

const compareIds = (a: string, b: string): number => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
