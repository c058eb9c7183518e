import type { Knex } from 'knex';
import { execute } from '../../platform/postgres/query.ts';
import type { ContestedLink, Shown } from '../rules/contested.ts';
import type { NewDecision } from '../rules/match.ts';

// A study of its own, with a patient of its own, for each DICOM study that is not linked and has none yet.
// Served by indexes dicom_studies_pkey, seen_tags_study, studies_dicom_own.
export const MAKE_OWN_STUDIES = `
WITH wanted AS MATERIALIZED (
  SELECT nextval(pg_get_serial_sequence('patients', 'id')) AS new_patient_id, d.study_instance_uid, d.modalities, t.*
  FROM dicom_studies d
  JOIN LATERAL (
    SELECT * FROM seen_tags WHERE dicom_study_id = d.id ORDER BY patient_name = '', orthanc_id, said_key, accession_key LIMIT 1
  ) t ON true
  WHERE d.id = ANY (CAST(:ids AS bigint[]))
    AND NOT EXISTS (SELECT 1 FROM studies s WHERE s.source = 'dicom' AND s.study_instance_uid = d.study_instance_uid)
), made AS (
  INSERT INTO patients (id, source, external_id, issuer, name, birth_date, sex)
  OVERRIDING SYSTEM VALUE
  SELECT new_patient_id, 'dicom', nullif(patient_id, ''), nullif(issuer, ''), nullif(patient_name, ''),
         patient_birth_date, nullif(patient_sex, '')
  FROM wanted
)
INSERT INTO studies (patient_id, source, study_instance_uid, modality, procedure_description, study_date)
SELECT new_patient_id, 'dicom', study_instance_uid, modalities[1], nullif(study_description, ''), study_date FROM wanted`;

// What was learned since they were made.
// Served by indexes dicom_studies_pkey, studies_dicom_own.
export const REFRESH_OWN_STUDIES = `
WITH told AS MATERIALIZED (
  SELECT s.id, s.patient_id AS own_patient_id, d.modalities, t.*
  FROM (SELECT id, study_instance_uid, modalities FROM dicom_studies WHERE id = ANY (CAST(:ids AS bigint[])) OFFSET 0) d
  CROSS JOIN LATERAL (
    SELECT id, patient_id FROM studies WHERE source = 'dicom' AND study_instance_uid = d.study_instance_uid OFFSET 0
  ) s
  CROSS JOIN LATERAL (SELECT * FROM seen_tags WHERE dicom_study_id = d.id ORDER BY patient_name = '', orthanc_id, said_key, accession_key LIMIT 1) t
), patients_told AS (
  UPDATE patients p
  SET external_id = nullif(t.patient_id, ''), issuer = nullif(t.issuer, ''), name = nullif(t.patient_name, ''),
      birth_date = t.patient_birth_date, sex = nullif(t.patient_sex, '')
  FROM told t
  WHERE p.id = t.own_patient_id AND (p.external_id, p.issuer, p.name, p.birth_date, p.sex) IS DISTINCT FROM
    (nullif(t.patient_id, ''), nullif(t.issuer, ''), nullif(t.patient_name, ''), t.patient_birth_date, nullif(t.patient_sex, ''))
)
UPDATE studies s
SET modality = t.modalities[1], procedure_description = nullif(t.study_description, ''), study_date = t.study_date
FROM told t
WHERE s.id = t.id AND (s.modality, s.procedure_description, s.study_date) IS DISTINCT FROM
  (t.modalities[1], nullif(t.study_description, ''), t.study_date)`;

// Served by indexes dicom_studies_pkey, studies_dicom_own, seen_tags_study.
export const SAVE_DECISIONS = `
WITH made AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(CAST(:decisions AS jsonb))
    AS r(id bigint, study_id bigint, status text, rule text, reason text, candidate_ids bigint[])
), saved AS (
  UPDATE dicom_studies d
  SET study_id = coalesce(m.study_id, own.id), status = m.status, rule = m.rule, reason = m.reason,
      candidate_ids = m.candidate_ids, decided_by = :decidedBy, decided_at = :now, shown = NULL, kept_decision = NULL, contested = NULL,
      contested_at = NULL
  FROM made m
  JOIN dicom_studies was ON was.id = m.id
  LEFT JOIN studies own ON own.source = 'dicom' AND own.study_instance_uid = was.study_instance_uid
  WHERE d.id = m.id
  RETURNING d.*
)
INSERT INTO link_decisions (dicom_study_id, study_id, status, rule, reason, candidate_ids, tags, decided_by, decided_at)
SELECT s.id, s.study_id, s.status, s.rule, s.reason, s.candidate_ids,
       (SELECT jsonb_agg(to_jsonb(t) - 'dicom_study_id' ORDER BY t.orthanc_id, t.said_key, t.accession_key)
        FROM seen_tags t WHERE t.dicom_study_id = s.id),
       s.decided_by, s.decided_at
FROM saved s ORDER BY s.id`;

