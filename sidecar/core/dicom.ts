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

const DATE = /^(\d{4})[.-]?(\d{2})[.-]?(\d{2})$/;

/**
 * A DICOM DA (PS3.5 6.2; ACR-NEMA's dotted form too) or the date part of an HL7 DT as `YYYY-MM-DD`; `null` unless it is
 * a full calendar date after 1850, since a year alone or `00000000` says nothing that may be compared.
 */
export function parseDate(value: string): string | null {
  const [, year = '', month = '', day = ''] = DATE.exec(value.trim()) ?? [];
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day) || Number(year) <= 1850) return null;
  return `${year}-${month}-${day}`;
}
