import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const MOCHA = join(dirname(createRequire(import.meta.url).resolve('mocha/package.json')), 'bin/mocha.js');

/** Runs mocha in that folder, with these arguments; gives whether all passed, and what it said. */
export async function mocha(folder: string, more: readonly string[], env: Readonly<Record<string, string>>) {
  const args = [
    MOCHA,
    '--no-config',
    '--require',
    './sidecar/test/support/root-hooks.ts',
    '--timeout',
    '60000',
    ...more,
  ];
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = (): boolean => child.kill();
  process.once('exit', stop);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await once(child, 'close');
  process.off('exit', stop);
  return { passed: child.exitCode === 0, output };
}
