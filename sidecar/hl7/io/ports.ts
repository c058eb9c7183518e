import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { OnRefusedAccess } from '../../platform/rules/refused-access.ts';
import { guardConnections } from '../../platform/net/connections.ts';
import { listen } from '../../platform/net/listen.ts';
import { followTlsFiles, onHandshakeFailed, tlsOptions, type TlsFiles } from '../../platform/net/tls-files.ts';

/** Who may connect, and how. */
export interface Hl7Guard {
  readonly admits: (address: string) => boolean;
  /** Whether there is the port without TLS. */
  readonly plain: boolean;
  /** A port that takes TLS only; with a `clientCa`, only of who shows a certificate of it. */
  readonly tls: { readonly port: number; readonly files: TlsFiles } | undefined;
  readonly onRefused: OnRefusedAccess;
}

export interface Hl7PortsOptions {
  readonly host: string;
  /** Of the port without TLS; 0: any free one. */
  readonly port: number;
  /** Of both ports together. */
  readonly maxConnections: number;
  readonly guard: Hl7Guard;
  readonly log: {
    readonly warn: (fields: object, message: string) => void;
    readonly info: (fields: object, message: string) => void;
  };
}

export interface Hl7Ports {
  /** 0 where there is none without TLS. */
  readonly port: number;
  /** 0 where there is none with TLS. */
  readonly tlsPort: number;
  readonly listening: boolean;
  /** Takes no more connections; settles when the last is closed. */
  close(): Promise<void>;
  destroyAll(): void;
}

/**
 * Opens the port without TLS, the one with it, or both, and gives `accept` each connection that may come, once its
 * handshake is done. One whose sender ends its half stays open until it is ended here: `accept` must do that. @throws Failure permanent where the TLS files cannot be used.
 */
export async function openHl7Ports(options: Hl7PortsOptions, accept: (socket: Socket) => void): Promise<Hl7Ports> {
  const { guard, log, maxConnections } = options;
  await using opening = new AsyncDisposableStack();
  const servers: Server[] = [];
  const ends: (() => void)[] = [];
  let accepted = 0;
  const tooMany = (): void => {
    log.warn({ connections: accepted }, 'HL7 connection refused: too many');
  };
  const acceptSome = (socket: Socket): void => {
    if (accepted >= maxConnections) {
      socket.destroy();
      tooMany();
      return;
    }
    accepted += 1;
    socket.once('close', () => (accepted -= 1));
    accept(socket);
  };
  const open = async (server: Server, port: number, what: 'hl7' | 'hl7-tls'): Promise<number> => {
    const { destroyAll } = guardConnections(server, {
      admits: guard.admits,
      mostOf: () => Infinity,
      onRefused: (from, code) => {
        guard.onRefused({ what, from, code });
      },
    });
    server.maxConnections = maxConnections;
    server.on('drop', tooMany);
    const opened = await listen(server, port, options.host);
    opening.defer(() => void server.close());
    servers.push(server);
    ends.push(destroyAll);
    return opened;
  };
  const openTls = async ({ port, files }: NonNullable<Hl7Guard['tls']>): Promise<number> => {
    const server = createTlsServer({ ...tlsOptions(files, true), allowHalfOpen: true }, acceptSome);
    onHandshakeFailed(server, (from, code) => {
      guard.onRefused({ what: 'hl7-tls', from, code });
    });
    opening.use(followTlsFiles(server, files, log));
    return open(server, port, 'hl7-tls');
  };

  const port = guard.plain ? await open(createServer({ allowHalfOpen: true }, acceptSome), options.port, 'hl7') : 0;
  const tlsPort = guard.tls === undefined ? 0 : await openTls(guard.tls);
  const opened = opening.move();
  let closed: Promise<unknown> | undefined;
  return {
    port,
    tlsPort,
    get listening() {
      return servers.every((server) => server.listening);
    },
    close() {
      closed ??= Promise.all(servers.map((server) => once(server, 'close')));
      return Promise.all([opened.disposeAsync(), closed]).then(() => undefined);
    },
    destroyAll() {
      for (const end of ends) end();
    },
  };
}