// What a DICOM study is linked to besides its first study. Before, its row was written, and with it its first link alone.
export const SAVE_MORE_LINKS = `
INSERT INTO dicom_study_links (dicom_study_id, study_id)
SELECT m.id, study_id
FROM jsonb_to_recordset(CAST(:links AS jsonb)) AS m(id bigint, study_ids bigint[]), unnest(m.study_ids) AS study_id
ON CONFLICT DO NOTHING`;

// The link stands: its history says who contests it.
export const SAVE_CONTESTED = `
WITH marked AS (
  UPDATE dicom_studies d SET contested = m.contested, contested_at = CASE WHEN m.contested IS NOT NULL THEN CAST(:now AS timestamptz) END
  FROM jsonb_to_recordset(CAST(:marks AS jsonb)) AS m(id bigint, contested text)
  WHERE d.id = m.id
  RETURNING d.*
)
INSERT INTO link_decisions (dicom_study_id, study_id, status, rule, reason, candidate_ids, tags, decided_by, decided_at)
SELECT m.id, m.study_id, m.status, CASE WHEN m.contested IS NULL THEN 'no-longer-contested' ELSE 'contested' END, m.contested,
       m.candidate_ids, (SELECT jsonb_agg(to_jsonb(t) - 'dicom_study_id' ORDER BY t.orthanc_id, t.said_key, t.accession_key)
                         FROM seen_tags t WHERE t.dicom_study_id = m.id), 'rules', :now
FROM marked m ORDER BY m.id`;

const SAVE_SHOWN = 'UPDATE dicom_studies SET shown = CAST(:shown AS jsonb) WHERE id = :id';

// What an adopted DICOM study leaves behind.
// Served by indexes dicom_studies_pkey, studies_dicom_own.
export const REMOVE_ABANDONED_STUDIES = `
WITH abandoned AS MATERIALIZED (
  SELECT s.id
  FROM (SELECT study_instance_uid, study_id, status FROM dicom_studies WHERE id = ANY (CAST(:ids AS bigint[])) OFFSET 0) d
  CROSS JOIN LATERAL (
    SELECT id FROM studies WHERE source = 'dicom' AND study_instance_uid = d.study_instance_uid OFFSET 0
  ) s
  WHERE d.status = 'linked' AND d.study_id <> s.id
), gone AS (
  DELETE FROM studies WHERE id = ANY (ARRAY(SELECT id FROM abandoned)) RETURNING patient_id
)
DELETE FROM patients WHERE id = ANY (ARRAY(SELECT patient_id FROM gone)) AND source = 'dicom'`;

export const idsParameter = (ids: readonly string[]): string => `{${ids.join(',')}}`;

/** The statements that keep what was decided, inside one transaction. */
export function decisionStatements(trx: Knex.Transaction) {
  return {
    async saveContested(links: readonly ContestedLink[], now: Date): Promise<void> {
      const marks = links.map(({ dicomStudyId: id, contested }) => ({ id, contested }));
      await execute(trx, SAVE_CONTESTED, { marks: JSON.stringify(marks), now });
    },

    /** Keeps with a person's decision what that person was shown of both sides. */
    saveShown: (dicomStudyId: string, shown: Shown) =>
      execute(trx, SAVE_SHOWN, { id: dicomStudyId, shown: JSON.stringify(shown) }),

    refreshOwnStudies: (dicomStudyIds: readonly string[]) =>
      execute(trx, REFRESH_OWN_STUDIES, { ids: idsParameter(dicomStudyIds) }),

    async saveDecisions(decisions: readonly NewDecision[], decidedBy: string, now: Date): Promise<void> {
      const ids = idsParameter(decisions.map(({ dicomStudyId }) => dicomStudyId));
      const own = decisions.filter(({ decision }) => decision.status !== 'linked');
      await execute(trx, MAKE_OWN_STUDIES, { ids: idsParameter(own.map(({ dicomStudyId }) => dicomStudyId)) });
      const rows = decisions.map(({ dicomStudyId, decision }) => ({
        id: dicomStudyId,
        study_id: decision.status === 'linked' ? decision.studyId : null,
        status: decision.status,
        rule: decision.rule,
        reason: 'reason' in decision ? decision.reason : null,
        candidate_ids: decision.candidateIds,
      }));
      await execute(trx, SAVE_DECISIONS, { decisions: JSON.stringify(rows), decidedBy, now });
      const more = decisions.flatMap(({ dicomStudyId: id, decision }) =>
        decision.status === 'linked' && decision.alsoStudyIds !== undefined
          ? [{ id, study_ids: decision.alsoStudyIds }]
          : [],
      );
      if (more.length > 0) await execute(trx, SAVE_MORE_LINKS, { links: JSON.stringify(more) });
      await execute(trx, REMOVE_ABANDONED_STUDIES, { ids });
    },
  };
}
