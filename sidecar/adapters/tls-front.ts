import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';

export interface TlsFrontOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly target: { readonly host: string; readonly port: number };
  /** PEM files. */
  readonly certificate: string;
  readonly key: string;
  /** With it only who shows a certificate that one of these signed gets in. */
  readonly clientCa?: string | undefined;
  readonly maxConnections: number;
  /** Of a connection on which nothing passes either way. */
  readonly idleTimeoutMs: number;
  readonly log: { readonly warn: (fields: object, message: string) => void };
}

export interface TlsFront extends AsyncDisposable {
  readonly port: number;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * Takes TLS (1.2 or newer, BCP 195 as DICOM PS3.15 B.9 asks) and passes on what is inside it, either way, with the
 * back-pressure of both ends. The target sees this front's address, not the peer's.
 */
export async function startTlsFront(options: TlsFrontOptions): Promise<TlsFront> {
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
  const server = createServer(
    {
      cert: readFileSync(options.certificate),
      key: readFileSync(options.key),
      ...(options.clientCa !== undefined && { ca: readFileSync(options.clientCa), requestCert: true }),
      rejectUnauthorized: options.clientCa !== undefined,
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    },
    pass,
  );
  server.maxConnections = options.maxConnections;
  server.on('tlsClientError', (error, { remoteAddress }) => {
    const code = 'code' in error ? String(error.code) : error.name;
    options.log.warn({ remoteAddress, code }, 'no TLS connection came about');
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
