import type { Release } from '../../release/rules/release.ts';

/** All that decides whether the text of one study may go out. */
export interface SmsFacts {
  readonly release: Release;
  /** Since when the report that stands can be shown: {@link shownSince}. */
  readonly shownAt: Date | null;
  readonly phoneNumber: string | null;
  readonly phoneProblem: string | null;
  /** A report named another mobile, after the known one was said. */
  readonly numberDiffers: boolean;
  /** The number's last word was STOP. */
  readonly optedOut: boolean;
  /** An order tells of the study, or none is needed here. */
  readonly ordered: boolean;
  /** A person took the images away that the rules had given it, and it has got no others. */
  readonly imagesTaken: boolean;
  /** Its images were deleted while they were in review, and it has got no others. */
  readonly imagesDeleted: boolean;
  /** A person wants the text of this very version sent. */
  readonly approved: boolean;
}

export type SmsPlan =
  /** `from`: not before that. */
  | { readonly state: 'queued'; readonly to: string; readonly from: Date | null }
  | { readonly state: 'held' | 'failed'; readonly reason: string };

/** After this long a held text would only puzzle: it fails with a visible reason instead. */
export const MAX_HOLD_MS = 7 * 86_400_000;

/** What a text was planned for before. */
export interface PlannedBefore {
  readonly reason: string | null;
  readonly reportId: string | null;
  readonly shownAt: Date | null;
}

/**
 * Since when the report that stands can be shown: kept from when that was found first, so that a study which was in
 * review for a month is not too old when a person has decided. `null` while it cannot be.
 */
export function shownSince(release: Release, before: PlannedBefore | null, now: Date): Date | null {
  const from = release.released ? release.since : release.until;
  if (from === null) return null;
  if (before?.shownAt != null && before.reportId === release.report?.id) return before.shownAt;
  return isKeptBack(before?.reason ?? null) && from < now ? now : from;
}

/** Whether a text is held for what the rule of release says, rather than for what texts need besides. */
const isKeptBack = (reason: string | null): boolean =>
  reason !== null && /^(study|patient|report)-/.test(reason) && !['report-old', 'report-undated'].includes(reason);

/** What speaks against a text that a person may have sent all the same. */
function doubt(facts: SmsFacts): string | null {
  const report = facts.release.report;
  if (report?.toldAt == null) return 'report-undated';
  if (report.cameAt.getTime() - report.toldAt.getTime() > MAX_HOLD_MS) return 'report-old';
  if (!facts.ordered) return 'no-order';
  if (facts.imagesTaken) return 'images-taken-away';
  if (facts.imagesDeleted) return 'images-deleted';
  return facts.phoneNumber !== null && facts.numberDiffers ? 'number-differs' : null;
}

/**
 * Whether the one text of a study may go out now. `held` is decided again whenever one of the facts changes. The rule
 * of release comes first, and no person overrules it here. A number that said STOP holds the text rather than fails it:
 * START, or another number of the patient, lets it go, yet not after {@link MAX_HOLD_MS}, when it would come as a
 * surprise. A pure function of the facts, so that report, order and images may come in any order.
 */
export function decideSms(facts: SmsFacts, now: Date): SmsPlan {
  const { release, shownAt, phoneNumber, approved } = facts;
  if (!release.released && release.until === null) return { state: 'held', reason: release.reason };
  const doubted = approved ? null : doubt(facts);
  if (doubted !== null) return { state: 'held', reason: doubted };
  if (phoneNumber === null) return { state: 'held', reason: facts.phoneProblem ?? 'no-number' };
  if (facts.optedOut) return { state: 'held', reason: 'opted-out' };
  if (!approved && shownAt !== null && now.getTime() - shownAt.getTime() > MAX_HOLD_MS) {
    return { state: 'failed', reason: 'held-too-long' };
  }
  return { state: 'queued', to: phoneNumber, from: release.released ? null : release.until };
}

/** The plan of a text that tells of several studies of one patient: it waits while one of them is held. */
export function decideTogether(plans: readonly [SmsPlan, ...SmsPlan[]]): SmsPlan {
  return plans.reduce((all, plan) => {
    if (all.state === 'held' || plan.state === 'queued') {
      if (all.state !== 'queued' || plan.state !== 'queued') return all;
      const later = all.from === null || (plan.from !== null && plan.from > all.from) ? plan.from : all.from;
      return { ...all, from: later };
    }
    return plan.state === 'held' || all.state === 'queued' ? plan : all;
  });
}
