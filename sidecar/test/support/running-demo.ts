import { fileURLToPath } from 'node:url';
import { startChild, untilReady } from '../../dev/child.ts';

const DEMO = fileURLToPath(new URL('../../dev/demo.ts', import.meta.url));

export interface RunningDemo extends AsyncDisposable {
  readonly pid: number;
  /** All that it printed until its day was over. */
  readonly printed: string;
  /** What a printed line says after its name. */
  place(name: string): string;
}

/** The demo as a person starts it, with these variables and no others of the sidecar's, once its day is over. */
export async function startDemo(environment: Readonly<Record<string, string>>): Promise<RunningDemo> {
  const { PATH, HOME } = process.env;
  const child = startChild(process.execPath, [DEMO], { env: { PATH, HOME, ...environment } });
  await untilReady(child, 'the demo', () => Promise.resolve(child.lastOutput().includes('running until')), 50_000);
  const printed = child.lastOutput();
  return {
    pid: child.pid,
    printed,
    place(name) {
      const line = printed.split('\n').find((text) => text.trimStart().startsWith(`${name}  `));
      if (line === undefined) throw new Error(`the demo printed no ${name}`);
      return line.trim().slice(name.length).trim();
    },
    [Symbol.asyncDispose]: () => child.stop('SIGINT'),
  };
}
