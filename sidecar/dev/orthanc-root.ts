import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild, type Child } from './child.ts';

/** The unprivileged user that everything inside the Debian folder runs as. */
export const NOBODY = 65_534;

let root: string | undefined;

/** The minimal Debian with Orthanc and dcmtk that orthanc/install.sh makes, made if it is not there. */
export function debianRoot(): string {
  root ??= execFileSync('sh', [fileURLToPath(new URL('../../orthanc/install.sh', import.meta.url))], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
    .trim()
    .split('\n')
    .at(-1);
  if (root === undefined || root === '') throw new Error('orthanc/install.sh named no folder');
  return root;
}

export interface RunFolder {
  /** As programs inside the Debian folder see it. */
  readonly inside: string;
  readonly outside: string;
  remove(): Promise<void>;
}

/** A folder inside the Debian folder that its programs may write to; the same one each time for the same name. */
export function runFolder(name = randomBytes(8).toString('hex')): RunFolder {
  const inside = `/srv/axis/${name}`;
  const outside = join(debianRoot(), inside);
  mkdirSync(outside, { recursive: true });
  chownSync(outside, NOBODY, NOBODY);
  chmodSync(outside, 0o700);
  return { inside, outside, remove: () => rm(outside, { recursive: true, force: true }) };
}

/** Starts a program of the Debian folder inside it, without privileges, after what its command line is to begin with. */
export function startInside(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  prefix: readonly string[] = [],
): Child {
  // It is killed with this process, even where this one is killed: the kernel sees to it.
  const bound = ['/usr/bin/setpriv', '--pdeathsig', 'KILL', program, ...args];
  const inside = ['chroot', '--userspec', `${NOBODY}:${NOBODY}`, debianRoot(), ...bound];
  const [command = 'chroot', ...rest] = [...prefix, ...inside];
  return startChild(command, rest, {
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/tmp',
      LANG: 'C.UTF-8',
      ...env,
    },
    cwd: '/',
  });
}
