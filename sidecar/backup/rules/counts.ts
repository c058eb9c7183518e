/** A label in Orthanc that is not the sidecar's own: somebody put it there. */
export interface PersonLabel {
  readonly level: 'Patient' | 'Study' | 'Series' | 'Instance';
  readonly orthancId: string;
  readonly label: string;
}

/** What lies in a snapshot beside the dump and says what that is. */
export interface Manifest {
  readonly version: 1;
  /** When the dump was begun, by the database's clock: nothing later is promised to be in it. */
  readonly takenAt: string;
  /** The storage folder's path at that time. */
  readonly storage: string;
  /** SHA-256 of the files beside it. */
  readonly sha256: Readonly<Record<string, string>>;
  /** `null` where Orthanc could not say which there are. */
  readonly labels: readonly PersonLabel[] | null;
}

export interface Snapshot {
  readonly id: string;
  readonly at: Date;
  /** Whether its run came to its end; another one may lack something. */
  readonly verified: boolean;
}

/** One restored file and what became of it. */
export interface NotRestored {
  /** The attachment's UUID, its name in the storage folder. */
  readonly file: string;
  readonly reason: string;
}

export interface ImportCounts {
  /** DICOM files that Orthanc has now. */
  readonly images: number;
  /** Attachments that are no DICOM files: made anew, or lost where a person attached them. */
  readonly otherFiles: number;
  /** DICOM files that Orthanc did not take, and files that the repository could not give back whole. */
  readonly notRestored: readonly NotRestored[];
  readonly labels: number;
  /** Labels of what is not there any more. */
  readonly labelsLost: number;
}

/** What is missing now, as far as anything that is left knows. */
export interface Missing {
  /** The moment of the restored backup; what came later is not in it. */
  readonly takenAt: string;
  /** What each sender's last message was: what it sent after that must be sent again. */
  readonly lastMessages: readonly {
    readonly sender: string;
    readonly controlId: string;
    readonly receivedAt: string;
  }[];
  /** Images that the database knows and Orthanc does not have, by their study. */
  readonly withoutFile: readonly { readonly studyInstanceUid: string; readonly images: number }[];
  /**
   * Orthanc's ids of images of which nothing is left but a rendering: they came after the backup. `null` where Blob
   * storage was not asked, or could not be.
   */
  readonly onlyRendered: readonly string[] | null;
  /** The failure's code where Blob storage could not be asked. */
  readonly blobFailure: string | null;
  /** Images that Orthanc has and the database does not know: the sidecar takes them by itself. */
  readonly toBeTaken: number;
  /** Images whose rendering or thumbnail Blob storage lost: the sidecar makes them again by itself. */
  readonly toBeDrawn: number;
}

/** File names begin with it, as Orthanc lays its storage folder out: /ab/cd/abcd… */
const STORED = /^\/([0-9a-f]{2})\/([0-9a-f]{2})\/\1\2[0-9a-f]{4}-[0-9a-f-]{27}$/;

/** Whether a path, from the storage folder on, is one of an attachment. */
export function isAttachment(path: string): boolean {
  return STORED.test(path);
}

/**
 * Whether a file of the storage folder begins as DICOM does: by its prefix (PS3.10, 7.1) or, as Orthanc takes too, without
 * a preamble with the group 0002 or 0008. All else Orthanc must not be given: of an archive (ZIP) it takes what is in it.
 */
export function looksLikeDicom(start: Uint8Array): boolean {
  const text = (from: number): string => String.fromCharCode(...start.subarray(from, from + 4));
  if (start.length >= 132 && text(128) === 'DICM') return true;
  return start.length >= 8 && (start[0] === 2 || start[0] === 8) && start[1] === 0 && start[3] === 0;
}
