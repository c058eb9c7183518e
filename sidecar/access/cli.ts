import { randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { checked, type CommandLine } from '../platform/command-line.ts';
import { newApiKey } from './io/api-keys.ts';
import type { ListedKey } from './io/key-rows.ts';
import { API_KEY_NAME, API_KEY_SCOPES, type ApiKeyKind, type ApiKeyScope } from './rules/api-key.ts';
import { Failure } from '../platform/rules/failure.ts';
import { table } from '../platform/rules/table.ts';
import type { Viewer } from '../audit/rules/who.ts';

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

/** Opens what keys are kept in, and closes it when the work is done. */
export type WithKeys = (work: (deps: KeysDeps) => Promise<void>) => Promise<void>;

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

async function add(
  deps: KeysDeps,
  key: { readonly kind: ApiKeyKind; readonly name: string; readonly scope: ApiKeyScope; readonly sha256: string },
): Promise<void> {
  await deps.add(key, deps.by, deps.now());
}

function keysText(keys: readonly ListedKey[]): string {
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

const NAME = checked(API_KEY_NAME, '1 to 64 of A-Z, a-z, 0-9, ., _ and -');
const addFor = (command: Command): Command =>
  command.addOption(new Option('--for <WHAT>', 'what it is for').choices([...API_KEY_SCOPES]).makeOptionMandatory());
const scopeOf = ({ for: wanted }: { for: string }): ApiKeyScope =>
  API_KEY_SCOPES.find((one) => one === wanted) ?? 'upload';

function listAndWithdraw(group: Command, { terminal, action }: CommandLine, withKeys: WithKeys): void {
  group
    .command('list')
    .description('those keys and certificates: name, what for, made, used, withdrawn')
    .option('--json', 'print JSON')
    .action(
      action(async ({ json }: { json?: true }) => {
        await withKeys(async ({ list }) => {
          const all = await list();
          terminal.out(json === true ? `${JSON.stringify(all, null, 2)}\n` : keysText(all));
        });
        return 0;
      }),
    );
  group
    .command('withdraw')
    .description('let one of them in no more, within seconds')
    .argument('<NAME>', 'whose it is', NAME)
    .action(
      action(async (name: string) => {
        await withKeys(({ withdraw, by, now }) => withdraw(name, by, now()));
        terminal.out(`${name} is withdrawn\n`);
        return 0;
      }),
    );
}

/** `api-key` and `certificate`. */
export function accessCommands(line: CommandLine, withKeys: WithKeys): void {
  const { program, terminal, action } = line;
  const keys = program
    .command('api-key')
    .description('make a key for the settings: prints it, once, and the entry for API_KEYS or OPERATOR_API_KEYS')
    .argument('<NAME>', 'whose it is', NAME)
    .action(
      action((name: string) => {
        terminal.out(keyEntry(name));
        return Promise.resolve(0);
      }),
    );
  addFor(keys.command('add'))
    .description('make a key and let it in: prints it, once')
    .argument('<NAME>', 'whose it is', NAME)
    .action(
      action(async (name: string, options: { for: string }) => {
        const { key, entry } = newApiKey(name, randomBytes(32));
        const sha256 = entry.slice(name.length + 1);
        await withKeys((deps) => add(deps, { kind: 'key', name, scope: scopeOf(options), sha256 }));
        terminal.out(`key, for its owner only, shown this once: ${key}\n`);
        return 0;
      }),
    );
  listAndWithdraw(keys, line, withKeys);
  const certificates = program.command('certificate').description('client certificates, instead of keys');
  addFor(certificates.command('add'))
    .description('let a client certificate in, instead of a key')
    .argument('<NAME>', 'whose it is', NAME)
    .argument('<FILE.pem>', 'the certificate')
    .action(
      action(async (name: string, file: string, options: { for: string }) => {
        const [sha256, scope] = [fingerprintOf(file), scopeOf(options)];
        await withKeys((deps) => add(deps, { kind: 'certificate', name, scope, sha256 }));
        terminal.out(`${name} may come with that certificate (${scope})\n`);
        return 0;
      }),
    );
  listAndWithdraw(certificates, line, withKeys);
}
