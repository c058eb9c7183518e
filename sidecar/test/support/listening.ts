import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A listening TCP socket. */
export interface Listener {
  /** The network it is in, which may be another than its process is in. */
  readonly network: string;
  readonly address: string;
  readonly port: number;
}

/** What `read` gives, and nothing where the process is gone by then. */
function ofProcess<T>(read: () => readonly T[]): readonly T[] {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return [];
    throw error;
  }
}

/** A process and all that it started, in any depth. */
export function processTree(root: number): number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  const parents = new Map(
    pids.flatMap((pid) =>
      ofProcess((): [number, number][] => {
        const [, parent] = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
        return [[pid, Number(parent)]];
      }),
    ),
  );
  const tree = [root];
  for (const known of tree) for (const [pid, parent] of parents) if (parent === known) tree.push(pid);
  return tree;
}

/** The kernel writes addresses in hexadecimal, each four bytes of them backwards. */
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => [...Buffer.from(word, 'hex').reverse()]);
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0));
  const text = groups.map((group) => group.toString(16)).join(':');
  return text === '0:0:0:0:0:0:0:1' ? '::1' : text;
}

/** The network that a process is in. */
export const networkOf = (pid: number): string => readlinkSync(`/proc/${pid}/ns/net`);

/** All listening sockets of the network that a process is in, by the name that the file of a process has for them. */
function listening(pid: number): [name: string, listener: Listener][] {
  return ['tcp', 'tcp6'].flatMap((table) =>
    ofProcess(() => readFileSync(`/proc/${pid}/net/${table}`, 'utf8').split('\n').slice(1)).flatMap((line) => {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      const [address = '', port = ''] = local.split(':');
      if (state !== '0A') return [];
      const listener = { network: networkOf(pid), address: addressOf(address), port: Number.parseInt(port, 16) };
      return [[`socket:[${inode}]`, listener] satisfies [string, Listener]];
    }),
  );
}

/** The sockets that these processes listen on, in all networks that any of them is in. */
export function listenersOf(pids: readonly number[]): Listener[] {
  const all = new Map(pids.flatMap(listening));
  const files = pids.flatMap((pid) =>
    ofProcess(() => readdirSync(`/proc/${pid}/fd`)).flatMap((fd) =>
      ofProcess(() => [readlinkSync(`/proc/${pid}/fd/${fd}`)]),
    ),
  );
  return [...new Set(files)].flatMap((file) => all.get(file) ?? []);
}

/** The names of a process's network interfaces. */
export const interfacesOf = (pid: number): string[] =>
  [...readFileSync(`/proc/${pid}/net/dev`, 'utf8').matchAll(/^\s*([^\s:]+):/gm)].map(([, name = '']) => name);
