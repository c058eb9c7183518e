import { spawnSync, type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { listen } from '../platform/net/listen.ts';

const DOOR = fileURLToPath(new URL('private-network-door.ts', import.meta.url));
const LIMIT_MS = 10_000;

/**
 * What a command line begins with for its program to have a network of its own, with nothing but a loopback in it. Perl
 * is on every Debian, unlike `ip`: it raises the loopback (SIOCSIFFLAGS, IFF_UP) and becomes the program.
 */
export const IN_PRIVATE_NETWORK: readonly string[] = [
  'unshare',
  '--net',
  'perl',
  '-e',
  'my $s; socket($s, 2, 2, 0) && ioctl($s, 0x8914, my $up = pack("a16sx22", "lo", 1)) or die "lo: $!"; exec @ARGV or die $!',
];

let possible: boolean | undefined;

/** Whether this machine lets a program have a network of its own: some containers do not. */
export function canHavePrivateNetwork(): boolean {
  const [command = '', ...args] = IN_PRIVATE_NETWORK;
  possible ??= spawnSync(command, [...args, 'true'], { stdio: 'ignore', timeout: LIMIT_MS }).status === 0;
  return possible;
}

const networkOf = (pid: number | 'self'): string => readlinkSync(`/proc/${pid}/ns/net`);

async function untilApart(pid: number): Promise<void> {
  const deadline = Date.now() + LIMIT_MS;
  while (networkOf(pid) === networkOf('self')) {
    if (Date.now() > deadline) throw new Error('the program got no network of its own');
    await sleep(10);
  }
}

async function openDoor(pid: number, port: number): Promise<ChildProcess> {
  const listener = createServer();
  await listen(listener, port, '127.0.0.1');
  const inside = ['--pdeathsig', 'KILL', 'nsenter', `--net=/proc/${pid}/ns/net`];
  const door = spawn('setpriv', [...inside, process.execPath, DOOR, String(port)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  try {
    door.send('listener', listener);
    await once(door, 'message', { signal: AbortSignal.timeout(LIMIT_MS) });
    return door;
  } catch (error) {
    door.kill('SIGKILL');
    throw error;
  } finally {
    listener.close();
  }
}

/**
 * Lets 127.0.0.1 of this machine reach these ports of a process that `IN_PRIVATE_NETWORK` started, each by the same number.
 * Nothing else reaches them. A socket stays in the network it was made in: a small process inside accepts from ours.
 */
export async function openDoors(pid: number, ports: readonly number[]): Promise<AsyncDisposable> {
  await untilApart(pid);
  await using doors = new AsyncDisposableStack();
  for (const port of ports) {
    doors.adopt(await openDoor(pid, port), async (door) => {
      if (door.exitCode !== null || door.signalCode !== null) return;
      const ended = once(door, 'exit');
      door.kill('SIGKILL');
      await ended;
    });
  }
  return doors.move();
}
