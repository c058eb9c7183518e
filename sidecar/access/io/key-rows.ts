import type { Knex } from 'knex';
import { z } from 'zod';
import { API_KEY_SCOPES, type ApiKeyKind, type ApiKeyScope, type RegisteredKey } from '../rules/api-key.ts';
import type { AuditEvent } from '../../audit/rules/entry.ts';
import { Failure } from '../../platform/rules/failure.ts';
import { appendAudit } from '../../audit/io/rows.ts';
import { execute, ID_ROW, query } from '../../platform/postgres/query.ts';
import type { Viewer } from '../../audit/rules/who.ts';

export const LOAD_KEYS = `
SELECT id, name, kind, scope, sha256, withdrawn_at AS "withdrawnAt" FROM api_keys
WHERE withdrawn_at IS NULL OR withdrawn_at > now() - interval '90 days'`;

export const MARK_USED = `
UPDATE api_keys SET last_used_at = :now
WHERE id = :id AND (last_used_at IS NULL OR last_used_at < :now::timestamptz - interval '1 minute')`;

const ADD_KEY = `
INSERT INTO api_keys (name, kind, scope, sha256, created_at) VALUES (:name, :kind, :scope, :sha256, :now)
ON CONFLICT DO NOTHING RETURNING id`;

const WITHDRAW_KEY = `
UPDATE api_keys SET withdrawn_at = :now WHERE name = :name AND withdrawn_at IS NULL RETURNING id`;

const LIST_KEYS = `
SELECT name, kind, scope, created_at AS "createdAt", last_used_at AS "lastUsedAt", withdrawn_at AS "withdrawnAt"
FROM api_keys ORDER BY withdrawn_at IS NOT NULL, name, created_at`;

const KEY = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(['key', 'certificate']),
  scope: z.enum(API_KEY_SCOPES),
  sha256: z.string(),
  withdrawnAt: z.date().nullable(),
});

const LISTED = KEY.omit({ id: true, sha256: true }).extend({ createdAt: z.date(), lastUsedAt: z.date().nullable() });
export type ListedKey = z.output<typeof LISTED>;

/** Runs `change`, which gives whether it changed anything, and writes that down in one transaction with it. */
function audited(
  db: Knex,
  event: AuditEvent,
  { name, scope, by, now }: { name: string; scope?: ApiKeyScope; by: Viewer; now: Date },
  change: (trx: Knex.Transaction) => Promise<boolean>,
): Promise<boolean> {
  return db.transaction(async (trx) => {
    if (!(await change(trx))) return false;
    const detail = { name, ...(scope !== undefined && { scope }) };
    await appendAudit(trx, [{ at: now, event, who: by.who, source: by.from, what: event, outcome: 'ok', detail }]);
    return true;
  });
}

/** The statements of keys and certificates that the command line registers. */
export function keyStatements(db: Knex) {
  return {
    /** Those that hold, and those withdrawn in the last 90 days, so that a refusal can say so. */
    load: (): Promise<RegisteredKey[]> => query(db, LOAD_KEYS, {}, KEY),
    /** Says when a key was used, to the minute. */
    markUsed: (id: string, now: Date): Promise<void> => execute(db, MARK_USED, { id, now }),
    list: (): Promise<ListedKey[]> => query(db, LIST_KEYS, {}, LISTED),
    /**
     * Written in the audit log with it.
     * @throws Failure permanent `key-exists` where one that holds has that name, or is that key or certificate.
     */
    async add(
      key: { name: string; kind: ApiKeyKind; scope: ApiKeyScope; sha256: string },
      by: Viewer,
      now: Date,
    ): Promise<void> {
      const add = async (trx: Knex.Transaction) => (await query(trx, ADD_KEY, { ...key, now }, ID_ROW)).length > 0;
      if (await audited(db, 'key-made', { ...key, by, now }, add)) return;
      throw new Failure(
        'permanent',
        'key-exists',
        'one of that name, or that certificate, is there: withdraw it first',
      );
    },
    /**
     * Written in the audit log with it.
     * @throws Failure permanent `key-unknown` where none of that name holds.
     */
    async withdraw(name: string, by: Viewer, now: Date): Promise<void> {
      const withdraw = async (trx: Knex.Transaction) =>
        (await query(trx, WITHDRAW_KEY, { name, now }, ID_ROW)).length > 0;
      if (await audited(db, 'key-withdrawn', { name, by, now }, withdraw)) return;
      throw new Failure('permanent', 'key-unknown', 'there is none of that name that holds');
    },
  };
}
