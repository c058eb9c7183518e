import type { Knex } from 'knex';
import { z } from 'zod';
import { accessionKey, cleanAccession } from '../../ris/rules/accession.ts';
import { type DicomBatch } from '../rules/dicom.ts';
import { mirrorJobs } from './image-rows.ts';
import { imageRow, unsaidStudies } from './said-rows.ts';
import { addJobs, execute, ID_ROW, query } from '../../platform/postgres/query.ts';
import { parseDate } from '../../platform/rules/date.ts';

export const READ_CURSOR = 'SELECT server_id AS "serverId", seq FROM feed_cursor';
export const SAVE_CURSOR = `
INSERT INTO feed_cursor (server_id, seq, updated_at) VALUES (:serverId, :seq, :now)
ON CONFLICT (only_row) DO UPDATE SET server_id = EXCLUDED.server_id, seq = EXCLUDED.seq, updated_at = EXCLUDED.updated_at`;

export const READ_FEED_READ_AT = 'SELECT read_at AS "readAt" FROM feed_cursor';
export const MARK_FEED_READ = 'UPDATE feed_cursor SET read_at = :now';

const CURSOR_ROW = z.object({ serverId: z.string(), seq: z.coerce.number() });

// Served by index dicom_studies_study_instance_uid_key.
export const SAVE_DICOM_STUDIES = `
WITH seen AS (
  SELECT * FROM jsonb_to_recordset(CAST(:studies AS jsonb)) AS r(study_instance_uid text, modalities text[])
)
INSERT INTO dicom_studies AS d (study_instance_uid, modalities)
SELECT study_instance_uid, modalities FROM seen
ON CONFLICT (study_instance_uid) DO UPDATE
  SET modalities = ARRAY(SELECT DISTINCT unnest(d.modalities || EXCLUDED.modalities) ORDER BY 1)
  WHERE NOT d.modalities @> EXCLUDED.modalities
RETURNING d.id`;

// What Orthanc keeps of a study's first instance; another one may be first when it was sent again. `said`: all of this
// batch say it themselves. Programs that sent some of it are added.
// Served by indexes dicom_study_tags_pkey, dicom_studies_study_instance_uid_key.
export const SAVE_TAGS = `
INSERT INTO dicom_study_tags AS t (orthanc_id, dicom_study_id, accession_number, accession_key, patient_id, issuer,
                                   patient_name, patient_birth_date, patient_sex, study_date, study_description,
                                   calling_ae_titles, said)
SELECT r.orthanc_id, d.id, r.accession_number, r.accession_key, r.patient_id, r.issuer, r.patient_name,
       CAST(r.patient_birth_date AS date), r.patient_sex, CAST(r.study_date AS date), r.study_description, r.calling_ae_titles, r.said
FROM jsonb_to_recordset(CAST(:tags AS jsonb))
  AS r(orthanc_id text, study_instance_uid text, accession_number text, accession_key text, patient_id text, issuer text,
       patient_name text, patient_birth_date text, patient_sex text, study_date text, study_description text,
       calling_ae_titles text[], said boolean)
JOIN dicom_studies d ON d.study_instance_uid = r.study_instance_uid
ORDER BY r.orthanc_id
ON CONFLICT (orthanc_id) DO UPDATE
  SET accession_number = EXCLUDED.accession_number, accession_key = EXCLUDED.accession_key, issuer = EXCLUDED.issuer,
      patient_name = EXCLUDED.patient_name, patient_birth_date = EXCLUDED.patient_birth_date,
      patient_sex = EXCLUDED.patient_sex, study_date = EXCLUDED.study_date, study_description = EXCLUDED.study_description,
      calling_ae_titles = CASE WHEN t.calling_ae_titles IS NOT NULL THEN
        ARRAY(SELECT DISTINCT unnest(t.calling_ae_titles || EXCLUDED.calling_ae_titles) ORDER BY 1) END
  WHERE (t.accession_number, t.issuer, t.patient_name, t.patient_birth_date, t.patient_sex, t.study_date, t.study_description)
    IS DISTINCT FROM (EXCLUDED.accession_number, EXCLUDED.issuer, EXCLUDED.patient_name, EXCLUDED.patient_birth_date,
                      EXCLUDED.patient_sex, EXCLUDED.study_date, EXCLUDED.study_description)
    OR NOT t.calling_ae_titles @> EXCLUDED.calling_ae_titles
RETURNING dicom_study_id AS id`;

// Served by indexes series_orthanc_id_key, dicom_studies_study_instance_uid_key.
export const SAVE_SERIES = `
INSERT INTO series AS e (dicom_study_id, study_id, orthanc_id, orthanc_study_id, series_instance_uid, modality, description)
SELECT d.id, d.study_id, r.orthanc_id, r.orthanc_study_id, r.series_instance_uid, r.modality, r.description
FROM jsonb_to_recordset(CAST(:series AS jsonb))
  AS r(orthanc_id text, orthanc_study_id text, study_instance_uid text, series_instance_uid text, modality text,
       description text)
JOIN dicom_studies d ON d.study_instance_uid = r.study_instance_uid
ORDER BY r.orthanc_id
ON CONFLICT (orthanc_id) DO UPDATE SET modality = EXCLUDED.modality, description = EXCLUDED.description
  WHERE (e.modality, e.description) IS DISTINCT FROM (EXCLUDED.modality, EXCLUDED.description)`;

