import type { Knex } from 'knex';
import { z } from 'zod';
import { WORK_KINDS, type StudyView, type WorkItem } from '../rules/work.ts';
import { nextStep } from '../rules/next-step.ts';
import { query } from '../../platform/postgres/query.ts';
import { NOBODY_TAKES } from '../../ris/rules/ignored-types.ts';

/** What a person has seen to, unless something new has come since. */
const notDone = (kind: WorkItem['kind'], subject: string, newest: string): string =>
  `NOT EXISTS (SELECT 1 FROM work_done w WHERE w.kind = '${kind}' AND w.subject = ${subject} AND w.done_at >= ${newest})`;

/** Of each kind at most so many are listed, the newest first, so that nothing new is hidden behind what is old. */
const MAX_LISTED = 500;

export const LIST_WORK = `
WITH open_studies AS (
  SELECT d.status, d.study_instance_uid, d.reason, d.first_seen_at,
         (SELECT nullif(t.patient_name, '') FROM seen_tags t WHERE t.dicom_study_id = d.id ORDER BY t.patient_name = '', t.orthanc_id, t.said_key LIMIT 1) AS patient,
         (SELECT nullif(t.accession_number, '') FROM seen_tags t WHERE t.dicom_study_id = d.id ORDER BY t.accession_key = '', t.orthanc_id, t.said_key LIMIT 1) AS accession
  FROM dicom_studies d
  WHERE d.status = 'review' OR (d.status = 'provisional' AND d.first_seen_at <= :provisionalBefore AND d.decided_by = 'rules')
), told AS (
  (SELECT status AS kind, study_instance_uid AS subject, patient, accession, reason, first_seen_at AS since,
          count(*) OVER () AS listed_of
   FROM open_studies WHERE status = 'review' ORDER BY since DESC LIMIT :limit)
  UNION ALL
  (SELECT status, study_instance_uid, patient, accession, reason, first_seen_at, count(*) OVER ()
   FROM open_studies WHERE status = 'provisional' ORDER BY first_seen_at DESC LIMIT :limit)
  UNION ALL
  (SELECT 'contested', d.study_instance_uid, p.name, s.accession_number,
          d.contested || CASE WHEN d.status = 'provisional' THEN ' (a person took its images away)' WHEN d.shown IS NULL THEN ' (linked without seeing both sides; not hidden)' ELSE '' END,
          d.contested_at, count(*) OVER ()
   FROM dicom_studies d JOIN studies s ON s.id = d.study_id JOIN patients p ON p.id = s.patient_id
   WHERE d.contested IS NOT NULL ORDER BY d.contested_at DESC LIMIT :limit)
  UNION ALL
  (SELECT 'images-deleted', d.study_instance_uid, p.name, s.accession_number, d.status, d.decided_at, count(*) OVER ()
   FROM dicom_studies d JOIN studies s ON s.id = ANY (d.kept_claims) JOIN patients p ON p.id = s.patient_id
   WHERE d.kept_claims <> '{}' AND NOT EXISTS (SELECT 1 FROM dicom_study_links o WHERE o.study_id = s.id)
   ORDER BY d.decided_at DESC LIMIT :limit)
  UNION ALL
  (SELECT 'image-differs', d.study_instance_uid, p.name, s.accession_number,
          (SELECT string_agg(DISTINCT field, ', ' ORDER BY field) FROM image_differences o JOIN images oi USING (orthanc_id)
           JOIN series oe ON oe.id = oi.series_id CROSS JOIN LATERAL unnest(o.fields) AS field
           WHERE oe.dicom_study_id = d.id AND o.seen_at IS NULL)
          || CASE count(*) WHEN 1 THEN ' (' ELSE ' (' || count(*) || ' images, such as ' END || min(i.sop_instance_uid) || ')',
          min(f.noted_at), count(*) OVER ()
   FROM image_differences f JOIN images i USING (orthanc_id) JOIN series e ON e.id = i.series_id
   JOIN dicom_studies d ON d.id = e.dicom_study_id JOIN studies s ON s.id = e.study_id JOIN patients p ON p.id = s.patient_id
   WHERE f.seen_at IS NULL AND ${notDone('image-differs', 'd.study_instance_uid', 'f.noted_at')}
   GROUP BY d.id, s.id, p.id ORDER BY min(f.noted_at) DESC LIMIT :limit)
  UNION ALL
  (SELECT 'image-failed', d.study_instance_uid, p.name, s.accession_number,
          i.mirror_reason || CASE count(*) WHEN 1 THEN ' (' ELSE ' (' || count(*) || ' images, such as ' END
          || min(i.sop_instance_uid) || ')', min(i.created_at), count(*) OVER ()
   FROM images i JOIN series e ON e.id = i.series_id JOIN dicom_studies d ON d.id = e.dicom_study_id
   JOIN studies s ON s.id = e.study_id JOIN patients p ON p.id = s.patient_id
   WHERE i.mirror_status = 'failed' AND ${notDone('image-failed', 'd.study_instance_uid', 'i.created_at')}
   GROUP BY d.id, s.id, p.id, i.mirror_reason ORDER BY min(i.created_at) DESC LIMIT :limit)
  UNION ALL
  (SELECT 'text-' || m.state, s.accession_number, p.name, s.accession_number, m.reason, m.updated_at, count(*) OVER ()
   FROM sms_messages m JOIN studies s ON s.id = m.study_id JOIN patients p ON p.id = s.patient_id
   WHERE m.state IN ('held', 'failed') AND m.done_at IS NULL
     AND (m.reason IS DISTINCT FROM 'no-order' OR m.created_at <= :orderlessBefore)
   ORDER BY m.updated_at DESC LIMIT :limit)
  UNION ALL
  (SELECT 'text-undelivered', s.accession_number, p.name, s.accession_number, r.status || coalesce(': twilio-' || r.error_code, ''), r.received_at,
          count(*) OVER ()
   FROM sms_receipts r JOIN sms_messages m ON m.twilio_sid = r.twilio_sid
   JOIN studies s ON s.id = m.study_id JOIN patients p ON p.id = s.patient_id
   WHERE r.status IN ('canceled', 'undelivered', 'failed') AND (m.done_at IS NULL OR m.done_at < r.received_at)
   ORDER BY r.received_at DESC LIMIT :limit)
  UNION ALL
  (SELECT 'text-seen-to', s.accession_number, p.name, s.accession_number, m.attention, m.attention_since, count(*) OVER ()
   FROM sms_messages m JOIN studies s ON s.id = m.study_id JOIN patients p ON p.id = s.patient_id
   WHERE m.attention IS NOT NULL ORDER BY m.attention_since DESC LIMIT :limit)
  UNION ALL
  (SELECT 'held', coalesce(s.accession_number, p.external_id), p.name, s.accession_number, h.reason, h.held_at, count(*) OVER ()
   FROM release_holds h LEFT JOIN studies s ON s.id = h.study_id JOIN patients p ON p.id = coalesce(h.patient_id, s.patient_id)
   ORDER BY h.held_at DESC LIMIT :limit)
  UNION ALL
  (SELECT 'message-refused', CAST(h.id AS text), NULL, NULL, h.message_type || ': ' || h.reason || h.more, h.received_at,
          count(*) OVER ()
   FROM (SELECT id, message_type, reason, '' AS more, received_at
         FROM hl7_messages WHERE answer = 'AR' AND reason <> ALL (CAST(:nobodyTakes AS text[]))
           AND ${notDone('message-refused', 'CAST(id AS text)', 'received_at')}
         UNION ALL
         SELECT max(id), message_type, reason, ' (' || count(*) || CASE count(*) WHEN 1 THEN ' message of ' ELSE ' messages of ' END
                || concat_ws('|', sending_application, sending_facility) || ')', max(received_at)
         FROM hl7_messages WHERE answer = 'AR' AND reason = ANY (CAST(:nobodyTakes AS text[]))
         GROUP BY message_type, reason, sending_application, sending_facility
         HAVING ${notDone('message-refused', 'CAST(max(id) AS text)', 'max(received_at)')}) AS h
   ORDER BY h.received_at DESC LIMIT :limit)
  UNION ALL
  (SELECT 'report-withheld', s.accession_number, o.name, s.accession_number,
          r.withheld || coalesce(': the study is of ' || p.name, ''), r.created_at, count(*) OVER ()
   FROM reports r JOIN studies s ON s.id = r.study_id JOIN patients p ON p.id = s.patient_id
   JOIN patients o ON o.id = coalesce(r.patient_id, s.patient_id)
   WHERE r.withheld IS NOT NULL AND ${notDone('report-withheld', 's.accession_number', 'r.created_at')}
   ORDER BY r.created_at DESC LIMIT :limit)
  UNION ALL
  (SELECT 'accession-clash', s.accession_number, p.name, s.accession_number,
          'an order of ' || s.clash || ' names another patient', s.updated_at, count(*) OVER ()
   FROM studies s JOIN patients p ON p.id = s.patient_id
   WHERE s.clash IS NOT NULL AND ${notDone('accession-clash', 's.accession_number', 's.updated_at')}
   ORDER BY s.updated_at DESC LIMIT :limit)
  UNION ALL
  (SELECT 'failure', part || ' ' || subject, NULL, NULL, code || ': ' || message, last_at, count(*) OVER ()
   FROM failures WHERE ${notDone('failure', "part || ' ' || subject", 'last_at')} ORDER BY last_at DESC LIMIT :limit)
)
SELECT kind, subject, patient, accession AS "accessionNumber", reason, to_jsonb(since) #>> '{}' AS since,
       to_char(since AT TIME ZONE :timeZone, 'YYYY-MM-DD HH24:MI') AS "sinceLocal", more
FROM (
  SELECT kind, subject, patient, accession, reason, since, false AS last, 0 AS more FROM told
  UNION ALL
  SELECT kind, '', NULL, NULL, max(listed_of) - count(*) || ' more, which are older', min(since), true,
         CAST(max(listed_of) - count(*) AS integer)
  FROM told GROUP BY kind HAVING max(listed_of) > count(*)
) AS listed
ORDER BY array_position(CAST(:kinds AS text[]), kind), last, since DESC, subject`;

