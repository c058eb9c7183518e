/** A device's key: never the key itself, only the SHA-256 of it (32 random bytes need no slower hash). */
export interface ApiKey {
  readonly name: string;
  readonly sha256: string;
}

/** What a key or certificate can be for: sending images, or what operators do. Each is for one. */
export const API_KEY_SCOPES = ['upload', 'operator'] as const;
export type ApiKeyScope = (typeof API_KEY_SCOPES)[number];

export type ApiKeyKind = 'key' | 'certificate';

/** A key, or a client certificate by its fingerprint, that was made or registered by the command line. */
export interface RegisteredKey extends ApiKey {
  readonly id: string;
  readonly kind: ApiKeyKind;
  readonly scope: ApiKeyScope;
  readonly withdrawnAt: Date | null;
}

/** What a key may be called. */
export const API_KEY_NAME = /^[A-Za-z0-9._-]{1,64}$/;

const ENTRY = /^([A-Za-z0-9._-]{1,64}):([0-9a-fA-F]{64})$/;

/**
 * Reads the setting: `name:sha256` entries parted by commas, blanks or line ends. `problems` names each entry that
 * cannot be used by its position, never by its text.
 */
export function parseApiKeys(setting: string): { keys: readonly ApiKey[]; problems: readonly string[] } {
  const keys: ApiKey[] = [];
  const problems: string[] = [];
  for (const [index, entry] of setting
    .split(/[\s,]+/)
    .filter((text) => text !== '')
    .entries()) {
    const [, name, sha256] = ENTRY.exec(entry) ?? [];
    if (name === undefined || sha256 === undefined) {
      problems.push(`entry ${index + 1} is not name:sha256 (npx axis api-key NAME makes one)`);
    } else if (keys.some((key) => key.name === name)) {
      problems.push(`entry ${index + 1} has the name of an earlier one`);
    } else {
      keys.push({ name, sha256: sha256.toLowerCase() });
    }
  }
  return { keys, problems };
}
