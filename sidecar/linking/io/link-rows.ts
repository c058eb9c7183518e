import type { Knex } from 'knex';
import { z } from 'zod';
import { isPlaceholderName } from '../../ris/rules/placeholder.ts';
import type { PatientSide } from '../../ris/rules/same-patient.ts';
import type { RisStudy, StoredStudy } from '../rules/match.ts';
import { execute, ID_ROW, query } from '../../platform/postgres/query.ts';
import { decisionStatements, idsParameter } from './decision-rows.ts';

// One lock for all that decides links: decisions are few and fast, and two of them at once could each miss the other's
// facts.
const LINKING_LOCK = 4_721_590_002;

// What is asked under it is a few rows of tables that grow. The plans for that are made once a connection, and they must
// hold when the tables were all but empty then: by index, a row at a time.
const LOCK_LINKING = `
SELECT pg_advisory_xact_lock(${LINKING_LOCK}), set_config('plan_cache_mode', 'force_generic_plan', true),
       set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
       set_config('enable_mergejoin', 'off', true), set_config('enable_material', 'off', true),
       set_config('jit', 'off', true)`;

// Of the numbers that one image names by itself, parted by a backslash, there is a row each.
// Served by indexes dicom_studies_pkey, seen_tags_study, dicom_study_tags_pkey.
export const LOAD_STUDIES = `
SELECT d.id, d.study_instance_uid, d.modalities, d.study_id, d.status, d.rule, d.reason, d.decided_by, d.candidate_ids,
       d.shown, d.contested, CASE d.status WHEN 'deleted' THEN d.kept_decision END AS kept, ARRAY(
         SELECT l.study_id FROM dicom_study_links l WHERE l.dicom_study_id = d.id AND l.study_id <> d.study_id ORDER BY 1
       ) AS also_study_ids,
       jsonb_agg(jsonb_build_object(
         'accessionNumbers', t.accession_numbers, 'patientId', jsonb_build_object('id', t.patient_id, 'issuer', t.issuer),
         'patientName', t.patient_name, 'birthDate', t.patient_birth_date, 'sex', t.patient_sex, 'studyDate', t.study_date,
         'callingAeTitles', (SELECT calling_ae_titles FROM dicom_study_tags WHERE orthanc_id = t.orthanc_id))
         ORDER BY t.orthanc_id, t.said_key) AS tags
FROM dicom_studies d CROSS JOIN LATERAL (
  SELECT orthanc_id, said_key, ARRAY[string_agg(accession_number, chr(92) ORDER BY accession_key)] AS accession_numbers,
         patient_id, issuer, patient_name, patient_birth_date, patient_sex, study_date
  FROM seen_tags WHERE dicom_study_id = d.id
  GROUP BY orthanc_id, said_key, patient_id, issuer, patient_name, patient_birth_date, patient_sex, study_date
) t
WHERE d.id = ANY (CAST(:ids AS bigint[]))
GROUP BY d.id ORDER BY d.id`;

const SIDE = z.object({
  patientIds: z.array(z.object({ id: z.string(), issuer: z.string() })),
  patientName: z.string(),
  birthDate: z.string().nullable(),
  sex: z.string().nullable().default(null),
});
const SHOWN = z.object({ images: z.array(SIDE), orders: z.array(SIDE), accessions: z.array(z.string()) });

// What a person had decided of a study before its images were deleted, as ../../images/io/deleted-rows.ts keeps it.
const KEPT = z
  .object({
    status: z.enum(['linked', 'provisional']),
    studyId: z.string(),
    alsoStudyIds: z.array(z.string()),
    reason: z.string(),
    candidateIds: z.array(z.string()),
    decidedBy: z.string(),
    decidedAt: z.coerce.date(),
    shown: SHOWN.nullable(),
  })
  .transform(({ status, studyId, alsoStudyIds, reason, candidateIds, ...kept }) => ({
    ...kept,
    decision: {
      ...{ rule: 'person' as const, reason, candidateIds },
      ...(status === 'linked' ? { status, studyId, alsoStudyIds } : { status }),
    },
  }));

