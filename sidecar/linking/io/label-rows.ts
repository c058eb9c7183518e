import type { Knex } from 'knex';
import { z } from 'zod';
import { ADD_JOBS, execute, ID_ROW, query } from '../../platform/postgres/query.ts';

/** An attempt waits e^n seconds (at most some six hours) after the n-th; what is missed the sweep repairs. */
const LABEL_ATTEMPTS = 12;

/** The name of the job, as it is stored. */
export const LABEL_STUDY = 'label-study';

// Served by indexes dicom_studies_pkey, dicom_study_tags_study, dicom_study_links_pkey, reports_study_id_version_key.
export const LOAD_LABEL_FACTS = `
SELECT d.id AS "dicomStudyId", t.orthanc_id AS "orthancId",
  CASE WHEN d.contested IS NOT NULL AND d.shown IS NOT NULL THEN 'review' ELSE d.status END AS status, (
  SELECT coalesce(jsonb_agg(jsonb_build_object('status', r.status, 'withheld', r.withheld IS NOT NULL)), '[]')
  FROM dicom_study_links l LEFT JOIN LATERAL (
    SELECT status, withheld FROM reports WHERE study_id = l.study_id ORDER BY said_at DESC, hl7_message_id DESC LIMIT 1
  ) r ON true
  WHERE l.dicom_study_id = d.id AND d.status = 'linked') AS reports
FROM dicom_studies d
JOIN dicom_study_tags t ON t.dicom_study_id = d.id
WHERE d.id = ANY (CAST(:ids AS bigint[])) AND d.status IN ('linked', 'provisional', 'review')
ORDER BY t.orthanc_id`;

// Served by indexes dicom_studies_pkey, link_decisions_pkey.
export const RECENT_STUDIES = `
SELECT id FROM (SELECT id FROM dicom_studies ORDER BY id DESC LIMIT CAST(:limit AS bigint)) AS seen
UNION
SELECT id FROM (SELECT dicom_study_id AS id FROM link_decisions ORDER BY link_decisions.id DESC LIMIT CAST(:limit AS bigint)) AS decided`;

const LABEL_ROW = z.object({
  dicomStudyId: z.string(),
  orthancId: z.string(),
  status: z.enum(['linked', 'provisional', 'review']),
  reports: z.array(
    z.object({
      status: z.enum(['preliminary', 'final', 'corrected', 'cancelled']).nullable(),
      withheld: z.boolean(),
    }),
  ),
});

// Before mirror jobs: a radiographer waits for the label, and it takes milliseconds.
// Served by indexes dicom_studies_pkey, dicom_study_links_study.
export const ADD_LABEL_JOBS = `
WITH labelled AS (
  SELECT id FROM dicom_studies WHERE id = ANY (CAST(:ids AS bigint[]))
  UNION
  SELECT dicom_study_id FROM dicom_study_links WHERE study_id = ANY (CAST(:studyIds AS bigint[]))
), jobs AS MATERIALIZED (
  SELECT array_agg(ROW('${LABEL_STUDY}', json_build_object('dicomStudyId', CAST(id AS text)), NULL, NULL, :maxAttempts,
                       '${LABEL_STUDY}:' || id, -1, NULL)::graphile_worker.job_spec ORDER BY id) AS specs
  FROM labelled
)
${ADD_JOBS}`;

const array = (ids: readonly string[]): string => `{${ids.join(',')}}`;

/** The Orthanc studies of these DICOM studies, with what their labels follow from. */
export function loadLabelFacts(db: Knex, dicomStudyIds: readonly string[]) {
  return query(db, LOAD_LABEL_FACTS, { ids: array(dicomStudyIds) }, LABEL_ROW);
}

/** The DICOM studies that were seen or decided last, so many of each. */
export async function recentStudies(db: Knex, limit: number): Promise<string[]> {
  return (await query(db, RECENT_STUDIES, { limit }, ID_ROW)).map(({ id }) => id);
}

/** The statements of labels, inside one transaction. */
export function labelStatements(trx: Knex.Transaction) {
  return {
    /** A job to label each of these DICOM studies, and all that are linked to these RIS studies. */
    addLabelJobs: (dicomStudyIds: readonly string[], studyIds: readonly string[]) =>
      execute(trx, ADD_LABEL_JOBS, {
        ids: array(dicomStudyIds),
        studyIds: array(studyIds),
        maxAttempts: LABEL_ATTEMPTS,
      }),
  };
}
