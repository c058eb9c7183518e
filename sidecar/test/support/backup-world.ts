import { execFile } from 'node:child_process';
import { startChild, type Child } from '../../dev/child.ts';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianRoot } from '../../dev/orthanc-root.ts';
import { startPostgres, type PostgresProcess } from '../../dev/postgres-process.ts';
import type { Rig } from './rig.ts';

const CLI = fileURLToPath(new URL('../../cli.ts', import.meta.url));
const POSTGRES = '/usr/lib/postgresql/17';

/** What ran to its end. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** What backups need beside a rig: a Postgres whose own programs are there, restic, a repository and a work folder. */
export interface BackupWorld extends AsyncDisposable {
  readonly postgres: PostgresProcess;
  readonly folder: string;
  readonly repository: string;
  readonly password: string;
  /** A PATH with restic and Postgres' programs, as an image of backups has them. */
  readonly path: string;
  /** The settings that lead to these and to a rig's servers. */
  settings(rig: Rig): Readonly<Record<string, string>>;
  /** Starts the service of backups with these settings over those. */
  serve(rig: Rig, over?: Readonly<Record<string, string>>): Child;
  /** Runs the operators' command line with these settings over those. */
  axis(rig: Rig, args: readonly string[], over?: Readonly<Record<string, string>>): Promise<Outcome>;
}

/** The Debian folder's programs, run on this machine with that folder's libraries. */
function installPrograms(bin: string): void {
  const root = debianRoot();
  const libraries = readdirSync(join(root, 'usr/lib')).find((name) => name.endsWith('-linux-gnu')) ?? '';
  const loader = readdirSync(join(root, 'usr/lib', libraries)).find((name) => name.startsWith('ld-linux')) ?? '';
  const folder = join(root, 'usr/lib', libraries);
  mkdirSync(bin);
  const programs = [
    ['restic', '/usr/bin'],
    ...['pg_dump', 'pg_restore', 'psql'].map((name) => [name, `${POSTGRES}/bin`]),
  ];
  for (const [name = '', where = ''] of programs) {
    const line = `exec '${join(folder, loader)}' --library-path '${folder}' '${join(root, where, name)}' "$@"`;
    writeFileSync(join(bin, name), `#!/bin/sh\n${line}\n`);
    chmodSync(join(bin, name), 0o755);
  }
}

export async function startBackupWorld(): Promise<BackupWorld> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'axis-backup-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const postgres = stack.use(await startPostgres({ binaries: POSTGRES }));
  installPrograms(join(folder, 'bin'));
  mkdirSync(join(folder, 'work'));
  const [repository, password] = [join(folder, 'repository'), randomBytes(12).toString('hex')];
  const path = `${join(folder, 'bin')}:/usr/local/bin:/usr/bin:/bin`;
  const settings = (rig: Rig): Record<string, string> => ({
    ...rig.environment,
    RESTIC_REPOSITORY: repository,
    RESTIC_PASSWORD: password,
    BACKUP_STORAGE: rig.orthanc.storageFolder,
    BACKUP_WORK: join(folder, 'work'),
    BACKUP_CHECK_PARTS: '1',
  });
  const running = stack.move();
  return {
    postgres,
    folder,
    repository,
    password,
    path,
    settings,
    serve: (rig, over = {}) =>
      startChild(process.execPath, [CLI, 'backup', '--every'], {
        env: { PATH: path, HOME: folder, ...settings(rig), ...over },
      }),
    axis: (rig, args, over = {}) =>
      new Promise((resolve) => {
        const env = { PATH: path, HOME: folder, ...settings(rig), ...over };
        execFile(process.execPath, [CLI, ...args], { env, maxBuffer: 2 ** 26 }, (error, out, err) => {
          resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
        });
      }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