// Written in the order of their index, which is large; numbered, and so mirrored, in the order of the feed.
// Served by indexes images_orthanc_id_key, series_orthanc_id_key.
export const SAVE_IMAGES = `
WITH seen AS MATERIALIZED (
  SELECT nextval('images_id_seq') AS id, *
  FROM jsonb_to_recordset(CAST(:images AS jsonb))
    AS r(orthanc_id text, orthanc_series_id text, sop_instance_uid text, sop_class_uid text, transfer_syntax_uid text,
         instance_number integer, number_of_frames integer, file_uuid text, said_key text, resent_key text)
), added AS (
  INSERT INTO images (id, series_id, orthanc_id, sop_instance_uid, sop_class_uid, transfer_syntax_uid, instance_number,
                      number_of_frames, file_uuid, said_key, resent_key)
  OVERRIDING SYSTEM VALUE
  SELECT r.id, s.id, r.orthanc_id, r.sop_instance_uid, r.sop_class_uid, r.transfer_syntax_uid, r.instance_number,
         r.number_of_frames, r.file_uuid, r.said_key, r.resent_key
  FROM seen r JOIN series s ON s.orthanc_id = r.orthanc_series_id
  ORDER BY r.orthanc_id
  ON CONFLICT (orthanc_id) DO NOTHING
  RETURNING id
), jobs AS MATERIALIZED (${mirrorJobs('added')})
${addJobs('(SELECT count(*) FROM added)')}`;

/** Where the feed has come to, outside any transaction; `null` before the first page. */
export async function readCursor(db: Knex): Promise<{ serverId: string; seq: number } | null> {
  return (await query(db, READ_CURSOR, {}, CURSOR_ROW))[0] ?? null;
}

/** When the feed was last read to its end, by this process or another; `null` before the first time. */
export async function feedReadAt(db: Knex): Promise<Date | null> {
  const row = z.object({ readAt: z.date().nullable() });
  return (await query(db, READ_FEED_READ_AT, {}, row))[0]?.readAt ?? null;
}

export async function markFeedRead(db: Knex, now: Date): Promise<void> {
  await execute(db, MARK_FEED_READ, { now });
}

/** The statements of the feed inside one transaction. */
export function feedStatements(trx: Knex.Transaction) {
  return {
    readCursor: () => readCursor(trx),

    saveCursor: (serverId: string, seq: number, now: Date) => execute(trx, SAVE_CURSOR, { serverId, seq, now }),

    async saveStudies(batch: DicomBatch): Promise<string[]> {
      const uidOf = new Map(batch.studies.map((study) => [study.orthancId, study.studyInstanceUid]));
      const modalities = Map.groupBy(batch.series, (series) => uidOf.get(series.orthancStudyId) ?? '');
      const studies = [...new Set(uidOf.values())].sort().map((uid) => ({
        study_instance_uid: uid,
        modalities: [
          ...new Set((modalities.get(uid) ?? []).map(({ modality }) => modality).filter((modality) => modality !== '')),
        ].sort(),
      }));
      const studyOf = new Map(batch.series.map((series) => [series.orthancId, series.orthancStudyId]));
      const instances = Map.groupBy(batch.instances, ({ orthancSeriesId }) => studyOf.get(orthancSeriesId) ?? '');
      const unsaid = unsaidStudies(batch);
      const tags = batch.studies.map((study) => ({
        orthanc_id: study.orthancId,
        study_instance_uid: study.studyInstanceUid,
        accession_number: cleanAccession(study.accessionNumber),
        accession_key: accessionKey(study.accessionNumber),
        patient_id: study.patientId,
        issuer: study.issuerOfPatientId,
        patient_name: study.patientName,
        patient_birth_date: parseDate(study.patientBirthDate),
        patient_sex: study.patientSex,
        study_date: parseDate(study.studyDate),
        study_description: study.studyDescription,
        calling_ae_titles: [
          ...new Set((instances.get(study.orthancId) ?? []).map(({ callingAeTitle = '' }) => callingAeTitle)),
        ].sort(),
        said: !unsaid.has(study.orthancId),
      }));
      const changed = await query(trx, SAVE_DICOM_STUDIES, { studies: JSON.stringify(studies) }, ID_ROW);
      const learned = await query(trx, SAVE_TAGS, { tags: JSON.stringify(tags) }, ID_ROW);
      return [...new Set([...changed, ...learned].map(({ id }) => id))];
    },

    async saveImages(batch: DicomBatch): Promise<number> {
      const uidOf = new Map(batch.studies.map((study) => [study.orthancId, study.studyInstanceUid]));
      const series = batch.series.map((one) => ({
        orthanc_id: one.orthancId,
        orthanc_study_id: one.orthancStudyId,
        study_instance_uid: uidOf.get(one.orthancStudyId),
        series_instance_uid: one.seriesInstanceUid,
        modality: one.modality,
        description: one.seriesDescription,
      }));
      const images = batch.instances.map(imageRow);
      await execute(trx, SAVE_SERIES, { series: JSON.stringify(series) });
      const [added] = await query(
        trx,
        SAVE_IMAGES,
        { images: JSON.stringify(images) },
        z.object({ count: z.coerce.number() }),
      );
      return added?.count ?? 0;
    },
  };
}
