import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { debianRoot } from '../../dev/orthanc-root.ts';

export interface Verdict {
  readonly ok: boolean;
  readonly output: string;
}

/** Runs Prometheus's own promtool; `files` is a folder that it is run in, `input` what it reads. */
export function promtool(
  args: readonly string[],
  given: { files?: string; input?: string; timeoutMs?: number } = {},
): Verdict {
  mkdirSync(join(debianRoot(), 'srv/axis'), { recursive: true });
  const folder = mkdtempSync(join(debianRoot(), 'srv/axis/promtool-'));
  try {
    chmodSync(folder, 0o755);
    if (given.files !== undefined) cpSync(given.files, folder, { recursive: true });
    const inside = [debianRoot(), '/usr/bin/env', '-C', folder.slice(debianRoot().length), 'promtool', ...args];
    const { status, stdout, stderr, error } = spawnSync('chroot', inside, {
      encoding: 'utf8',
      input: given.input ?? '',
      timeout: given.timeoutMs ?? 60_000,
    });
    if (error !== undefined) throw error;
    return { ok: status === 0, output: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
