import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import { z } from 'zod';
import { accessionKey } from '../../ris/rules/accession.ts';
import type { DicomBatch, DicomInstance } from '../rules/dicom.ts';
import type { SaidTags } from '../rules/said.ts';
import { KEEP_CLAIMS, REMOVE_UNSAID } from './deleted-rows.ts';
import { mirrorJobs } from './image-rows.ts';
import { ADD_JOBS, execute, ID_ROW, query } from '../../platform/postgres/query.ts';
import { parseDate } from '../../platform/rules/date.ts';

// What is known of an image that Orthanc tells of once more. A row of the version before has no file: it is filled in.
// Served by indexes images_orthanc_id_key, series_pkey.
export const TAKE_AGAIN = `
WITH told AS (
  SELECT * FROM jsonb_to_recordset(CAST(:images AS jsonb))
    AS r(orthanc_id text, sop_class_uid text, transfer_syntax_uid text, instance_number integer, number_of_frames integer,
         file_uuid text, said_key text, resent_key text, fields text[])
), known AS MATERIALIZED (
  SELECT i.id, coalesce(i.file_uuid <> r.file_uuid, false) AS stored,
         coalesce(i.file_uuid <> r.file_uuid OR i.resent_key <> r.resent_key, false) AS another, r.*,
         coalesce(r.said_key, CASE WHEN i.file_uuid = r.file_uuid THEN i.said_key END) AS says, i.series_id
  FROM told r CROSS JOIN LATERAL (
    SELECT id, series_id, file_uuid, said_key, resent_key FROM images WHERE orthanc_id = r.orthanc_id OFFSET 0
  ) i
  WHERE (i.file_uuid, i.resent_key) IS DISTINCT FROM (r.file_uuid, r.resent_key)
     OR (r.said_key IS NOT NULL AND i.said_key IS DISTINCT FROM r.said_key)
), brought AS (
  UPDATE images i
  SET file_uuid = k.file_uuid, said_key = k.says, resent_key = k.resent_key, sop_class_uid = k.sop_class_uid,
      transfer_syntax_uid = k.transfer_syntax_uid, instance_number = k.instance_number, number_of_frames = k.number_of_frames,
      mirror_status = CASE WHEN k.stored THEN 'pending' ELSE i.mirror_status END,
      mirror_reason = CASE WHEN k.stored THEN NULL ELSE i.mirror_reason END,
      image_url = CASE WHEN k.stored THEN NULL ELSE i.image_url END,
      thumbnail_url = CASE WHEN k.stored THEN NULL ELSE i.thumbnail_url END,
      mirrored_at = CASE WHEN k.stored THEN NULL ELSE i.mirrored_at END,
      render_begun = CASE WHEN k.stored THEN 0 ELSE i.render_begun END
  FROM known k WHERE i.id = k.id
), outdated AS (
  DELETE FROM image_differences f USING known k WHERE f.orthanc_id = k.orthanc_id AND k.stored AND k.fields = '{}'
)
SELECT DISTINCT k.orthanc_id AS "orthancId", CAST(k.id AS text) AS id, k.stored, k.another, CAST(s.dicom_study_id AS text) AS "dicomStudyId"
FROM known k JOIN series s ON s.id = k.series_id`;

const KNOWN_ROW = z.object({
  orthancId: z.string(),
  id: z.string(),
  stored: z.boolean(),
  another: z.boolean(),
  dicomStudyId: z.string(),
});

export const DRAW_AGAIN = `
WITH again AS (SELECT unnest(CAST(:ids AS bigint[])) AS id), jobs AS MATERIALIZED (${mirrorJobs('again')})
${ADD_JOBS}`;

