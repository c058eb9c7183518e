import type { Knex } from 'knex';
import { z } from 'zod';
import { API_KEY_SCOPES, type ApiKeyKind, type ApiKeyScope, type RegisteredKey } from '../../core/api-key.ts';
import { Failure } from '../../core/failure.ts';
import { execute, ID_ROW, query } from './query.ts';

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

/** The statements of keys and certificates that the command line registers. */
export function keyStatements(db: Knex) {
  return {
    /** Those that hold, and those withdrawn in the last 90 days, so that a refusal can say so. */
    load: (): Promise<RegisteredKey[]> => query(db, LOAD_KEYS, {}, KEY),
    /** Says when a key was used, to the minute. */
    markUsed: (id: string, now: Date): Promise<void> => execute(db, MARK_USED, { id, now }),
    list: (): Promise<ListedKey[]> => query(db, LIST_KEYS, {}, LISTED),
    /** @throws Failure permanent `key-exists` where one that holds has that name, or is that key or certificate. */
    async add(key: { name: string; kind: ApiKeyKind; scope: ApiKeyScope; sha256: string }, now: Date): Promise<void> {
      const [added] = await query(db, ADD_KEY, { ...key, now }, ID_ROW);
      if (added !== undefined) return;
      throw new Failure(
        'permanent',
        'key-exists',
        'one of that name, or that certificate, is there: withdraw it first',
      );
    },
    /** @throws Failure permanent `key-unknown` where none of that name holds. */
    async withdraw(name: string, now: Date): Promise<void> {
      const [withdrawn] = await query(db, WITHDRAW_KEY, { name, now }, ID_ROW);
      if (withdrawn === undefined)
        throw new Failure('permanent', 'key-unknown', 'there is none of that name that holds');
    },
  };
}
