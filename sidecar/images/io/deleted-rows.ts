import { LOOK_FOR_DELETED, REMOVE_BLOBS } from '../rules/job-names.ts';
import type { Knex } from 'knex';
import { z } from 'zod';
import { mirrorJobs } from './image-rows.ts';
import { ADD_JOBS, BLOB_FLAG, execute, ID_ROW, query } from '../../platform/postgres/query.ts';

// Not at once: a modification in Orthanc deletes what it was made from at its end.
// Served by indexes images_orthanc_id_key, series_pkey.
export const ADD_LOOKS = `
WITH jobs AS MATERIALIZED (
  SELECT array_agg(ROW('${LOOK_FOR_DELETED}', json_build_object('dicomStudyId', CAST(id AS text), 'look', 0), NULL,
                       CAST(:at AS timestamptz), NULL, '${LOOK_FOR_DELETED}:' || id, 0, NULL)::graphile_worker.job_spec) AS specs
  FROM (
    SELECT DISTINCT s.dicom_study_id AS id FROM images i JOIN series s ON s.id = i.series_id
    WHERE i.orthanc_id = ANY (CAST(:sources AS text[]))
  ) AS modified
)
${ADD_JOBS}`;

// Served by indexes images_orthanc_id_key, series_pkey, dicom_studies_pkey.
export const MOVE_DELETED_IMAGES = `
WITH gone AS (
  DELETE FROM images i USING series s, dicom_studies d
  WHERE i.orthanc_id = ANY (CAST(:orthancIds AS text[])) AND s.id = i.series_id AND d.id = s.dicom_study_id
  RETURNING i.orthanc_id, i.sop_instance_uid, s.series_instance_uid, d.study_instance_uid, i.image_url, i.thumbnail_url,
            d.id AS dicom_study_id
), kept AS (
  INSERT INTO deleted_images (orthanc_id, sop_instance_uid, series_instance_uid, study_instance_uid, image_url,
                              thumbnail_url, deleted_at)
  SELECT orthanc_id, sop_instance_uid, series_instance_uid, study_instance_uid, image_url, thumbnail_url, :now FROM gone
)
SELECT DISTINCT dicom_study_id AS id FROM gone`;

// Of images in review or contested, and those that a person took away from. What else a person linked it to has its images.
// Served by indexes dicom_studies_pkey, dicom_study_links_pkey.
export const KEEP_CLAIMS = `
WITH touched AS MATERIALIZED (
  SELECT id, CASE WHEN status = 'linked' AND (contested IS NULL OR shown IS NULL) THEN ARRAY(
           SELECT unnest(candidate_ids) EXCEPT SELECT study_id FROM dicom_study_links l WHERE l.dicom_study_id = d.id)
         ELSE candidate_ids END AS claims
  FROM dicom_studies d
  WHERE id = ANY (CAST(:ids AS bigint[])) AND (status = 'review' OR (status IN ('provisional', 'linked') AND rule = 'person'))
)
UPDATE dicom_studies d SET kept_claims = ARRAY(SELECT DISTINCT unnest(d.kept_claims || t.claims) ORDER BY 1)
FROM touched t
WHERE d.id = t.id AND NOT d.kept_claims @> t.claims`;

export const ADD_BLOB_JOBS = `
WITH jobs AS MATERIALIZED (
  SELECT array_agg(ROW('${REMOVE_BLOBS}', json_build_object('orthancId', id), NULL, NULL, NULL, '${REMOVE_BLOBS}:' || id, 0,
                       ARRAY['${BLOB_FLAG}'])::graphile_worker.job_spec) AS specs
  FROM unnest(CAST(:orthancIds AS text[])) AS id
)
${ADD_JOBS}`;

// Served by indexes series_dicom_study, images_series.
export const REMOVE_EMPTY_SERIES = `
DELETE FROM series s
WHERE s.dicom_study_id = ANY (CAST(:ids AS bigint[])) AND NOT EXISTS (SELECT 1 FROM images i WHERE i.series_id = s.id)`;

// Served by indexes dicom_study_tags_study, series_orthanc_study.
export const REMOVE_EMPTY_TAGS = `
DELETE FROM dicom_study_tags t
WHERE t.dicom_study_id = ANY (CAST(:ids AS bigint[]))
  AND NOT EXISTS (SELECT 1 FROM series s WHERE s.orthanc_study_id = t.orthanc_id)`;

