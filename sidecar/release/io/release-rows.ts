import type { Knex } from 'knex';
import { z } from 'zod';
import { query } from '../../platform/postgres/query.ts';
import type { ReleaseFacts } from '../rules/release.ts';

// A person's link is contested only in what that person was shown.
const STATE = `CASE WHEN d.status = 'linked' AND d.contested IS NOT NULL AND d.shown IS NOT NULL THEN 'contested' ELSE d.status END`;

// One that is linked is among the candidates too, except where the version before wrote it.
// Served by indexes studies_pkey, patients_pkey, dicom_studies_candidates, dicom_study_links_study, reports_study_id_version_key.
export const LOAD_RELEASE_FACTS = `
SELECT s.id AS "studyId", coalesce(s.modality, '') AS modality, coalesce(s.procedure_code, '') AS "procedureCode",
       coalesce(p.deceased, false) AS deceased,
       EXISTS (SELECT 1 FROM release_holds h WHERE h.study_id = s.id) AS "studyHeld",
       EXISTS (SELECT 1 FROM release_holds h WHERE h.patient_id = ANY (ARRAY(
         SELECT p.id UNION ALL SELECT m.id FROM patients m WHERE m.merged_into = p.id))) AS "patientHeld",
       ARRAY(SELECT ${STATE} FROM (SELECT * FROM dicom_studies WHERE candidate_ids @> ARRAY[s.id] OFFSET 0) d
             WHERE d.status IS NOT NULL
             UNION SELECT ${STATE} FROM (SELECT dicom_study_id FROM dicom_study_links WHERE study_id = s.id OFFSET 0) l
             CROSS JOIN LATERAL (SELECT * FROM dicom_studies WHERE id = l.dicom_study_id OFFSET 0) d
             WHERE d.status IS NOT NULL) AS claims,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
           'id', CAST(r.id AS text), 'messageId', CAST(r.hl7_message_id AS text), 'status', r.status,
           'withheld', r.withheld, 'cameAt', r.created_at,
           'empty', r.body !~ '\\S' AND NOT EXISTS (SELECT 1 FROM report_attachments a WHERE a.report_id = r.id),
           'toldAt', CASE WHEN NOT r.undated THEN least(r.said_at, r.reported_at) END)
           ORDER BY r.said_at, r.hl7_message_id), '[]')
        FROM reports r WHERE r.study_id = s.id) AS reports
FROM studies s JOIN patients p ON p.id = s.patient_id
WHERE s.id = ANY (CAST(:ids AS bigint[])) AND s.source = 'ris'
ORDER BY s.id`;

const time = z.string().transform((text) => new Date(text));

const FACTS = z.object({
  studyId: z.string(),
  modality: z.string(),
  procedureCode: z.string(),
  deceased: z.boolean(),
  studyHeld: z.boolean(),
  patientHeld: z.boolean(),
  claims: z.array(z.string()),
  reports: z.array(
    z.object({
      id: z.string(),
      messageId: z.string(),
      status: z.enum(['preliminary', 'final', 'corrected', 'cancelled']),
      withheld: z.string().nullable(),
      empty: z.boolean(),
      cameAt: time,
      toldAt: time.nullable(),
    }),
  ),
});

/** The facts of the release rule, of those of these studies that the RIS told of. */
export async function loadReleaseFacts(
  db: Knex,
  studyIds: readonly string[],
): Promise<(ReleaseFacts & { readonly studyId: string })[]> {
  return query(db, LOAD_RELEASE_FACTS, { ids: `{${studyIds.join(',')}}` }, FACTS);
}
