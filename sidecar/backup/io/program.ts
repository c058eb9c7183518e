import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { Failure } from '../../platform/rules/failure.ts';

export interface Program {
  /** Found by PATH. */
  readonly name: string;
  readonly args: readonly string[];
  /** Over this process's PATH, HOME and TMPDIR; nothing else is passed on. Secrets go here, since all may see `args`. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly limitMs: number;
  /** A stop: it is interrupted, and killed if it does not end. */
  readonly signal: AbortSignal;
  /** Each line of stderr as it comes. */
  readonly onErrorLine?: (line: string) => void;
}

export interface Ended {
  readonly code: number;
  /** The end of what it wrote to stderr. */
  readonly complaint: string;
}

export interface Running {
  /** Must be read to its end. */
  readonly stdout: Readable;
  readonly stdin: Writable;
  /**
   * Settles when it is gone. @throws Failure transient `NAME-time-limit`, `NAME-stopped`, `NAME-killed`; permanent
   * `NAME-missing`.
   */
  readonly ended: Promise<Ended>;
  kill(): void;
}

const MAX_COMPLAINT = 8000;
const LAST_CHANCE_MS = 10_000;
const PASSED_ON = ['PATH', 'HOME', 'TMPDIR'];

/** Starts a program that ends by itself, within its time limit or with the signal. */
export function startProgram(program: Program): Running {
  const { name, limitMs, signal } = program;
  const passed: Record<string, string> = {};
  for (const key of PASSED_ON) {
    const value = process.env[key];
    if (value !== undefined) passed[key] = value;
  }
  const child = spawn(name, [...program.args], {
    env: { ...passed, LC_ALL: 'C.UTF-8', ...program.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(program.cwd !== undefined && { cwd: program.cwd }),
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    complaint = (complaint + chunk).slice(-MAX_COMPLAINT);
  });
  if (program.onErrorLine !== undefined) {
    createInterface({ input: child.stderr, crlfDelay: Infinity }).on('line', program.onErrorLine);
  }
  // Who writes to one that has ended learns that from its end.
  child.stdin.on('error', () => undefined);
  let reason = 'killed';
  let last: NodeJS.Timeout | undefined;
  const stop = (why: string): void => {
    reason = why;
    child.kill('SIGINT');
    last ??= setTimeout(() => child.kill('SIGKILL'), LAST_CHANCE_MS);
  };
  const late = setTimeout(stop, limitMs, 'time-limit');
  const onStop = (): void => {
    stop('stopped');
  };
  signal.addEventListener('abort', onStop, { once: true });
  if (signal.aborted) onStop();
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  child.once('error', (error: NodeJS.ErrnoException) => {
    const kind = error.code === 'ENOENT' ? 'permanent' : 'transient';
    reject(new Failure(kind, `${name}-missing`, `${name} cannot be started: ${error.code ?? 'unknown'}`));
  });
  child.once('close', (code) => {
    if (code !== null && last === undefined) resolve({ code, complaint });
    else reject(new Failure('transient', `${name}-${reason}`, `${name} did not come to its end: ${reason}`));
  });
  const ended = promise.finally(() => {
    clearTimeout(late);
    clearTimeout(last);
    signal.removeEventListener('abort', onStop);
  });
  // Told to whoever awaits it, maybe after reading all it wrote.
  ended.catch(() => undefined);
  return { stdout: child.stdout, stdin: child.stdin, ended, kill: () => void child.kill('SIGKILL') };
}

/** Runs a program to its end, each line of its stdout given to `onLine` as it comes. */
export async function runProgram(program: Program, onLine: (line: string) => void = () => undefined): Promise<Ended> {
  const running = startProgram(program);
  running.stdin.end();
  const lines = createInterface({ input: running.stdout, crlfDelay: Infinity });
  lines.on('line', onLine);
  return running.ended;
}
