import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { eventually } from './rig.ts';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));
const LINE = z.object({ msg: z.string(), hl7Port: z.number().optional(), httpPort: z.number().optional() });

/** The sidecar as a process of its own. */
export interface Run {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly output: () => string;
  readonly lines: () => z.output<typeof LINE>[];
}

export function run(environment: Readonly<Record<string, string>>): Run {
  const env = { PATH: process.env['PATH'], ...environment };
  const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const lines = () =>
    output
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => LINE.parse(JSON.parse(line)));
  return { child, output: () => output, lines };
}

export async function listening({ child, lines, output }: Run): Promise<{ hl7Port: number; httpPort: number }> {
  await eventually('the process to listen', () => {
    if (child.exitCode !== null) throw new Error(output());
    return Promise.resolve(lines().some(({ msg }) => msg === 'listening'));
  });
  const line = lines().find(({ msg }) => msg === 'listening');
  return { hl7Port: line?.hl7Port ?? 0, httpPort: line?.httpPort ?? 0 };
}

export async function exitCode({ child }: Run): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}
