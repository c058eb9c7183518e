/** What one person decides about one DICOM study. */
export type Act =
  | { readonly kind: 'link'; readonly accessionNumber: string; readonly despitePatient?: boolean | undefined }
  /** Back to a study of its own. */
  | { readonly kind: 'unlink' }
  /** What stands, or the only candidate of a review, becomes the person's own decision. */
  | { readonly kind: 'confirm'; readonly despitePatient?: boolean | undefined }
  /** Back to the rules, which decide at once. */
  | { readonly kind: 'release' };

/** What a person keeps from being shown, or lets go of. */
export type HeldThing =
  | { readonly kind: 'study'; readonly accessionNumber: string }
  /** `issuer`: the assigning authority, where several gave that number. */
  | { readonly kind: 'patient'; readonly patientId: string; readonly issuer: string | null };

/** What a person decides about the text of a study. */
export type TextAct =
  /** `again`: though it was sent. */
  { readonly kind: 'send'; readonly again: boolean } | { readonly kind: 'done' };

/** Which failed images a person has tried again: those that are all of this; `null` says nothing. */
export interface FailedImages {
  /** A SOP Instance UID, or Orthanc's id. */
  readonly image: string | null;
  readonly studyInstanceUid: string | null;
  /** One of the codes that the reason names. */
  readonly reason: string | null;
}

export const WORK_KINDS = [
  'review',
  'contested',
  'provisional',
  'images-deleted',
  'image-differs',
  'image-failed',
  'text-held',
  'text-failed',
  'text-undelivered',
  'text-seen-to',
  'held',
  'message-refused',
  'report-withheld',
  'accession-clash',
  'failure',
] as const;

/** One thing that needs a person. Of its kind `subject` is what the next command takes. */
export interface WorkItem {
  readonly kind: (typeof WORK_KINDS)[number];
  /** A Study Instance UID, an accession number, the id of an HL7 message, or of a failure's part. */
  readonly subject: string;
  readonly patient: string | null;
  readonly accessionNumber: string | null;
  readonly reason: string | null;
  /** What can be done about it: in words, and as commands to type. */
  readonly next: string;
  /** ISO 8601. */
  readonly since: string;
  /** The same in the practice's time zone, to the minute. */
  readonly sinceLocal: string;
  /** How many more of its kind are not listed, where it only says that. */
  readonly more: number;
}

export interface StudyView {
  readonly studyInstanceUid: string;
  readonly status: string | null;
  readonly rule: string | null;
  readonly reason: string | null;
  readonly decidedBy: string | null;
  readonly decidedAt: string | null;
  /** In what a person's link is contested. */
  readonly contested: string | null;
  readonly firstSeenAt: string;
  readonly modalities: readonly string[];
  /** The first of all that it is linked to. */
  readonly accessionNumber: string | null;
  readonly accessionNumbers: readonly string[];
  readonly patient: PatientView | null;
  readonly tags: readonly TagsView[];
  readonly candidates: readonly CandidateView[];
  readonly history: readonly DecisionView[];
  readonly series: readonly SeriesView[];
}

/** What an act would lead to. */
export interface Preview {
  readonly dryRun: true;
  readonly status: string | null;
  readonly accessionNumbers: readonly string[];
  /** The sidecar's own, as they would be in Orthanc. */
  readonly labels: readonly string[];
  /** Of all studies that it touches. `to`: the last digits. */
  readonly texts: readonly {
    readonly accessionNumber: string;
    readonly state: string;
    readonly reason: string | null;
    readonly to: string | null;
    readonly patient: PatientView;
  }[];
}

export interface PatientView {
  readonly id: string | null;
  readonly name: string | null;
  readonly birthDate: string | null;
}

export interface TagsView {
  readonly orthancId: string;
  readonly accessionNumber: string;
  readonly patientId: string;
  readonly patientName: string;
  readonly birthDate: string | null;
  readonly studyDate: string | null;
  readonly description: string;
}

export interface CandidateView {
  readonly accessionNumber: string;
  readonly patient: PatientView;
  readonly modality: string | null;
  readonly studyDate: string | null;
  readonly procedure: string | null;
  readonly orderStatus: string;
}

export interface DecisionView {
  readonly at: string;
  readonly by: string;
  readonly status: string;
  readonly rule: string;
  readonly reason: string | null;
  readonly accessionNumber: string | null;
}

export interface SeriesView {
  readonly seriesInstanceUid: string;
  readonly modality: string;
  readonly description: string;
  readonly images: number;
  readonly mirrored: number;
  readonly pending: number;
  readonly noPixels: number;
  readonly failed: number;
}

/** A study of the RIS, with what belongs to it. */
export interface OrderView {
  readonly accessionNumber: string;
  readonly orderStatus: string | null;
  readonly modality: string | null;
  readonly procedure: string | null;
  readonly studyDate: string | null;
  readonly patient: PatientView;
  /** Linked to it, or claiming it. */
  readonly dicomStudies: readonly { readonly studyInstanceUid: string; readonly status: string | null }[];
  /** In the order in which they were said. */
  readonly reports: readonly {
    readonly messageId: string | null;
    readonly status: string;
    readonly withheld: string | null;
    readonly at: string;
  }[];
  /** `to`: the last digits. */
  readonly text: {
    readonly state: string;
    readonly reason: string | null;
    readonly to: string | null;
    readonly at: string;
  } | null;
}

/** The text of a study, with what it waits for. */
export interface TextView {
  /** Of the study that its link leads to, and of all that it tells of. */
  readonly accessionNumber: string;
  readonly tellsOf: readonly string[];
  readonly state: string;
  readonly reason: string | null;
  /** What a person can do about it, in words. */
  readonly next: string | null;
  /** The last digits of where it goes or went, of the known number, and of another one that a report said. */
  readonly to: string | null;
  readonly known: string | null;
  readonly reported: string | null;
  /** Not before that. */
  readonly from: string | null;
  readonly attempts: number;
  readonly sentAt: string | null;
  /** What became of it, in the vendor's words. */
  readonly delivery: string | null;
  readonly doneBy: string | null;
  readonly doneAt: string | null;
}

/** A kept HL7 message: how it came and was answered. */
export interface MessageView {
  readonly id: string;
  readonly sendingApplication: string;
  readonly sendingFacility: string;
  readonly messageType: string;
  readonly controlId: string;
  readonly receivedAt: string;
  readonly answer: string;
  readonly reason: string | null;
  readonly replayedBy: string | null;
  readonly replayedAt: string | null;
  /** What was understood of it; `null` where it was not read, or is not kept any more. */
  readonly reading: ReadingView | null;
  readonly segments: readonly string[];
}

/** As `Reading` of ris, stored. */
export interface ReadingView {
  readonly patient: readonly UnderstoodView[];
  readonly studies: readonly (readonly UnderstoodView[])[];
  readonly warnings: readonly { readonly code: string; readonly field: string; readonly detail: string }[];
}

export interface UnderstoodView {
  readonly what: string;
  readonly value: string | null;
  readonly from: string;
}

/** What would come of a message that was only tried. */
export interface Trial {
  /** MSA-1, and its reason where it is refused. */
  readonly answer: string;
  readonly reason: string | null;
  readonly reading: ReadingView | null;
  /** The studies that it names, as they would then be. */
  readonly orders: readonly OrderView[];
}
