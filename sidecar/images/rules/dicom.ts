/** A DICOM study as one Orthanc study holds it: the tags that matching reads. `''` is an absent or empty tag. */
export interface DicomStudy {
  readonly orthancId: string;
  readonly studyInstanceUid: string;
  readonly accessionNumber: string;
  /** What the Request Attributes Sequence (0040,0275) names, of each series that has one. */
  readonly requestedAccessionNumbers?: readonly (readonly string[])[];
  readonly patientId: string;
  readonly issuerOfPatientId: string;
  readonly patientName: string;
  readonly patientBirthDate: string;
  readonly patientSex: string;
  readonly studyDate: string;
  readonly studyDescription: string;
}

export interface DicomSeries {
  readonly orthancId: string;
  readonly orthancStudyId: string;
  readonly seriesInstanceUid: string;
  readonly modality: string;
  readonly seriesDescription: string;
}

export interface DicomInstance {
  readonly orthancId: string;
  readonly orthancSeriesId: string;
  readonly sopInstanceUid: string;
  readonly sopClassUid: string;
  readonly transferSyntaxUid: string;
  readonly instanceNumber: number | null;
  readonly numberOfFrames: number;
  /** The AE title of the program that sent it; `''` where none is known. */
  readonly callingAeTitle?: string;
  /** Orthanc's id of the instance that this one was made from by a modification in Orthanc, which may delete that. */
  readonly modifiedFrom: string | null;
}

/** Instances with the series and studies they belong to; every parent of a listed resource is listed too. */
export interface DicomBatch {
  readonly studies: readonly DicomStudy[];
  readonly series: readonly DicomSeries[];
  readonly instances: readonly DicomInstance[];
}

const MAX_TAG_LENGTH = 1024;

/**
 * A tag's text as the database can hold it: no NULs, no lone surrogates, no surrounding blanks (PS3.5 6.2: padding),
 * at most 1,024 characters. Total: any string gives one.
 */
export function cleanTag(value: string): string {
  return value.replaceAll('\0', '').toWellFormed().trim().slice(0, MAX_TAG_LENGTH).toWellFormed();
}
