import type { Knex } from 'knex';
import { z } from 'zod';
import { AUDIT_EVENTS, AUDIT_OUTCOMES, auditText, type AuditEntry, type AuditRow } from '../rules/entry.ts';
import { execute, query } from '../../platform/postgres/query.ts';

export const APPEND_AUDIT = `
INSERT INTO audit_log (at, event, who, source, what, study_instance_uid, accession_number, hl7_message_id, outcome, detail)
SELECT CAST(e->>'at' AS timestamptz), e->>'event', e->>'who', e->>'source', e->>'what', e->>'studyInstanceUid',
       e->>'accessionNumber', CAST(e->>'hl7MessageId' AS bigint), e->>'outcome', e->'detail'
FROM jsonb_array_elements(CAST(:entries AS jsonb)) WITH ORDINALITY AS given(e, n) ORDER BY n`;

const AT = `to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

export const READ_AUDIT = `
SELECT id, ${AT} AS at, event, who, source, what, study_instance_uid AS "studyInstanceUid",
       accession_number AS "accessionNumber", hl7_message_id AS "hl7MessageId", outcome, detail, encode(hash, 'hex') AS hash
FROM audit_log
WHERE id > :after AND at >= coalesce(CAST(:since AS timestamptz), '-infinity')
  AND at < coalesce(CAST(:until AS timestamptz), 'infinity')
ORDER BY id LIMIT :limit`;

const ROW = z.object({
  id: z.coerce.number(),
  at: z.string(),
  event: z.enum(AUDIT_EVENTS),
  who: z.string(),
  source: z.string(),
  what: z.string(),
  studyInstanceUid: z.string().nullable(),
  accessionNumber: z.string().nullable(),
  hl7MessageId: z.string().nullable(),
  outcome: z.enum(AUDIT_OUTCOMES),
  detail: z.record(z.string(), z.unknown()),
  hash: z.string(),
});

const textOrNull = (text: string | null | undefined): string | null => (text == null ? null : auditText(text));

/** Appends the entries in their order, as one statement. */
export async function appendAudit(db: Knex, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const rows = entries.map((entry) => ({
    at: entry.at.toISOString(),
    event: entry.event,
    who: auditText(entry.who),
    source: auditText(entry.source),
    what: auditText(entry.what),
    studyInstanceUid: textOrNull(entry.studyInstanceUid),
    accessionNumber: textOrNull(entry.accessionNumber),
    hl7MessageId: entry.hl7MessageId ?? null,
    outcome: entry.outcome,
    detail: entry.detail ?? {},
  }));
  await execute(db, APPEND_AUDIT, { entries: JSON.stringify(rows) });
}

/** The statements of the audit log inside one transaction. What appends holds all others up until it ends: come last. */
export function auditStatements(trx: Knex.Transaction) {
  return { audit: (entry: AuditEntry) => appendAudit(trx, [entry]) };
}

/** Rows after the one with that id, of `since` (inclusive) to `until` (exclusive) where these are given. */
export function readAudit(
  db: Knex,
  after: number,
  limit: number,
  time: { readonly since: Date | null; readonly until: Date | null } = { since: null, until: null },
): Promise<AuditRow[]> {
  return query(db, READ_AUDIT, { after, limit, ...time }, ROW);
}

export const READ_AUDIT_CURSOR = 'SELECT sent_id AS id FROM audit_export';
export const SAVE_AUDIT_CURSOR = `
INSERT INTO audit_export (sent_id, sent_at) VALUES (:id, :now)
ON CONFLICT (only_row) DO UPDATE SET sent_id = EXCLUDED.sent_id, sent_at = EXCLUDED.sent_at`;

const ID = z.object({ id: z.coerce.number() });

/** The id of the last row that was sent by syslog; 0 before the first. */
export async function readAuditCursor(db: Knex): Promise<number> {
  return (await query(db, READ_AUDIT_CURSOR, {}, ID))[0]?.id ?? 0;
}

export const saveAuditCursor = (db: Knex, id: number, now: Date): Promise<void> =>
  execute(db, SAVE_AUDIT_CURSOR, { id, now });

// As sql/0012-audit-log.sql has it, but said here, with nothing but what PostgreSQL itself brings.
const DIGEST = `sha256(former || convert_to(CAST(jsonb_build_array(
  id, ${AT}, event, who, source, what, study_instance_uid, accession_number, hl7_message_id, outcome, detail) AS text), 'UTF8'))`;

export const CHECK_AUDIT = `
SELECT id, encode(former, 'hex') AS former, encode(hash, 'hex') AS hash, hash = ${DIGEST} AS intact
FROM audit_log WHERE id > :after ORDER BY id LIMIT :limit`;
export const READ_AUDIT_HEAD = `SELECT id, encode(hash, 'hex') AS hash FROM audit_head`;
export const READ_FORGOTTEN = `
SELECT (detail->>'upTo') AS id, detail->>'hash' AS hash FROM audit_log WHERE event = 'audit-forgotten' ORDER BY id DESC LIMIT 1`;

const LINK = z.object({ id: z.coerce.number(), former: z.string(), hash: z.string(), intact: z.boolean() });
const END = z.object({ id: z.coerce.number(), hash: z.string() });

/** One row as the check of the chain sees it; `intact`: its hash is that of its content. */
export type AuditLink = z.output<typeof LINK>;

/** What the check of the chain reads; a page is a statement of its own. */
export const auditChain = (db: Knex) => ({
  links: (after: number, limit: number): Promise<AuditLink[]> => query(db, CHECK_AUDIT, { after, limit }, LINK),
  /** Where the chain ends, as the row that all who append hold says. */
  head: async () => (await query(db, READ_AUDIT_HEAD, {}, END))[0] ?? null,
  /** The last row that was forgotten on purpose, as the log tells it. */
  forgotten: async () => (await query(db, READ_FORGOTTEN, {}, END))[0] ?? null,
});
