import { readFileSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { createSecureContext, type SecureContextOptions, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { asFailure, Failure } from '../rules/failure.ts';

/** Paths of PEM files. */
export interface TlsFiles {
  /** The certificate, and after it those between it and its root. */
  readonly certificate: string;
  readonly key: string;
  /** The authorities whose client certificates count. */
  readonly clientCa: string | undefined;
  /** How often they are looked at, in ms. */
  readonly lookMs: number;
}

/** A handshake that takes longer is given up. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

const pathsOf = ({ certificate, key, clientCa }: TlsFiles): readonly string[] => [
  certificate,
  key,
  ...(clientCa === undefined ? [] : [clientCa]),
];

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Failure('permanent', 'tls-files', `${path} cannot be read`, { cause });
  }
}

/** What the files hold now, seen to be fit. @throws Failure permanent, naming the files, where they cannot be used. */
function read(files: TlsFiles): SecureContextOptions {
  const { certificate, key, clientCa } = files;
  const context = {
    cert: readPem(certificate),
    key: readPem(key),
    ...(clientCa !== undefined && { ca: readPem(clientCa) }),
    // BCP 195 (RFC 9325): nothing before TLS 1.2.
    minVersion: 'TLSv1.2',
  } as const;
  if (clientCa !== undefined && !context.ca?.includes('-----BEGIN CERTIFICATE-----')) {
    throw new Failure('permanent', 'tls-files', `${clientCa} has no certificate`);
  }
  try {
    createSecureContext(context);
  } catch (cause) {
    const text = `${pathsOf(files).join(', ')} are not a certificate, its key and authorities, in PEM`;
    throw new Failure('permanent', 'tls-files', text, { cause });
  }
  return context;
}

/**
 * The options of a TLS server with these files. Client certificates are asked for where there is a `clientCa`; `require`
 * says that without a good one there is no connection, else the server's owner must ask each socket.
 * @throws Failure permanent, naming the files, where they cannot be used.
 */
export function tlsOptions(files: TlsFiles, require: boolean): TlsOptions {
  return {
    ...read(files),
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    requestCert: files.clientCa !== undefined,
    rejectUnauthorized: require,
  };
}

const look = (files: TlsFiles): string =>
  pathsOf(files)
    .map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat === undefined ? '' : `${stat.ino}:${stat.size}:${stat.mtimeMs}`;
    })
    .join();

/**
 * Gives a server what its files hold whenever they change, for the connections that come then: a certificate is renewed
 * without a restart. Files that cannot be used, such as a certificate whose key is not written yet, change nothing and
 * are looked at again.
 */
export function followTlsFiles(
  server: Server,
  files: TlsFiles,
  log: {
    readonly info: (fields: object, message: string) => void;
    readonly warn: (fields: object, message: string) => void;
  },
): Disposable {
  let seen = look(files);
  let warned = '';
  const timer = setInterval(() => {
    const now = look(files);
    if (now === seen) return;
    try {
      server.setSecureContext(read(files));
      seen = now;
      log.info({ certificate: files.certificate }, 'the certificate was read again');
    } catch (error) {
      if (warned !== now)
        log.warn({ reason: asFailure(error).message }, 'the certificate was not read again: it is not fit');
      warned = now;
    }
  }, files.lookMs).unref();
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
    },
  };
}

/** OpenSSL's reason, or what was wrong with the certificate. */
function handshakeFailure(error: Error, socket: TLSSocket): string {
  const { authorizationError } = socket;
  const code: unknown = authorizationError instanceof Error ? undefined : authorizationError;
  if (typeof code === 'string') return code;
  return 'code' in error && typeof error.code === 'string' ? error.code : 'handshake';
}

/** The connection beneath, which Node tells nobody of; without it less is told of who went away. */
const beneath = (socket: TLSSocket): Socket | undefined =>
  '_parent' in socket && socket._parent instanceof Socket ? socket._parent : undefined;

/**
 * Tells of each connection that went no further than its handshake: from which address, and why; `ECONNRESET` where the
 * peer went away. Tells nothing of a peer that went away without having sent a byte, as a health check does.
 */
export function onHandshakeFailed(server: Server, tell: (from: string, code: string) => void): void {
  // Once closed, a connection knows its address no more.
  const addresses = new WeakMap<Socket, string>();
  server.on('connection', (socket: Socket) => {
    if (socket.remoteAddress !== undefined) addresses.set(socket, socket.remoteAddress);
  });
  server.on('tlsClientError', (error, socket) => {
    const code = handshakeFailure(error, socket);
    const connection = beneath(socket);
    if (connection?.bytesRead === 0 && code === 'ECONNRESET') return;
    tell(socket.remoteAddress ?? (connection && addresses.get(connection)) ?? '', code);
  });
}
