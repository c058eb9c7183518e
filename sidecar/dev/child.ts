import { spawn, type ChildProcess, type SpawnOptionsWithoutStdio } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Child {
  readonly pid: number;
  /** Settles when the process is gone. */
  readonly ended: Promise<void>;
  /** Ends it with `signal`, and with SIGKILL if it is still there after ten seconds. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  gone(): boolean;
  /** What it wrote last, for an error message. */
  lastOutput(): string;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts a program that ends with this process at the latest. */
export function startChild(command: string, args: readonly string[], options: SpawnOptionsWithoutStdio = {}): Child {
  const child = spawn(command, [...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-8000);
    });
  }
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      output += `\n${error.message}`;
      resolve();
    });
    child.once('exit', () => {
      resolve();
    });
  }).finally(() => running.delete(child));
  return {
    pid: child.pid ?? -1,
    ended,
    gone: () => !running.has(child),
    lastOutput: () => output,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
    },
  };
}

/** Waits until `ready` gives true; fails when the child ends first or after `limitMs`. */
export async function untilReady(child: Child, name: string, ready: () => Promise<boolean>, limitMs = 30_000) {
  const deadline = Date.now() + limitMs;
  while (!(await ready().catch(() => false))) {
    if (child.gone()) throw new Error(`${name} ended while starting:\n${child.lastOutput()}`);
    if (Date.now() > deadline) {
      await child.stop('SIGKILL');
      throw new Error(`${name} was not ready after ${limitMs} ms:\n${child.lastOutput()}`);
    }
    await sleep(40);
  }
}

/** A TCP port of 127.0.0.1 that nothing listens on: the preferred one if that is free. */
export async function freePort(preferred = 0): Promise<number> {
  const server = createServer().listen(preferred, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if (preferred === 0) throw error;
    return freePort();
  }
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