// What was seen of it before counts for nothing when more came.
export const NOTE_DIFFERENCES = `
INSERT INTO image_differences AS f (orthanc_id, fields, noted_at)
SELECT r.orthanc_id, r.fields, :now FROM jsonb_to_recordset(CAST(:images AS jsonb)) AS r(orthanc_id text, fields text[])
WHERE EXISTS (SELECT 1 FROM images i WHERE i.orthanc_id = r.orthanc_id)
ON CONFLICT (orthanc_id) DO UPDATE SET fields = EXCLUDED.fields, noted_at = EXCLUDED.noted_at, seen_by = NULL, seen_at = NULL`;

// Served by index dicom_study_tags_pkey.
export const SAVE_SAID = `
INSERT INTO seen_tags (orthanc_id, said_key, accession_key, accession_number, dicom_study_id, patient_id, issuer,
                       patient_name, patient_birth_date, patient_sex, study_date, study_description)
SELECT r.orthanc_id, r.said_key, n.key, n.number, t.dicom_study_id, r.patient_id, r.issuer, r.patient_name,
       CAST(r.patient_birth_date AS date), r.patient_sex, CAST(r.study_date AS date), t.study_description
FROM jsonb_to_recordset(CAST(:said AS jsonb))
  AS r(orthanc_id text, said_key text, numbers jsonb, patient_id text, issuer text, patient_name text,
       patient_birth_date text, patient_sex text, study_date text)
JOIN dicom_study_tags t ON t.orthanc_id = r.orthanc_id
CROSS JOIN LATERAL jsonb_to_recordset(r.numbers) AS n(key text, number text)
ORDER BY r.orthanc_id, r.said_key, n.key
ON CONFLICT (orthanc_id, said_key, accession_key) DO NOTHING
RETURNING dicom_study_id AS id`;

// Whether what Orthanc keeps of the first instance still counts: while there is one of which nothing else is known.
// Served by indexes dicom_study_tags_pkey, series_orthanc_study.
export const TELL_SAID = `
UPDATE dicom_study_tags t SET said = NOT t.said
FROM jsonb_to_recordset(CAST(:studies AS jsonb)) AS r(orthanc_id text, said boolean)
WHERE t.orthanc_id = r.orthanc_id AND t.said <> (r.said AND NOT EXISTS (
  SELECT 1 FROM (SELECT id FROM series WHERE orthanc_study_id = t.orthanc_id OFFSET 0) s
  CROSS JOIN LATERAL (SELECT 1 FROM images WHERE series_id = s.id AND said_key IS NULL LIMIT 1) i))
RETURNING t.dicom_study_id AS id`;

/** The Orthanc ids of the studies of a batch of which an instance is whose own words are not known. */
export function unsaidStudies(batch: DicomBatch): ReadonlySet<string> {
  const studyOf = new Map(batch.series.map((series) => [series.orthancId, series.orthancStudyId]));
  const unsaid = batch.instances.filter(({ said }) => said === null);
  return new Set(unsaid.map(({ orthancSeriesId }) => studyOf.get(orthancSeriesId) ?? ''));
}

const keys = new WeakMap<SaidTags, string>();

/** The same for the same words, whatever instance says them. */
function saidKey(said: SaidTags): string {
  const before = keys.get(said);
  if (before !== undefined) return before;
  const { accessionNumbers, ...rest } = said;
  const words = [
    ...accessionNumbers.map(accessionKey).sort(),
    rest.patientId,
    rest.issuerOfPatientId,
    rest.patientName,
  ];
  const all = JSON.stringify([words, rest.patientBirthDate, rest.patientSex, rest.studyDate]);
  const key = createHash('md5').update(all).digest('hex');
  keys.set(said, key);
  return key;
}

/** An instance as its row is written. */
export function imageRow(one: DicomInstance) {
  return {
    orthanc_id: one.orthancId,
    orthanc_series_id: one.orthancSeriesId,
    sop_instance_uid: one.sopInstanceUid,
    sop_class_uid: one.sopClassUid,
    transfer_syntax_uid: one.transferSyntaxUid,
    instance_number: one.instanceNumber,
    number_of_frames: one.numberOfFrames,
    file_uuid: one.fileUuid,
    said_key: one.said === null ? null : saidKey(one.said),
    resent_key: one.resent?.key ?? '',
    fields: one.resent?.fields ?? [],
  };
}

