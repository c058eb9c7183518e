import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { OrthancProcess } from '../orthanc-process.ts';

/** What to fill Orthanc with: `images` of `size` x `size` pixels in each of the studies of a group. */
export interface Filling {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly connections: number;
  readonly seed: number;
  readonly group: number;
  readonly studies: number;
  readonly images: number;
  readonly size: number;
}

const FILLED = z.object({
  seconds: z.number(),
  /** Orthanc's id, and when its answer was here (milliseconds since 1970). */
  stored: z.array(z.tuple([z.string(), z.number()])),
});

export type Filled = z.infer<typeof FILLED>;

const PROGRAM = fileURLToPath(new URL('fill-process.ts', import.meta.url));

/**
 * Fills Orthanc over HTTP from a process of its own, so that who measures does not also send. The files are made before
 * the time runs. @throws Error where one was not stored, or was there.
 */
export async function fill(filling: Filling): Promise<Filled> {
  const child = fork(PROGRAM, [JSON.stringify(filling)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const end = (): boolean => child.kill('SIGKILL');
  process.once('exit', end);
  let answer: unknown;
  child.once('message', (message) => {
    answer = message;
  });
  await once(child, 'exit');
  process.off('exit', end);
  return FILLED.parse(answer);
}

/** As {@link fill}, and then a restart, with which Orthanc has the index of `orthanc/index.sql`. */
export async function fillFirst(
  orthanc: OrthancProcess,
  what: Omit<Filling, 'url' | 'username' | 'password' | 'connections'>,
): Promise<Filled> {
  const { url, username, password } = orthanc;
  const filled = await fill({ url, username, password, connections: 8, ...what });
  await orthanc.stop();
  await orthanc.start();
  return filled;
}
