import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ContentsDigest } from './contents-digest.ts';
import { cleanTag, type DicomInstance, type Resent } from '../rules/dicom.ts';
import { saidAccessions, type SaidTags } from '../rules/said.ts';

/** A tag's text, cleaned; `''` where it is absent, empty or no text. */
export const tag = z
  .unknown()
  .optional()
  .transform((value) => (typeof value === 'string' ? cleanTag(value) : ''));

const wholeNumber = (text: string): number | null => (/^[+-]?\d{1,9}$/.test(text) ? Number(text) : null);

const ACCESSION = z.object({ AccessionNumber: tag });

/** As Orthanc simplifies the tags of a file, or gives those that it keeps of an instance. */
export const SAID = z.object({
  AccessionNumber: tag,
  RequestAttributesSequence: z.array(ACCESSION).catch([]),
  PatientID: tag,
  IssuerOfPatientID: tag,
  PatientName: tag,
  PatientBirthDate: tag,
  PatientSex: tag,
  StudyDate: tag,
});

export const saidOf = (tags: z.output<typeof SAID>): SaidTags => ({
  accessionNumbers: saidAccessions(
    tags.AccessionNumber,
    tags.RequestAttributesSequence.map(({ AccessionNumber }) => AccessionNumber),
  ),
  patientId: tags.PatientID,
  issuerOfPatientId: tags.IssuerOfPatientID,
  patientName: tags.PatientName,
  patientBirthDate: tags.PatientBirthDate,
  patientSex: tags.PatientSex,
  studyDate: tags.StudyDate,
});

/** As in that filter. */
const MOST_TOLD = 8;

/** Where `orthanc/filter.lua` tells of files that came again. */
export const RESENT_METADATA = '5017';

/** What of an instance Orthanc must have kept in its index (ExtraMainDicomTags), so that its file need not be read. */
const KEPT = ['0008,0020', '0008,0050', '0010,0010', '0010,0020', '0010,0021', '0010,0030', '0010,0040', '0040,0275'];

export const INSTANCE = z.object({
  ID: z.string(),
  FileUuid: z.string().default(''),
  ParentSeries: z.string(),
  MainDicomTags: z.object({ SOPInstanceUID: tag, InstanceNumber: tag, NumberOfFrames: tag, ...SAID.shape }),
  Metadata: z.object({
    SopClassUid: tag,
    TransferSyntax: tag,
    ModifiedFrom: tag,
    RemoteAET: tag,
    MainDicomTagsSignature: z.string().default(''),
    [RESENT_METADATA]: z.string().optional(),
  }),
});

export type KeptInstance = z.output<typeof INSTANCE>;

/** Whether Orthanc's index has all that the instance says itself. */
export function isSaidByIndex({ Metadata }: KeptInstance): boolean {
  const kept = new Set(Metadata.MainDicomTagsSignature.split(';'));
  return KEPT.every((name) => kept.has(name));
}

const TOLD = z.array(
  z.looseObject({
    differs: z.array(z.string()).catch([]),
    digest: z.string().optional(),
    said: z
      .object({ ...SAID.omit({ RequestAttributesSequence: true }).shape, RequestedAccessionNumbers: tag })
      .optional(),
  }),
);

function readTold(text: string): z.output<typeof TOLD> | null {
  try {
    return TOLD.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** What was told of files that came again, and what the last of them says in the place of `said`. */
export function resentOf(text: string | undefined, said: SaidTags | null) {
  if (text === undefined) return { resent: null, said };
  const told = readTold(text) ?? [{ differs: ['file'] }];
  const last = told.findLast((one) => one.said !== undefined)?.said;
  const resent: Resent = {
    key: createHash('md5').update(text).digest('hex'),
    fields: [...new Set(told.flatMap(({ differs }) => differs))].sort(),
  };
  if (last === undefined || said === null) return { resent, said };
  const { RequestedAccessionNumbers: requested, ...tags } = last;
  const sequence = { RequestAttributesSequence: [{ AccessionNumber: requested }] };
  // A file with another Patient ID would not be of this instance.
  return { resent, said: { ...saidOf({ ...tags, ...sequence }), patientId: said.patientId } };
}

/**
 * In what the file that came last differs, after what was told of it; `other`: its contents are others than those that are
 * stored, which a filter cannot see. `tell`: what is to be told in the place of `text`, `null` for the same.
 */
export function differencesTold(text: string, other: ContentsDigest | null) {
  const told = text === '' ? [] : (readTold(text) ?? [{ differs: ['file'] }]);
  const fields = told.findLast((one) => one.digest === undefined)?.differs ?? [];
  if (other === null) return { fields, tell: null };
  const mine = other.hasPixels ? 'PixelData' : 'file';
  const isNew = !told.some(({ digest }) => digest === other.contents);
  const more = { differs: [mine], digest: other.contents };
  return {
    fields: [...new Set([...fields, mine])],
    tell: isNew ? JSON.stringify([...told.slice(1 - MOST_TOLD), more]) : null,
  };
}

/** An instance; `said` is what its own file says. */
export function instanceOf(kept: KeptInstance, said: SaidTags | null): DicomInstance {
  const { ID, FileUuid, ParentSeries, MainDicomTags: tags, Metadata } = kept;
  return {
    orthancId: ID,
    orthancSeriesId: ParentSeries,
    sopInstanceUid: tags.SOPInstanceUID,
    sopClassUid: Metadata.SopClassUid,
    transferSyntaxUid: Metadata.TransferSyntax,
    instanceNumber: wholeNumber(tags.InstanceNumber),
    numberOfFrames: Math.max(1, wholeNumber(tags.NumberOfFrames) ?? 1),
    callingAeTitle: Metadata.RemoteAET,
    modifiedFrom: Metadata.ModifiedFrom || null,
    fileUuid: FileUuid,
    ...resentOf(Metadata[RESENT_METADATA], said),
  };
}
