import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request } from 'express';
import type { ApiKey } from '../rules/api-key.ts';

/** What is kept of a key. */
export const hashOf = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();

/** A new key from 32 random bytes, to be shown once, and the entry of the setting that lets it in. */
export function newApiKey(name: string, random: Buffer): { key: string; entry: string } {
  const key = `axis_${random.toString('base64url')}`;
  return { key, entry: `${name}:${hashOf(key).toString('hex')}` };
}

/** The name of the key that `presented` is, or `null`. Takes the same time whichever it is, and for none. */
export function findApiKey(keys: readonly ApiKey[], presented: string): string | null {
  const hash = hashOf(presented);
  let found: string | null = null;
  for (const key of keys) {
    if (timingSafeEqual(hash, Buffer.from(key.sha256, 'hex'))) found = key.name;
  }
  return found;
}

/** The key that a request shows, as `Authorization: Bearer` or `X-API-Key`; `''` for none. */
export function presentedKey(request: Request): string {
  const [, bearer] = /^Bearer +(\S+)$/i.exec(request.get('authorization') ?? '') ?? [];
  return bearer ?? request.get('x-api-key') ?? '';
}