const STUDY_ROW = z.object({
  id: z.string(),
  study_instance_uid: z.string(),
  modalities: z.array(z.string()),
  study_id: z.string().nullable(),
  status: z.string().nullable(),
  rule: z.string().nullable(),
  reason: z.string().nullable(),
  decided_by: z.string().nullable(),
  candidate_ids: z.array(z.string()),
  also_study_ids: z.array(z.string()),
  shown: SHOWN.nullable(),
  contested: z.string().nullable(),
  kept: KEPT.nullable(),
  tags: z.array(
    z.object({
      accessionNumbers: z.array(z.string()),
      patientId: z.object({ id: z.string(), issuer: z.string() }),
      patientName: z.string(),
      birthDate: z.string().nullable(),
      sex: z.string(),
      studyDate: z.string().nullable(),
      callingAeTitles: z.array(z.string()).nullable(),
    }),
  ),
});

// Whether all that was said of study `s` was taken back by a person.
const WITHDRAWN = `(
  EXISTS (SELECT 1 FROM study_facts w WHERE w.accession_key = s.accession_key AND w.withdrawn_at IS NOT NULL OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM study_facts w WHERE w.accession_key = s.accession_key AND w.withdrawn_at IS NULL OFFSET 0))`;

// The RIS studies that ../rules/match.ts asks for, per DICOM study: one index look-up for each rule, for which OFFSET 0 keeps
// the planner from beginning at the other end: with all studies of a day. A study that was taken back is none of them, but
// where a person linked it: such a link stands, and is compared as any other.
// Served by indexes studies_accession_key_key, studies_announced_uid, patients_ris_identity, patients_birth_date,
// studies_patient_date, patients_merged_into, patient_facts_patient, study_facts_withdrawn, study_facts_accession.
export const LOAD_RIS_STUDIES = `
WITH tags AS MATERIALIZED (
  SELECT d.study_instance_uid, t.*
  FROM dicom_studies d JOIN seen_tags t ON t.dicom_study_id = d.id
  WHERE d.id = ANY (CAST(:ids AS bigint[]))
), found AS (
  SELECT t.dicom_study_id, s.id
  FROM tags t JOIN studies s ON s.accession_key = t.accession_key
  UNION
  SELECT t.dicom_study_id, s.id
  FROM tags t JOIN studies s ON s.study_instance_uid = t.study_instance_uid AND s.source = 'ris'
  UNION
  SELECT t.dicom_study_id, s.id
  FROM tags t CROSS JOIN LATERAL (
    SELECT coalesce(merged_into, id) AS id FROM patients
    WHERE upper(external_id) = upper(t.patient_id) AND source = 'ris' OFFSET 0
  ) p CROSS JOIN LATERAL (
    SELECT id FROM studies WHERE patient_id = p.id AND study_date = t.study_date AND source = 'ris' OFFSET 0
  ) s
  WHERE t.patient_id <> ''
  UNION
  SELECT t.dicom_study_id, s.id
  FROM tags t CROSS JOIN LATERAL (
    SELECT id FROM patients WHERE birth_date = t.patient_birth_date AND source = 'ris' OFFSET 0
  ) p CROSS JOIN LATERAL (
    SELECT id FROM studies
    WHERE patient_id = p.id AND study_date BETWEEN t.study_date - 2 AND t.study_date + 2 AND source = 'ris' OFFSET 0
  ) s
  UNION
  SELECT d.id, l.study_id
  FROM (SELECT id, status, decided_by FROM dicom_studies WHERE id = ANY (CAST(:ids AS bigint[])) OFFSET 0) d
  CROSS JOIN LATERAL (SELECT study_id FROM dicom_study_links WHERE dicom_study_id = d.id OFFSET 0) l
  WHERE d.status = 'linked' AND d.decided_by <> 'rules'
)
SELECT f.dicom_study_id, s.id, p.id AS patient_ref, s.accession_number, coalesce(s.study_instance_uid, '') AS study_instance_uid,
       (SELECT jsonb_agg(jsonb_build_object('id', m.external_id, 'issuer', coalesce(m.issuer, '')) ORDER BY m.id)
        FROM patients m WHERE m.id = p.id OR m.merged_into = p.id) AS patient_ids,
       (SELECT jsonb_agg(DISTINCT jsonb_build_object('id', m.external_id, 'issuer', coalesce(m.issuer, ''),
          'name', f.facts ->> 'name', 'birthDate', f.facts ->> 'birthDate', 'sex', f.facts ->> 'sex',
          'merged', upper(m.external_id) <> upper(p.external_id)))
        FROM patients m CROSS JOIN LATERAL (
          SELECT facts FROM patient_facts WHERE patient_id = m.id AND NOT of_report OFFSET 0
        ) f
        WHERE (m.id = p.id OR m.merged_into = p.id)
          AND (f.facts ->> 'name' <> coalesce(p.name, '') OR CAST(f.facts ->> 'birthDate' AS date) <> p.birth_date)
       ) AS earlier,
       coalesce(p.name, '') AS patient_name, p.sex, CAST(p.birth_date AS text) AS birth_date,
       CAST(s.study_date AS text) AS study_date, coalesce(s.modality, '') AS modality,
       s.order_status = 'cancelled' AS cancelled
FROM found f JOIN studies s ON s.id = f.id JOIN patients p ON p.id = s.patient_id
WHERE NOT ${WITHDRAWN} OR EXISTS (
  SELECT 1 FROM dicom_study_links l JOIN dicom_studies d ON d.id = l.dicom_study_id
  WHERE l.dicom_study_id = f.dicom_study_id AND l.study_id = s.id AND d.status = 'linked' AND d.decided_by <> 'rules' OFFSET 0)
ORDER BY f.dicom_study_id, s.id`;

