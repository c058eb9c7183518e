import type { Knex } from 'knex';
import { z } from 'zod';

/** Names in place of ids: what a row is of, whatever number it got. */
const NAMES = `
SELECT 'patients' AS name_of, CAST(id AS text) AS id, concat_ws(' ', source, external_id, '@' || issuer, name) AS name FROM patients
UNION ALL SELECT 'studies', CAST(id AS text), concat_ws(' ', source, accession_key, CASE source WHEN 'dicom' THEN study_instance_uid END)
  FROM studies
UNION ALL SELECT 'hl7_messages', CAST(id AS text), control_id || ' ' || content_hash FROM hl7_messages
UNION ALL SELECT 'dicom_studies', CAST(id AS text), study_instance_uid FROM dicom_studies
UNION ALL SELECT 'reports', CAST(r.id AS text), s.accession_key || ' ' || r.version FROM reports r JOIN studies s ON s.id = r.study_id`;

const TABLES: Readonly<Record<string, string>> = {
  patients: '',
  patient_facts: '',
  patient_merges: '',
  studies: '',
  study_facts: '',
  hl7_messages: '',
  reports: '',
  report_attachments: '',
  sms_messages: '',
  dicom_studies: '',
  dicom_study_links: '',
  series: '',
  failures: '',
  // How it came to what it is: what stood only until the next message is not there when they are taken together.
  link_decisions: 'WHERE id IN (SELECT max(id) FROM link_decisions GROUP BY dicom_study_id)',
};

const REFERS: Readonly<Record<string, string>> = {
  patient_id: 'patients',
  merged_into: 'patients',
  prior_id: 'patients',
  survivor_id: 'patients',
  study_id: 'studies',
  candidate_ids: 'studies',
  hl7_message_id: 'hl7_messages',
  dicom_study_id: 'dicom_studies',
  report_id: 'reports',
};

// Which version `shown_at` is of, and stays of: what could be shown only until the next message came is not known where
// they are taken together.
const BY_THE_WAY = new Set(['sms_messages.report_id']);

const NAME = z.object({ name_of: z.string(), id: z.string(), name: z.string() });
const SAYS = new Set(['said_at', 'scheduled_at', 'reported_at']);

async function rowsOf<T>(db: Knex, sql: string, row: z.ZodType<T>): Promise<T[]> {
  const result: unknown = await db.raw(sql);
  return z.object({ rows: z.array(row) }).parse(result).rows;
}

/** Every table that a message may change, a line a row, without ids and the times at which rows were written. */
export async function allTables(db: Knex): Promise<string[]> {
  const names = new Map((await rowsOf(db, NAMES, NAME)).map(({ name_of, id, name }) => [`${name_of} ${id}`, name]));
  const value = (column: string, cell: unknown): unknown => {
    const refers = REFERS[column];
    const nameOf = (id: unknown): string => names.get(`${refers ?? ''} ${String(id)}`) ?? `unknown ${String(id)}`;
    if (column === 'acknowledgment') return /MSA[^\r]*(\rERR[^\r]*)?/.exec(String(cell))?.[0];
    if (refers === undefined || cell === null) return cell;
    return Array.isArray(cell) ? cell.map(nameOf).sort() : nameOf(cell);
  };
  const lines: string[] = [];
  for (const [table, where] of Object.entries(TABLES)) {
    const rows = await rowsOf(db, `SELECT * FROM ${table} ${where}`, z.record(z.string(), z.unknown()));
    const told = rows.map((row) =>
      Object.entries(row).flatMap(([column, cell]) =>
        column === 'id' || BY_THE_WAY.has(`${table}.${column}`) || (column.endsWith('_at') && !SAYS.has(column))
          ? []
          : [[column, value(column, cell)]],
      ),
    );
    lines.push(...told.map((row) => `${table} ${JSON.stringify(row)}`).sort());
  }
  // The order in which messages came is that of their ids.
  const order = await rowsOf(
    db,
    'SELECT control_id AS id FROM hl7_messages ORDER BY hl7_messages.id',
    z.object({ id: z.string() }),
  );
  lines.push(`messages in order: ${order.map(({ id }) => id).join(' ')}`);
  const untexted = `SELECT s.id FROM sms_messages s WHERE s.state = 'queued' AND NOT EXISTS (
    SELECT FROM graphile_worker.jobs j WHERE j.key = 'send-sms:' || s.id)`;
  lines.push(`texts without a job: ${(await rowsOf(db, untexted, z.unknown())).length}`);
  return lines;
}