export const WORK_ITEM = z.object({
  kind: z.enum(WORK_KINDS),
  subject: z.string(),
  patient: z.string().nullable(),
  accessionNumber: z.string().nullable(),
  reason: z.string().nullable(),
  next: z.string().describe('What can be done about it: in words, and as commands to type'),
  since: z.string(),
  sinceLocal: z.string().describe('The same in the time zone of the practice'),
  more: z.number().describe('How many more of its kind are not listed, where it only says that'),
});
const LISTED = WORK_ITEM.omit({ next: true });

const PATIENT_JSON = `jsonb_build_object('id', p.external_id, 'name', p.name, 'birthDate', p.birth_date)`;

export const SHOW_STUDY = `
SELECT d.study_instance_uid AS "studyInstanceUid", d.status, d.rule, d.reason, d.decided_by AS "decidedBy",
  to_jsonb(d.decided_at) #>> '{}' AS "decidedAt", d.contested, to_jsonb(d.first_seen_at) #>> '{}' AS "firstSeenAt", d.modalities,
  s.accession_number AS "accessionNumber",
  (SELECT coalesce(jsonb_agg(o.accession_number ORDER BY o.accession_key), '[]')
   FROM dicom_study_links l JOIN studies o ON o.id = l.study_id WHERE l.dicom_study_id = d.id AND o.source = 'ris') AS "accessionNumbers",
  CASE WHEN p.id IS NOT NULL THEN ${PATIENT_JSON} END AS patient,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('orthancId', t.orthanc_id, 'accessionNumber', t.accession_number,
      'patientId', t.patient_id, 'patientName', t.patient_name, 'birthDate', t.patient_birth_date,
      'studyDate', t.study_date, 'description', t.study_description) ORDER BY t.orthanc_id, t.said_key, t.accession_key), '[]')
   FROM seen_tags t WHERE t.dicom_study_id = d.id) AS tags,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('accessionNumber', c.accession_number, 'patient', (
      SELECT ${PATIENT_JSON} FROM patients p WHERE p.id = c.patient_id), 'modality', c.modality,
      'studyDate', c.study_date, 'procedure', c.procedure_description, 'orderStatus', c.order_status) ORDER BY c.id), '[]')
   FROM studies c WHERE c.source = 'ris' AND c.id = ANY (d.candidate_ids || d.study_id)) AS candidates,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('at', l.decided_at, 'by', l.decided_by, 'status', l.status,
      'rule', l.rule, 'reason', l.reason,
      'accessionNumber', (SELECT h.accession_number FROM studies h WHERE h.id = l.study_id)) ORDER BY l.id), '[]')
   FROM link_decisions l WHERE l.dicom_study_id = d.id) AS history,
  (SELECT coalesce(jsonb_agg(to_jsonb(counted) ORDER BY counted."seriesInstanceUid"), '[]') FROM (
      SELECT e.series_instance_uid AS "seriesInstanceUid", e.modality, e.description, count(i.id) AS images,
             count(*) FILTER (WHERE i.mirror_status = 'mirrored') AS mirrored,
             count(*) FILTER (WHERE i.mirror_status = 'pending') AS pending,
             count(*) FILTER (WHERE i.mirror_status = 'no-pixels') AS "noPixels",
             count(*) FILTER (WHERE i.mirror_status = 'failed') AS failed
      FROM series e LEFT JOIN images i ON i.series_id = e.id WHERE e.dicom_study_id = d.id GROUP BY e.id) AS counted) AS series
FROM dicom_studies d LEFT JOIN studies s ON s.id = d.study_id LEFT JOIN patients p ON p.id = s.patient_id
WHERE d.study_instance_uid = :uid`;

