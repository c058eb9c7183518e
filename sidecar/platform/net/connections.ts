import type { Server, Socket } from 'node:net';
import { addressKey } from '../rules/address.ts';

export interface ConnectionRules {
  readonly admits: (address: string) => boolean;
  /** Connections at once of one address (of IPv6: one /64). */
  readonly mostOf: (address: string) => number;
  readonly onRefused: (address: string, code: string) => void;
}

export interface Connections {
  /** Ends every connection at once, those in the middle of a TLS handshake too. */
  readonly destroyAll: () => void;
}

/**
 * Sees each connection of a server before the server itself does: one that may not come is closed before a byte of it is
 * read. To be called before the server listens.
 */
export function guardConnections(server: Server, rules: ConnectionRules): Connections {
  const open = new Set<Socket>();
  const counts = new Map<string, number>();
  const own = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const key = addressKey(address);
    const count = (counts.get(key) ?? 0) + 1;
    const code = !rules.admits(address) ? 'address' : count > rules.mostOf(address) ? 'too-many-connections' : null;
    if (code !== null) {
      socket.destroy();
      rules.onRefused(address, code);
      return;
    }
    open.add(socket);
    counts.set(key, count);
    socket.once('close', () => {
      open.delete(socket);
      const left = (counts.get(key) ?? 1) - 1;
      if (left > 0) counts.set(key, left);
      else counts.delete(key);
    });
    for (const listener of own) Reflect.apply(listener, server, [socket]);
  });
  return {
    destroyAll() {
      for (const socket of open) socket.destroy();
    },
  };
}
