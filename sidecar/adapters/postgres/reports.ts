import type { Knex } from 'knex';
import { z } from 'zod';
import { accessionKey } from '../../core/accession.ts';
import { patientsContradict } from '../../core/match.ts';
import type { Report } from '../../core/report.ts';
import { execute, ID_ROW, query } from './query.ts';

const FORGET_MOVED_REPORTS = `
WITH moved AS (
  SELECT r.id FROM reports r JOIN studies s ON s.id = r.study_id
  WHERE r.hl7_message_id = :messageId AND s.accession_key <> ALL (CAST(:keys AS text[]))
), attachments AS (
  DELETE FROM report_attachments WHERE report_id IN (SELECT id FROM moved)
)
DELETE FROM reports WHERE id IN (SELECT id FROM moved)`;

const SAVE_REPORT = `
INSERT INTO reports AS r (study_id, version, status, body, text_stands, reported_at, hl7_message_id, said_at, patient_id,
                          created_at)
SELECT s.id, 1 + coalesce((SELECT max(version) FROM reports WHERE study_id = s.id), 0), :status, :body, :textStands,
       CAST(:reportedAt AS timestamptz), :messageId, :saidAt, :patientId, :now
FROM studies s WHERE s.accession_key = :key
ON CONFLICT (study_id, hl7_message_id) DO UPDATE
  SET status = EXCLUDED.status, body = EXCLUDED.body, text_stands = EXCLUDED.text_stands, reported_at = EXCLUDED.reported_at,
      patient_id = EXCLUDED.patient_id
RETURNING id`;

// Whenever the text that stands comes, it is that of the last report before with one of its own.
export const LET_TEXT_STAND = `
UPDATE reports r SET body = before.body
FROM reports s JOIN LATERAL (
  SELECT b.body FROM reports b
  WHERE b.study_id = s.study_id AND NOT b.text_stands AND (b.said_at, b.hl7_message_id) < (s.said_at, s.hl7_message_id)
  ORDER BY b.said_at DESC, b.hl7_message_id DESC LIMIT 1
) before ON true
WHERE r.id = s.id AND s.study_id = ANY (CAST(:studyIds AS bigint[])) AND s.text_stands AND r.body <> before.body`;

const FORGET_ATTACHMENTS = 'DELETE FROM report_attachments WHERE report_id = :reportId';
const SAVE_ATTACHMENT = `
INSERT INTO report_attachments (report_id, ordinal, content_type, content) VALUES (:reportId, :ordinal, :contentType, :content)`;

const identifiers = (alias: string): string => `
  (SELECT jsonb_agg(jsonb_build_object('id', m.external_id, 'issuer', coalesce(m.issuer, '')))
   FROM patients m WHERE m.id = ${alias}.id OR m.merged_into = ${alias}.id)`;
// Whom the report itself names, beside whose the study is.
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

/** The statements of reports, inside one transaction. */
export function reportStatements(trx: Knex.Transaction) {
  return {
    /** Keeps the message's reports, each as its study's next version, in place of what it said before. */
    async saveReports(
      messageId: string,
      saidAt: Date,
      reports: readonly { readonly patientId: string; readonly report: Report }[],
      now: Date,
    ): Promise<void> {
      const keys = reports.map(({ report }) => accessionKey(report.study.accessionNumber));
      await execute(trx, FORGET_MOVED_REPORTS, { messageId, keys });
      for (const [index, { patientId, report }] of reports.entries()) {
        const { status, body, reportedAt, textStands = false } = report;
        const key = keys[index] ?? '';
        const row = { key, status, body, textStands, reportedAt, messageId, saidAt, patientId, now };
        const [saved] = await query(trx, SAVE_REPORT, row, ID_ROW);
        if (saved === undefined) throw new Error('the study of a report is not there');
        await execute(trx, FORGET_ATTACHMENTS, { reportId: saved.id });
        for (const [ordinal, { contentType, base64 }] of report.attachments.entries()) {
          const content = Buffer.from(base64, 'base64');
          await execute(trx, SAVE_ATTACHMENT, { reportId: saved.id, ordinal, contentType, content });
        }
      }
    },

    /** Gives each report of these studies that only makes a text final the text that it means. */
    letTextStand: (studyIds: readonly string[]) =>
      execute(trx, LET_TEXT_STAND, { studyIds: `{${studyIds.join(',')}}` }),

    /** Withholds each report of these studies that names another patient than its study's, and no other. */
    async withholdReports(studyIds: readonly string[]): Promise<void> {
      const rows = await query(trx, LOAD_REPORT_PATIENTS, { studyIds: `{${studyIds.join(',')}}` }, REPORT_PATIENT);
      for (const { id, withheld, named, owner } of rows) {
        const contradicts = patientsContradict(patientSide(named), patientSide(owner));
        const reason = contradicts ? 'patient-differs' : null;
        if (reason !== withheld) await execute(trx, WITHHOLD, { id, reason });
      }
    },
  };
}