const RIS_ROW = z.object({
  dicom_study_id: z.string(),
  id: z.string(),
  patient_ref: z.string(),
  accession_number: z.string(),
  study_instance_uid: z.string(),
  patient_ids: z.array(z.object({ id: z.string(), issuer: z.string() })),
  patient_name: z.string(),
  birth_date: z.string().nullable(),
  sex: z.string().nullable(),
  earlier: z
    .array(
      z.object({
        id: z.string(),
        issuer: z.string(),
        name: z.string().nullable(),
        birthDate: z.string().nullable(),
        sex: z.string().nullable(),
        merged: z.boolean(),
      }),
    )
    .nullable(),
  study_date: z.string().nullable(),
  modality: z.string(),
  cancelled: z.boolean(),
});

// The DICOM studies whose decision may rest on these RIS studies, as they are now or as they were when decided: each an
// index look-up, for which OFFSET 0 keeps the planner from beginning at the other end.
// Served by indexes dicom_studies_candidates, dicom_study_links_study, seen_tags_accession,
// dicom_studies_study_instance_uid_key, seen_tags_patient, seen_tags_birth_date, patients_merged_into.
export const STUDIES_RESTING_ON = `
WITH ris AS MATERIALIZED (
  SELECT s.patient_id, s.accession_key, s.study_instance_uid, s.study_date,
         (SELECT p.birth_date FROM patients p WHERE p.id = s.patient_id) AS birth_date
  FROM studies s WHERE s.id = ANY (CAST(:ids AS bigint[]))
), numbers AS MATERIALIZED (
  SELECT DISTINCT upper(m.external_id) AS number, r.study_date FROM ris r CROSS JOIN LATERAL (
    SELECT external_id FROM patients WHERE id = r.patient_id
    UNION ALL SELECT external_id FROM patients WHERE merged_into = r.patient_id
  ) m
)
SELECT id FROM dicom_studies WHERE candidate_ids && CAST(:ids AS bigint[])
UNION
SELECT dicom_study_id FROM dicom_study_links WHERE study_id = ANY (CAST(:ids AS bigint[]))
UNION
SELECT dicom_study_id FROM seen_tags
WHERE accession_key = ANY (ARRAY(SELECT accession_key FROM ris)) AND accession_key <> ''
UNION
SELECT id FROM dicom_studies WHERE study_instance_uid = ANY (ARRAY(SELECT study_instance_uid FROM ris))
UNION
SELECT t.dicom_study_id FROM numbers n CROSS JOIN LATERAL (
  SELECT dicom_study_id FROM seen_tags
  WHERE upper(patient_id) = n.number AND study_date = n.study_date AND patient_id <> '' OFFSET 0) t
UNION
SELECT t.dicom_study_id FROM ris r CROSS JOIN LATERAL (
  SELECT dicom_study_id FROM seen_tags
  WHERE patient_birth_date = r.birth_date AND study_date BETWEEN r.study_date - 2 AND r.study_date + 2 OFFSET 0) t`;