const text = z.string().nullable();
const PATIENT = z.object({ id: text, name: text, birthDate: text });
export const STUDY = z.object({
  studyInstanceUid: z.string(),
  status: text,
  rule: text,
  reason: text,
  decidedBy: text,
  decidedAt: text,
  contested: text,
  firstSeenAt: z.string(),
  modalities: z.array(z.string()),
  accessionNumber: text,
  accessionNumbers: z.array(z.string()),
  patient: PATIENT.nullable(),
  tags: z.array(
    z.object({
      orthancId: z.string(),
      accessionNumber: z.string(),
      patientId: z.string(),
      patientName: z.string(),
      birthDate: text,
      studyDate: text,
      description: z.string(),
    }),
  ),
  candidates: z.array(
    z.object({
      accessionNumber: z.string(),
      patient: PATIENT,
      modality: text,
      studyDate: text,
      procedure: text,
      orderStatus: z.string(),
    }),
  ),
  history: z.array(
    z.object({
      at: z.string(),
      by: z.string(),
      status: z.string(),
      rule: z.string(),
      reason: text,
      accessionNumber: text,
    }),
  ),
  series: z.array(
    z.object({
      seriesInstanceUid: z.string(),
      modality: z.string(),
      description: z.string(),
      images: z.number(),
      mirrored: z.number(),
      pending: z.number(),
      noPixels: z.number(),
      failed: z.number(),
    }),
  ),
});

