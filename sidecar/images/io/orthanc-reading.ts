import type { AxiosRequestConfig } from 'axios';
import pLimit from 'p-limit';
import { z } from 'zod';
import type { DicomBatch } from '../rules/dicom.ts';
import type { SaidTags } from '../rules/said.ts';
import { INSTANCE, instanceOf, isSaidByIndex, SAID, saidOf, tag, type KeptInstance } from './orthanc-instance.ts';

const INSTANCES = z.array(INSTANCE);
const SERIES = z.array(
  z.object({
    ID: z.string(),
    ParentStudy: z.string(),
    MainDicomTags: z.object({ SeriesInstanceUID: tag, Modality: tag, SeriesDescription: tag }),
  }),
);
const STUDIES = z.array(
  z.object({
    ID: z.string(),
    MainDicomTags: z.object({ StudyInstanceUID: tag, AccessionNumber: tag, StudyDate: tag, StudyDescription: tag }),
    PatientMainDicomTags: z.object({
      PatientID: tag,
      IssuerOfPatientID: tag,
      PatientName: tag,
      PatientBirthDate: tag,
      PatientSex: tag,
    }),
  }),
);
/** What a query takes as it is: no wildcard, no list (DICOM PS3.5, section 9). */
const PLAIN_UID = /^[0-9.]{1,64}$/;
const UIDS_AT_ONCE = 100;
const FILES_AT_ONCE = 4;

export interface ReadingParts {
  readonly ask: <T>(what: string, request: AxiosRequestConfig, schema: z.ZodType<T>) => Promise<T>;
  readonly bulk: <T>(level: string, ids: readonly string[], schema: z.ZodType<T[]>) => Promise<T[]>;
}

/** How what instances say, and what Orthanc keeps of their series and studies, is read. */
export function reading({ ask, bulk }: ReadingParts) {
  // Of a series itself Orthanc tells whether it is complete, for which it reads what it knows of each of its images, and
  // more the larger the archive is. Found by their studies they come without.
  const seriesOf = async (studies: readonly z.infer<typeof STUDIES>[number][], wanted: ReadonlySet<string>) => {
    const found: z.infer<typeof SERIES> = [];
    const uids = studies.map(({ MainDicomTags }) => MainDicomTags.StudyInstanceUID);
    const plain = [...new Set(uids.filter((uid) => PLAIN_UID.test(uid)))];
    for (let at = 0; at < plain.length; at += UIDS_AT_ONCE) {
      const Query = { StudyInstanceUID: plain.slice(at, at + UIDS_AT_ONCE).join('\\') };
      const data = { Level: 'Series', Query, Expand: true, ResponseContent: ['MainDicomTags', 'Parent'] };
      found.push(...(await ask('find', { method: 'POST', url: '/tools/find', data }, SERIES)));
    }
    const series = found.filter(({ ID }) => wanted.has(ID));
    const known = new Set(series.map(({ ID }) => ID));
    const missing = [...wanted].filter((id) => !known.has(id));
    return [...series, ...(await bulk('Series', missing, SERIES))];
  };
  const filesAtOnce = pLimit(FILES_AT_ONCE);
  /** By series, what the file of one of its instances says; without those whose file cannot be read. */
  const saidByFiles = async (instances: readonly KeptInstance[]): Promise<ReadonlyMap<string, SaidTags>> => {
    const oneOfEach = new Map(instances.map((one) => [one.ParentSeries, one.ID]));
    const read = [...oneOfEach].map(([seriesId, id]) =>
      filesAtOnce(async () => {
        const said = await ask('tags', { url: `/instances/${id}/simplified-tags` }, SAID).catch(() => null);
        return said === null ? [] : [[seriesId, saidOf(said)] as const];
      }),
    );
    return new Map((await Promise.all(read)).flat());
  };
  return {
    /**
     * Tags of these instances and of their parents; those that are gone are left out. They are from Orthanc's index, except
     * what instances say themselves that were stored before their own tags were kept in it: of these one file of each
     * series is read.
     */
    async readInstances(orthancIds: readonly string[]): Promise<DicomBatch> {
      if (orthancIds.length === 0) return { instances: [], series: [], studies: [] };
      const instances = await bulk('Instance', [...new Set(orthancIds)], INSTANCES);
      const read = await saidByFiles(instances.filter((one) => !isSaidByIndex(one)));
      const wanted = new Set(instances.map(({ ParentSeries }) => ParentSeries));
      const parents = await bulk('Study', [...wanted], STUDIES);
      const studies = [...new Map(parents.map((study) => [study.ID, study])).values()];
      const series = await seriesOf(studies, wanted);
      const [seriesIds, studyIds] = [new Set(series.map(({ ID }) => ID)), new Set(studies.map(({ ID }) => ID))];
      const complete = new Set(series.filter(({ ParentStudy }) => studyIds.has(ParentStudy)).map(({ ID }) => ID));
      return {
        instances: instances
          .filter(({ ParentSeries }) => seriesIds.has(ParentSeries) && complete.has(ParentSeries))
          .map((one) =>
            instanceOf(one, isSaidByIndex(one) ? saidOf(one.MainDicomTags) : (read.get(one.ParentSeries) ?? null)),
          ),
        series: series
          .filter(({ ID }) => complete.has(ID))
          .map(({ ID, ParentStudy, MainDicomTags: tags }) => ({
            orthancId: ID,
            orthancStudyId: ParentStudy,
            seriesInstanceUid: tags.SeriesInstanceUID,
            modality: tags.Modality,
            seriesDescription: tags.SeriesDescription,
          })),
        studies: studies.map(({ ID, MainDicomTags: tags, PatientMainDicomTags: patient }) => ({
          orthancId: ID,
          // Orthanc takes files without one; each of its studies is then one of its own.
          studyInstanceUid: tags.StudyInstanceUID || ID,
          accessionNumber: tags.AccessionNumber,
          patientId: patient.PatientID,
          issuerOfPatientId: patient.IssuerOfPatientID,
          patientName: patient.PatientName,
          patientBirthDate: patient.PatientBirthDate,
          patientSex: patient.PatientSex,
          studyDate: tags.StudyDate,
          studyDescription: tags.StudyDescription,
        })),
      };
    },
  };
}
