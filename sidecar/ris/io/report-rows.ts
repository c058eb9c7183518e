import type { Knex } from 'knex';
import { z } from 'zod';
import type { FactChanges, ReportRow } from '../rules/fold.ts';
import { execute, query } from '../../platform/postgres/query.ts';
import { patientsContradict } from '../rules/same-patient.ts';

const FORGET_REPORTS = `
WITH brought AS (
  SELECT r.id, s.accession_key FROM reports r JOIN studies s ON s.id = r.study_id WHERE r.hl7_message_id = :messageId
), attachments AS (
  DELETE FROM report_attachments WHERE report_id IN (SELECT id FROM brought)
)
DELETE FROM reports
WHERE id IN (SELECT id FROM brought WHERE accession_key <> ALL (CAST(:keys AS text[])))`;

// Served by index reports_study_id_version_key.
export const SAVE_REPORT = `
INSERT INTO reports AS r (study_id, version, status, body, sections, text_stands, reported_at, undated, hl7_message_id,
                          said_at, patient_id, created_at)
SELECT :studyId, 1 + coalesce((SELECT max(version) FROM reports WHERE study_id = :studyId), 0), :status, :body,
       CAST(:sections AS jsonb), :textStands, CAST(:reportedAt AS timestamptz), :undated, :messageId, :saidAt, :patientId, :now
ON CONFLICT (study_id, hl7_message_id) DO UPDATE
  SET status = EXCLUDED.status, body = EXCLUDED.body, sections = EXCLUDED.sections, text_stands = EXCLUDED.text_stands,
      reported_at = EXCLUDED.reported_at, undated = EXCLUDED.undated, patient_id = EXCLUDED.patient_id`;

// Whenever the text that stands comes, it is that of the last report before with one of its own.
// Served by index reports_study_id_version_key.
export const LET_TEXT_STAND = `
UPDATE reports r SET body = before.body, sections = before.sections
FROM reports s JOIN LATERAL (
  SELECT b.body, b.sections FROM reports b
  WHERE b.study_id = s.study_id AND NOT b.text_stands AND (b.said_at, b.hl7_message_id) < (s.said_at, s.hl7_message_id)
  ORDER BY b.said_at DESC, b.hl7_message_id DESC LIMIT 1
) before ON true
WHERE r.id = s.id AND s.study_id = ANY (CAST(:studyIds AS bigint[])) AND s.text_stands AND r.body <> before.body`;

const SAVE_ATTACHMENT = `
INSERT INTO report_attachments (report_id, ordinal, content_type, content)
SELECT id, :ordinal, :contentType, :content FROM reports WHERE study_id = :studyId AND hl7_message_id = :messageId`;

const identifiers = (alias: string): string => `
  (SELECT jsonb_agg(jsonb_build_object('id', m.external_id, 'issuer', coalesce(m.issuer, '')))
   FROM patients m WHERE m.id = ${alias}.id OR m.merged_into = ${alias}.id)`;
// Whom the report itself names, beside whose the study is.
// Served by indexes studies_pkey, patients_pkey, patient_facts_patient.
export const LOAD_REPORT_PATIENTS = `
SELECT r.id, r.withheld,
       jsonb_build_object('name', coalesce(f.facts ->> 'name', ''), 'birthDate', f.facts ->> 'birthDate',
                          'ids', ${identifiers('named')}) AS named,
       jsonb_build_object('name', coalesce(owner.name, ''), 'birthDate', owner.birth_date,
                          'ids', ${identifiers('owner')}) AS owner
FROM reports r JOIN studies s ON s.id = r.study_id JOIN patients owner ON owner.id = s.patient_id
JOIN patients named ON named.id = r.patient_id
LEFT JOIN patient_facts f ON f.hl7_message_id = r.hl7_message_id AND f.patient_id = r.patient_id
WHERE s.id = ANY (CAST(:studyIds AS bigint[]))`;

const SIDE = z.object({
  name: z.string(),
  birthDate: z.string().nullable(),
  ids: z.array(z.object({ id: z.string(), issuer: z.string() })),
});
const REPORT_PATIENT = z.object({
  id: z.string(),
  withheld: z.string().nullable(),
  named: SIDE,
  owner: SIDE,
});

const WITHHOLD = 'UPDATE reports SET withheld = :reason WHERE id = :id';

const patientSide = ({ name, birthDate, ids }: z.output<typeof SIDE>) => ({
  patientIds: ids,
  patientName: name,
  birthDate,
});

type ReportPatient = z.output<typeof REPORT_PATIENT>;

/** The statements of reports, inside one transaction. */
export function reportStatements(trx: Knex.Transaction) {
  const saveOne = async ({ report, ...row }: ReportRow, now: Date): Promise<void> => {
    const { status, body, reportedAt, textStands = false, undated = false } = report;
    const { studyId, messageId } = row;
    const sections = JSON.stringify(report.sections);
    await Promise.all([
      execute(trx, SAVE_REPORT, { ...row, status, body, sections, textStands, reportedAt, undated, now }),
      ...report.attachments.map(({ contentType, base64 }, ordinal) => {
        const content = Buffer.from(base64, 'base64');
        return execute(trx, SAVE_ATTACHMENT, { studyId, messageId, ordinal, contentType, content });
      }),
    ]);
  };
  return {
    /** Takes back the attachments that a kept message brought, and its reports for other studies than these. */
    forget: (messageId: string, keys: readonly string[]) => execute(trx, FORGET_REPORTS, { messageId, keys }),

    /**
     * Keeps each report as its study's next version, in place of what its message said before, and gives each of these
     * studies that only makes a text final the text that it means.
     */
    async save({ reports, reportedIds }: FactChanges, now: Date): Promise<void> {
      if (reportedIds.length === 0) return;
      const saved = reports.map((report) => saveOne(report, now));
      await Promise.all([...saved, execute(trx, LET_TEXT_STAND, { studyIds: reportedIds })]);
    },

    /** Whom the reports of these studies name, beside whose the studies are. */
    loadPatients: (studyIds: readonly string[]): Promise<ReportPatient[]> =>
      studyIds.length === 0 ? Promise.resolve([]) : query(trx, LOAD_REPORT_PATIENTS, { studyIds }, REPORT_PATIENT),

    /** Withholds each of these reports that names another patient than its study's, and no other. */
    async withhold(reports: readonly ReportPatient[]): Promise<void> {
      const changed = reports.flatMap(({ id, withheld, named, owner }) => {
        const reason = patientsContradict(patientSide(named), patientSide(owner)) ? 'patient-differs' : null;
        return reason === withheld ? [] : [{ id, reason }];
      });
      await Promise.all(changed.map((row) => execute(trx, WITHHOLD, row)));
    },
  };
}
