import { isFinal, type ReportStatus } from '../../ris/rules/report.ts';

/** All that decides whether a study's text may go out; see design of `sms_messages`. */
export interface SmsFacts {
  /** Of the study's report that was said last. */
  readonly reportStatus: ReportStatus;
  /** Why that report must not be shown, as `patient-differs`. */
  readonly withheld: string | null;
  /** When the study's first final report came. */
  readonly firstFinalAt: Date;
  readonly phoneNumber: string | null;
  readonly phoneProblem: string | null;
  /** A report named another mobile, after the known one was said. */
  readonly numberDiffers: boolean;
  /** The number's last word was STOP. */
  readonly optedOut: boolean;
  /** A DICOM study that claims this study is in review: whose images were read is not known. */
  readonly inReview: boolean;
  /** A person took the images away that the rules had given it, and it has got no others. */
  readonly imagesTaken: boolean;
  /** Images were deleted or changed while they claimed it in review or were taken away, and it has got no others. */
  readonly imagesDeleted: boolean;
}

export interface SmsSubject {
  readonly studyId: string;
  readonly accessionNumber: string;
  readonly modality: string;
  readonly facts: SmsFacts;
}

export type SmsPlan =
  { readonly state: 'queued'; readonly to: string } | { readonly state: 'held' | 'failed'; readonly reason: string };

/** After this long a held text would only puzzle: it fails with a visible reason instead. */
export const MAX_HOLD_MS = 7 * 86_400_000;

/**
 * Whether the one text of a study with a final report may go out now. `held` is decided again whenever one of the
 * facts changes. A number that said STOP holds the text rather than fails it: START, or another number of the patient,
 * lets it go, yet not after {@link MAX_HOLD_MS}, when it would come as a surprise. A pure function of the facts, so that report, order and images may come in any order.
 */
export function decideSms(facts: SmsFacts, now: Date): SmsPlan {
  const reason = !isFinal(facts.reportStatus)
    ? `report-${facts.reportStatus}`
    : facts.withheld !== null
      ? `report-${facts.withheld}`
      : facts.inReview
        ? 'study-in-review'
        : facts.imagesTaken
          ? 'images-taken-away'
          : facts.imagesDeleted
            ? 'images-deleted'
            : facts.phoneNumber === null
              ? (facts.phoneProblem ?? 'no-number')
              : facts.numberDiffers
                ? 'number-differs'
                : facts.optedOut
                  ? 'opted-out'
                  : null;
  if (reason === null && facts.phoneNumber !== null) {
    return now.getTime() - facts.firstFinalAt.getTime() > MAX_HOLD_MS
      ? { state: 'failed', reason: 'held-too-long' }
      : { state: 'queued', to: facts.phoneNumber };
  }
  return { state: 'held', reason: reason ?? 'no-number' };
}