// What only images said that are gone. Served by indexes seen_tags_study, series_orthanc_study, images_series.
export const REMOVE_UNSAID = `
DELETE FROM seen_tags t
WHERE t.dicom_study_id = ANY (CAST(:ids AS bigint[])) AND t.said_key <> '' AND NOT EXISTS (
  SELECT 1 FROM series s JOIN images i ON i.series_id = s.id
  WHERE s.orthanc_study_id = t.orthanc_id AND i.said_key = t.said_key)
RETURNING t.dicom_study_id AS id`;

// Served by indexes dicom_study_tags_study, series_orthanc_study, images_unsaid.
const TELL_ALL_SAID = `
UPDATE dicom_study_tags t SET said = true
WHERE t.dicom_study_id = ANY (CAST(:ids AS bigint[])) AND NOT t.said AND NOT EXISTS (
  SELECT 1 FROM (SELECT id FROM series WHERE orthanc_study_id = t.orthanc_id OFFSET 0) s
  CROSS JOIN LATERAL (SELECT 1 FROM images WHERE series_id = s.id AND said_key IS NULL LIMIT 1) i)`;

export const KEEP_MODALITIES = `
UPDATE dicom_studies d SET modalities = ARRAY(
  SELECT DISTINCT s.modality FROM series s WHERE s.dicom_study_id = d.id AND s.modality <> '' ORDER BY 1)
WHERE d.id = ANY (CAST(:ids AS bigint[]))`;

// Served by indexes dicom_studies_pkey, dicom_study_tags_study, dicom_study_links_pkey.
export const MARK_DELETED = `
WITH emptied AS MATERIALIZED (
  SELECT d.id, array_remove(d.candidate_ids || d.study_id, NULL) AS studies
  FROM dicom_studies d
  WHERE d.id = ANY (CAST(:ids AS bigint[])) AND d.status IS DISTINCT FROM 'deleted'
    AND NOT EXISTS (SELECT 1 FROM dicom_study_tags t WHERE t.dicom_study_id = d.id)
), marked AS (
  UPDATE dicom_studies d
  SET study_id = NULL, status = 'deleted', rule = 'not-in-orthanc', reason = NULL, candidate_ids = '{}',
      decided_by = 'rules', decided_at = :now, shown = NULL, contested = NULL, contested_at = NULL,
      kept_decision = CASE WHEN d.decided_by <> 'rules' AND d.rule = 'person' THEN jsonb_build_object(
        'status', d.status, 'studyId', CAST(d.study_id AS text), 'reason', d.reason, 'shown', d.shown,
        'candidateIds', CAST(d.candidate_ids AS text[]), 'decidedBy', d.decided_by, 'decidedAt', d.decided_at,
        'alsoStudyIds', ARRAY(SELECT CAST(l.study_id AS text) FROM dicom_study_links l
                              WHERE l.dicom_study_id = d.id AND l.study_id <> d.study_id ORDER BY l.study_id)) END
  FROM emptied WHERE d.id = emptied.id
), history AS (
  INSERT INTO link_decisions (dicom_study_id, study_id, status, rule, reason, candidate_ids, tags, decided_by, decided_at)
  SELECT id, NULL, 'deleted', 'not-in-orthanc', NULL, '{}', '[]', 'rules', :now FROM emptied ORDER BY id
)
SELECT id, studies FROM emptied`;

// Served by indexes dicom_studies_pkey, studies_dicom_own, patients_pkey.
export const REMOVE_OWN_STUDIES = `
WITH own AS MATERIALIZED (
  SELECT s.id
  FROM (SELECT study_instance_uid, status FROM dicom_studies WHERE id = ANY (CAST(:ids AS bigint[])) OFFSET 0) d
  CROSS JOIN LATERAL (
    SELECT id FROM studies WHERE source = 'dicom' AND study_instance_uid = d.study_instance_uid OFFSET 0
  ) s
  WHERE d.status = 'deleted'
), gone AS (
  DELETE FROM studies WHERE id = ANY (ARRAY(SELECT id FROM own)) RETURNING patient_id
)
DELETE FROM patients WHERE id = ANY (ARRAY(SELECT patient_id FROM gone)) AND source = 'dicom'`;