/**
 * All that needs a person, the newest of each kind first; of provisional studies those first seen until then, of texts
 * without an order those held until then. Messages of a type that nobody takes are one item a type and sender, the newest
 * its subject. Of a kind that has more than are listed the last item, without a subject, says how many.
 */
export async function listWork(
  db: Knex,
  {
    provisionalBefore,
    orderlessBefore,
    timeZone,
    limit = MAX_LISTED,
  }: {
    readonly provisionalBefore: Date;
    readonly orderlessBefore: Date;
    readonly timeZone: string;
    /** Of each kind. */
    readonly limit?: number | undefined;
  },
): Promise<WorkItem[]> {
  const kinds = `{${WORK_KINDS.join(',')}}`;
  const nobodyTakes = JSON.stringify(Object.values(NOBODY_TAKES)).replace('[', '{').replace(']', '}');
  const rows = await query(
    db,
    LIST_WORK,
    { provisionalBefore, orderlessBefore, timeZone, limit, kinds, nobodyTakes },
    LISTED,
  );
  return rows.map((row) => ({ ...row, next: nextStep(row) }));
}

/** One DICOM study by its Study Instance UID; `null` for one that was never seen. */
export async function showStudy(db: Knex, studyInstanceUid: string): Promise<StudyView | null> {
  return (await query(db, SHOW_STUDY, { uid: studyInstanceUid }, STUDY))[0] ?? null;
}
