import { createHash } from 'node:crypto';
import type { DicomBatch, DicomStudy } from '../images/rules/dicom.ts';
import { saidAccessions } from '../images/rules/said.ts';
import type { BenchStudy } from './bench/data.ts';

/** What a study says of itself beside its identifiers. */
export type SeenTags = Omit<DicomStudy, 'orthancId' | 'studyInstanceUid'>;

const orthancId = (text: string): string =>
  (createHash('sha1').update(text).digest('hex').match(/.{8}/g) ?? []).join('-');

const tagsOf = ({ patient, order, studyDate }: BenchStudy): SeenTags => ({
  accessionNumber: order.accessionNumber,
  patientId: patient.id,
  issuerOfPatientId: 'AXIS',
  patientName: patient.name,
  patientBirthDate: patient.birthDate ?? '',
  patientSex: patient.sex ?? '',
  studyDate,
  studyDescription: order.procedure,
});

/** What Orthanc gives of these studies, each a series of so many images, but that all say `as` of themselves. */
export function dicomBatch(studies: readonly BenchStudy[], images: number, as: Partial<SeenTags> = {}): DicomBatch {
  const of = studies.map((study) => {
    const uid = study.studyInstanceUid;
    const seriesUid = `${uid}.1`;
    const tags = { ...tagsOf(study), ...as };
    const said = { ...tags, accessionNumbers: saidAccessions(tags.accessionNumber, []) };
    const [orthancStudyId, orthancSeriesId] = [orthancId(uid), orthancId(seriesUid)];
    return {
      study: { orthancId: orthancStudyId, studyInstanceUid: uid, ...tags },
      series: {
        orthancId: orthancSeriesId,
        orthancStudyId,
        seriesInstanceUid: seriesUid,
        modality: 'CT',
        seriesDescription: 'AXIAL',
      },
      instances: Array.from({ length: images }, (_, at) => ({
        orthancId: orthancId(`${seriesUid}.${at}`),
        orthancSeriesId,
        sopInstanceUid: `${seriesUid}.${at}`,
        sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
        transferSyntaxUid: '1.2.840.10008.1.2.1',
        instanceNumber: at + 1,
        numberOfFrames: 1,
        modifiedFrom: null,
        fileUuid: '1',
        said,
        resent: null,
      })),
    };
  });
  return {
    studies: of.map(({ study }) => study),
    series: of.map(({ series }) => series),
    instances: of.flatMap(({ instances }) => instances),
  };
}