const IMAGES_OF = `
SELECT i.orthanc_id AS id FROM images i JOIN series s ON s.id = i.series_id
WHERE s.dicom_study_id = :dicomStudyId ORDER BY 1`;

const IS_KNOWN = 'SELECT orthanc_id AS id FROM images WHERE orthanc_id = :orthancId';

const MARK_BLOBS_REMOVED = `
UPDATE deleted_images SET blobs_removed_at = :now WHERE orthanc_id = :orthancId AND blobs_removed_at IS NULL`;

const EMPTIED_ROW = z.object({ id: z.string(), studies: z.array(z.string()) });

const list = (ids: readonly string[]): string => `{${ids.join(',')}}`;

/** The statements of what is no longer in Orthanc, inside one transaction. */
export function deletionStatements(trx: Knex.Transaction) {
  return {
    /** Has it looked, from `at` on, whether what these instances were modified from is still in Orthanc. */
    async addLooks(sources: readonly string[], at: Date): Promise<void> {
      if (sources.length > 0) await execute(trx, ADD_LOOKS, { sources: list(sources), at });
    },

    /** Takes these images' rows out; gives the ids of the DICOM studies that had them. Frees nothing that these claimed. */
    async moveDeletedImages(orthancIds: readonly string[], withBlobs: boolean, now: Date): Promise<string[]> {
      const moved = await query(trx, MOVE_DELETED_IMAGES, { orthancIds: list(orthancIds), now }, ID_ROW);
      const dicomStudyIds = moved.map(({ id }) => id);
      await execute(trx, KEEP_CLAIMS, { ids: list(dicomStudyIds) });
      if (withBlobs) await execute(trx, ADD_BLOB_JOBS, { orthancIds: list(orthancIds) });
      return dicomStudyIds;
    },

    /**
     * Takes out what these DICOM studies have no image of any more. `left` are those that still have images;
     * `studyIds` the studies that the others were linked to or claimed.
     */
    async removeEmptied(dicomStudyIds: readonly string[], now: Date): Promise<{ left: string[]; studyIds: string[] }> {
      const ids = list(dicomStudyIds);
      const steps = [REMOVE_EMPTY_SERIES, REMOVE_EMPTY_TAGS, REMOVE_UNSAID, TELL_ALL_SAID, KEEP_MODALITIES];
      for (const sql of steps) await execute(trx, sql, { ids });
      const emptied = await query(trx, MARK_DELETED, { ids, now }, EMPTIED_ROW);
      const gone = new Set(emptied.map(({ id }) => id));
      await execute(trx, REMOVE_OWN_STUDIES, { ids: list([...gone]) });
      return {
        left: dicomStudyIds.filter((id) => !gone.has(id)),
        studyIds: [...new Set(emptied.flatMap(({ studies }) => studies))],
      };
    },
  };
}

const MIRROR_AGAIN = `
WITH again AS (
  UPDATE images SET mirror_status = 'pending', mirror_reason = NULL, image_url = NULL, thumbnail_url = NULL, mirrored_at = NULL
  WHERE orthanc_id = :orthancId AND mirror_status <> 'no-pixels' RETURNING id
), jobs AS MATERIALIZED (${mirrorJobs('again')})
${ADD_JOBS}`;

/** What looking for deleted images reads and writes outside a transaction. */
export function deletedImages(db: Knex) {
  return {
    /** The Orthanc ids of a DICOM study's images. */
    imagesOf: async (dicomStudyId: string): Promise<string[]> =>
      (await query(db, IMAGES_OF, { dicomStudyId }, ID_ROW)).map(({ id }) => id),
    /** Whether there is (again) an image of that Orthanc id. */
    isKnown: async (orthancId: string): Promise<boolean> =>
      (await query(db, IS_KNOWN, { orthancId }, ID_ROW)).length > 0,
    mirrorAgain: (orthancId: string) => execute(db, MIRROR_AGAIN, { orthancId }),
    markBlobsRemoved: (orthancId: string, now: Date) => execute(db, MARK_BLOBS_REMOVED, { orthancId, now }),
  };
}