/** What counts of what the RIS said before: placeholders, and identifiers that were merged since. */
const earlierOf = ({ earlier }: z.output<typeof RIS_ROW>): PatientSide[] =>
  (earlier ?? [])
    .filter(({ merged, name }) => merged || isPlaceholderName(name ?? ''))
    .map(({ id, issuer, name, birthDate, sex }) => ({
      ...{ patientIds: [{ id, issuer }], patientName: name ?? '', birthDate, sex },
    }));

// Served by index dicom_studies_pkey.
const STUDIES_AFTER = `
SELECT id FROM dicom_studies WHERE id > CAST(:after AS bigint) AND status <> 'deleted' ORDER BY id LIMIT :limit`;

/** The ids of at most so many DICOM studies after that one, in their order. */
export async function studiesAfter(db: Knex, after: string, limit: number): Promise<string[]> {
  return (await query(db, STUDIES_AFTER, { after, limit }, ID_ROW)).map(({ id }) => id);
}

// Served by index dicom_studies_persons.
const PERSON_LINKS_AFTER = `
SELECT id FROM dicom_studies
WHERE id > CAST(:after AS bigint) AND decided_by <> 'rules' AND status = 'linked' AND shown IS NULL ORDER BY id LIMIT :limit`;

/** As {@link studiesAfter}, those that persons linked before both sides were kept with their decision. */
export async function personLinksAfter(db: Knex, after: string, limit: number): Promise<string[]> {
  return (await query(db, PERSON_LINKS_AFTER, { after, limit }, ID_ROW)).map(({ id }) => id);
}

/** The statements of link decisions inside one transaction. */
export function linkStatements(trx: Knex.Transaction) {
  return {
    ...decisionStatements(trx),

    lockLinking: () => execute(trx, LOCK_LINKING, {}),

    async loadStudies(dicomStudyIds: readonly string[]): Promise<StoredStudy[]> {
      const rows = await query(trx, LOAD_STUDIES, { ids: idsParameter(dicomStudyIds) }, STUDY_ROW);
      return rows.map((row) => {
        const { study_id: studyId, status, rule, reason, decided_by: decidedBy, candidate_ids: candidateIds } = row;
        const { shown, contested } = row;
        const decided = studyId !== null && status !== null && rule !== null && decidedBy !== null;
        return {
          id: row.id,
          kept: row.kept,
          seen: { studyInstanceUid: row.study_instance_uid, modalities: row.modalities, tags: row.tags },
          standing: decided
            ? {
                studyId,
                status,
                rule,
                reason,
                decidedBy,
                candidateIds,
                alsoStudyIds: row.also_study_ids,
                shown,
                contested,
              }
            : null,
        };
      });
    },

    async loadRisStudies(dicomStudyIds: readonly string[]): Promise<ReadonlyMap<string, readonly RisStudy[]>> {
      const rows = await query(trx, LOAD_RIS_STUDIES, { ids: idsParameter(dicomStudyIds) }, RIS_ROW);
      return Map.groupBy(
        rows.map((row) => ({
          dicomStudyId: row.dicom_study_id,
          id: row.id,
          accessionNumber: row.accession_number,
          studyInstanceUid: row.study_instance_uid,
          patientRef: row.patient_ref,
          patientIds: row.patient_ids,
          patientName: row.patient_name,
          birthDate: row.birth_date,
          sex: row.sex,
          earlier: earlierOf(row),
          studyDate: row.study_date,
          modality: row.modality,
          cancelled: row.cancelled,
        })),
        ({ dicomStudyId }) => dicomStudyId,
      );
    },

    /** The DICOM studies that may have to be decided anew since these RIS studies changed. */
    async studiesRestingOn(studyIds: readonly string[]): Promise<string[]> {
      if (studyIds.length === 0) return [];
      const rows = await query(trx, STUDIES_RESTING_ON, { ids: idsParameter(studyIds) }, z.object({ id: z.string() }));
      return rows.map(({ id }) => id);
    },
  };
}
