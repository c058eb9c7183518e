import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { listen } from './listen.ts';
import { followTlsFiles, onHandshakeFailed, tlsOptions, type TlsFiles } from './tls-files.ts';

export interface TlsFrontOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly target: { readonly host: string; readonly port: number };
  /** With a `clientCa` only who shows a certificate of it gets in. */
  readonly files: TlsFiles;
  readonly maxConnections: number;
  /** Of a connection on which nothing passes either way. */
  readonly idleTimeoutMs: number;
  /** Somebody with whom no TLS connection came about: the address and why. */
  readonly onRefused: (from: string, code: string) => void;
  readonly log: {
    readonly info: (fields: object, message: string) => void;
    readonly warn: (fields: object, message: string) => void;
  };
}

export interface TlsFront extends AsyncDisposable {
  readonly port: number;
}

/**
 * Takes TLS (1.2 or newer, BCP 195 as DICOM PS3.15 B.9 asks) and passes on what is inside it, either way, with the
 * back-pressure of both ends. The target sees this front's address, not the peer's.
 * @throws Failure permanent where the TLS files cannot be used.
 */
export async function startTlsFront(options: TlsFrontOptions): Promise<TlsFront> {
  const { files, log } = options;
  const open = new Set<Socket>();
  const pass = (inside: TLSSocket): void => {
    const outside = connect({ ...options.target, noDelay: true });
    const end = (): void => {
      inside.destroy();
      outside.destroy();
    };
    for (const socket of [inside, outside]) {
      open.add(socket);
      socket.setTimeout(options.idleTimeoutMs, end);
      socket.on('error', end).once('close', () => {
        open.delete(socket);
        end();
      });
    }
    inside.pipe(outside).pipe(inside);
  };
  const server = createServer(tlsOptions(files, files.clientCa !== undefined), pass);
  server.maxConnections = options.maxConnections;
  onHandshakeFailed(server, options.onRefused);
  const port = await listen(server, options.port, options.host);
  const following = followTlsFiles(server, files, log);
  return {
    port,
    async [Symbol.asyncDispose]() {
      following[Symbol.dispose]();
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
