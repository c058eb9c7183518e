import { randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { newApiKey } from './io/api-keys.ts';
import type { ListedKey } from './io/key-rows.ts';
import { API_KEY_NAME, API_KEY_SCOPES, type ApiKeyKind, type ApiKeyScope } from './rules/api-key.ts';
import { Failure } from '../platform/rules/failure.ts';
import { table } from '../platform/rules/table.ts';
import { parseLine, UsageError } from '../platform/usage.ts';
import type { Viewer } from '../audit/rules/who.ts';

export const KEYS_USAGE = `  api-key NAME                 make a key for the settings: prints it, once, and the entry for API_KEYS or
                               OPERATOR_API_KEYS
  api-key add NAME --for upload|operator
                               make a key and let it in: prints it, once
  certificate add NAME FILE.pem --for upload|operator
                               let a client certificate in, instead of a key
  api-key list                 those keys and certificates: name, what for, made, used, withdrawn
  api-key withdraw NAME        let one of them in no more, within seconds
`;

export type KeysLine =
  | { readonly act: 'entry'; readonly name: string }
  | {
      readonly act: 'add';
      readonly kind: ApiKeyKind;
      readonly name: string;
      readonly scope: ApiKeyScope;
      readonly file: string;
    }
  | { readonly act: 'list'; readonly json: boolean }
  | { readonly act: 'withdraw'; readonly name: string };

export interface KeysDeps {
  readonly add: (
    key: { name: string; kind: ApiKeyKind; scope: ApiKeyScope; sha256: string },
    by: Viewer,
    now: Date,
  ) => Promise<void>;
  readonly withdraw: (name: string, by: Viewer, now: Date) => Promise<void>;
  readonly list: () => Promise<readonly ListedKey[]>;
  readonly now: () => Date;
  /** Who sits at the command line. */
  readonly by: Viewer;
}

const named = (name: string | undefined): string => {
  if (name !== undefined && API_KEY_NAME.test(name)) return name;
  throw new UsageError('a key is named by 1 to 64 of A-Z, a-z, 0-9, ., _ and -');
};

/** Reads `api-key …` and `certificate …`; `null` for another command. @throws UsageError */
export function readKeysLine(args: readonly string[]): KeysLine | null {
  const [command] = args;
  if (command !== 'api-key' && command !== 'certificate') return null;
  const options = { for: { type: 'string' }, json: { type: 'boolean', default: false } } as const;
  const { values, positionals } = parseLine({ args: args.slice(1), allowPositionals: true, options });
  const [act, name, file, ...rest] = positionals;
  const most = act === 'list' ? 1 : act === 'add' && command === 'certificate' ? 3 : 2;
  if (positionals.length > most || rest.length > 0) throw new UsageError(`${command} ${act ?? ''} takes less`);
  switch (act) {
    case 'add': {
      const scope = API_KEY_SCOPES.find((one) => one === values.for);
      if (scope === undefined) throw new UsageError(`${command} add needs --for ${API_KEY_SCOPES.join(' or --for ')}`);
      if (command === 'certificate' && file === undefined)
        throw new UsageError('certificate add needs NAME and FILE.pem');
      return { act, kind: command === 'api-key' ? 'key' : 'certificate', name: named(name), scope, file: file ?? '' };
    }
    case 'list':
      return { act, json: values.json };
    case 'withdraw':
      return { act, name: named(name) };
    case undefined:
    default:
      if (command === 'certificate' || name !== undefined) throw new UsageError(`${command} add, list or withdraw`);
      return { act: 'entry', name: named(act) };
  }
}

/** A key for the settings, and its entry there. Needs no database. */
export function keyEntry(name: string): string {
  const { key, entry } = newApiKey(name, randomBytes(32));
  return `key, for its owner only:                       ${key}\nentry, for API_KEYS or OPERATOR_API_KEYS:      ${entry}\n`;
}

function fingerprintOf(file: string): string {
  try {
    return new X509Certificate(readFileSync(file)).fingerprint256.replaceAll(':', '').toLowerCase();
  } catch (cause) {
    throw new Failure('permanent', 'no-certificate', `${file} is no certificate in PEM that can be read`, { cause });
  }
}

const minute = (date: Date | null): string | null => date && date.toISOString().slice(0, 16).replace('T', ' ');

/** Does what the line says and gives what to print. @throws Failure where it cannot be done. */
export async function runKeysLine(deps: KeysDeps, line: Exclude<KeysLine, { act: 'entry' }>): Promise<string> {
  const { now, by } = deps;
  switch (line.act) {
    case 'add': {
      const { kind, name, scope } = line;
      if (kind === 'certificate') {
        await deps.add({ kind, name, scope, sha256: fingerprintOf(line.file) }, by, now());
        return `${name} may come with that certificate (${scope})\n`;
      }
      const { key, entry } = newApiKey(name, randomBytes(32));
      await deps.add({ kind, name, scope, sha256: entry.slice(name.length + 1) }, by, now());
      return `key, for its owner only, shown this once: ${key}\n`;
    }
    case 'withdraw':
      await deps.withdraw(line.name, by, now());
      return `${line.name} is withdrawn\n`;
    case 'list': {
      const keys = await deps.list();
      if (line.json) return `${JSON.stringify(keys, null, 2)}\n`;
      if (keys.length === 0) return 'there are none but those of the settings\n';
      return table(
        ['name', 'what', 'for', 'made (UTC)', 'used', 'withdrawn'],
        keys.map((key) => [
          key.name,
          key.kind,
          key.scope,
          minute(key.createdAt),
          minute(key.lastUsedAt),
          minute(key.withdrawnAt),
        ]),
      );
    }
  }
}
