import type { SaidTags } from './said.ts';

/** A DICOM study as one Orthanc study holds it: the tags that matching reads. `''` is an absent or empty tag. */
export interface DicomStudy {
  readonly orthancId: string;
  readonly studyInstanceUid: string;
  readonly accessionNumber: string;
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
  /** Orthanc's name of its file: another one is another file under the same identifiers. */
  readonly fileUuid: string;
  /** What it says itself, as the file says that came last under its identifiers; `null` where that is not known. */
  readonly said: SaidTags | null;
  /** Files that came again under its identifiers and were not the same; `null` where none did. */
  readonly resent: Resent | null;
}

/** What Orthanc was told of files that came again under the identifiers of one that is there. */
export interface Resent {
  /** Changes with what was told. */
  readonly key: string;
  /** In what they differ from the file that is there: DICOM keywords, or `file` where only its bytes tell. */
  readonly fields: readonly string[];
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

/** Changes with the file of an instance, and with what Orthanc was told of files that came again. */
export const versionOf = (fileUuid: string, resentKey: string): string => `${fileUuid} ${resentKey}`;