// An image that is new may have come twice already.
export const NOTE_FIRST_DIFFERENCES = NOTE_DIFFERENCES.replace(/DO UPDATE[^]*$/, 'DO NOTHING');

const list = (ids: readonly string[]): string => `{${ids.join(',')}}`;

/** The statements of what instances say themselves, inside one transaction. */
export function saidStatements(trx: Knex.Transaction) {
  return {
    async takeAgain(batch: DicomBatch, now: Date): Promise<{ dicomStudyIds: string[]; stored: string[] }> {
      const images = batch.instances.map(imageRow);
      const known = await query(trx, TAKE_AGAIN, { images: JSON.stringify(images) }, KNOWN_ROW);
      const stored = known.filter((one) => one.stored);
      const changed = new Set(known.map(({ orthancId }) => orthancId));
      const differ = images.filter(({ orthanc_id: id, fields }) => changed.has(id) && fields.length > 0);
      const another = new Set(known.filter((one) => one.another).map(({ dicomStudyId }) => dicomStudyId));
      if (another.size > 0) await execute(trx, KEEP_CLAIMS, { ids: list([...another]) });
      if (stored.length > 0) await execute(trx, DRAW_AGAIN, { ids: list(stored.map(({ id }) => id).sort()) });
      if (differ.length > 0) await execute(trx, NOTE_DIFFERENCES, { images: JSON.stringify(differ), now });
      return {
        dicomStudyIds: [...new Set(known.map(({ dicomStudyId }) => dicomStudyId))],
        stored: stored.map(({ orthancId }) => orthancId),
      };
    },

    async noteFirstDifferences(batch: DicomBatch, now: Date): Promise<void> {
      const differ = batch.instances.map(imageRow).filter(({ fields }) => fields.length > 0);
      if (differ.length > 0) await execute(trx, NOTE_FIRST_DIFFERENCES, { images: JSON.stringify(differ), now });
    },

    async saveSaid(batch: DicomBatch, changed: readonly string[]): Promise<string[]> {
      const studyOf = new Map(batch.series.map((series) => [series.orthancId, series.orthancStudyId]));
      const sets = new Map<string, { study: string; said: SaidTags }>();
      for (const { said, orthancSeriesId } of batch.instances) {
        const study = studyOf.get(orthancSeriesId);
        if (said !== null && study !== undefined) sets.set(`${study} ${saidKey(said)}`, { study, said });
      }
      const rows = [...sets.values()].map(({ study, said }) => {
        const numbers = said.accessionNumbers.map((number) => ({ key: accessionKey(number), number }));
        return {
          orthanc_id: study,
          said_key: saidKey(said),
          numbers: numbers.length > 0 ? numbers : [{ key: '', number: '' }],
          patient_id: said.patientId,
          issuer: said.issuerOfPatientId,
          patient_name: said.patientName,
          patient_birth_date: parseDate(said.patientBirthDate),
          patient_sex: said.patientSex,
          study_date: parseDate(said.studyDate),
        };
      });
      const unsaid = unsaidStudies(batch);
      const studies = batch.studies.map(({ orthancId }) => ({ orthanc_id: orthancId, said: !unsaid.has(orthancId) }));
      const forgotten = changed.length === 0 ? [] : await query(trx, REMOVE_UNSAID, { ids: list(changed) }, ID_ROW);
      const learned = await query(trx, SAVE_SAID, { said: JSON.stringify(rows) }, ID_ROW);
      const told = await query(trx, TELL_SAID, { studies: JSON.stringify(studies) }, ID_ROW);
      return [...new Set([...forgotten, ...learned, ...told].map(({ id }) => id))];
    },
  };
}
