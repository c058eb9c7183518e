import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { z } from 'zod';
import { Failure } from '../../platform/rules/failure.ts';

export interface SyslogOptions {
  readonly protocol: 'udp' | 'tcp' | 'tls';
  readonly host: string;
  readonly port: number;
  /** PEM: who signed the server's certificate; else the authorities that the machine trusts. */
  readonly ca?: string | undefined;
  /** PEM: what the sidecar shows the server. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** For all messages of one call together. */
  readonly timeoutMs: number;
}

export interface Syslog {
  /**
   * Sends the messages in their order. By TCP and TLS on a connection of their own, which is ended towards the server;
   * syslog has no answers, but a server that then ends it too has read it to its end. By UDP nobody knows.
   * @throws Failure transient: any number of them may have come to the server.
   */
  readonly send: (messages: readonly string[]) => Promise<void>;
}

const CODED = z.object({ code: z.string() });

function syslogFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const code = CODED.safeParse(error).data?.code ?? 'broken';
  return new Failure('transient', `syslog-${code}`, `the syslog server: ${code}`, { cause: error });
}

/** Octet counting (RFC 6587 3.4.1, RFC 5425 4.3). */
function framed(message: string): Buffer {
  const bytes = Buffer.from(message, 'utf8');
  return Buffer.concat([Buffer.from(`${bytes.length} `, 'latin1'), bytes]);
}

async function sendByStream(socket: Socket, messages: readonly string[], timeoutMs: number): Promise<void> {
  const late = setTimeout(() => {
    socket.destroy(new Failure('transient', 'syslog-timeout', `no end within ${timeoutMs} ms`));
  }, timeoutMs);
  const closed = once(socket, 'close');
  // It is awaited at the end; an error before that is then told there.
  closed.catch(() => undefined);
  // What a server says is not syslog; but without reading it its end is not seen.
  socket.resume();
  try {
    for (const message of messages) {
      if (socket.readableEnded)
        throw new Failure('transient', 'syslog-ended', 'the syslog server ended the connection');
      if (!socket.write(framed(message))) await Promise.race([once(socket, 'drain'), closed]);
    }
    socket.end();
    await closed;
    if (!socket.readableEnded) throw new Failure('transient', 'syslog-broken', 'the connection broke off');
  } finally {
    clearTimeout(late);
    socket.destroy();
  }
}

async function sendByUdp({ host, port }: SyslogOptions, messages: readonly string[]): Promise<void> {
  const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4');
  try {
    const connected = once(socket, 'connect');
    socket.connect(port, host);
    await connected;
    for (const message of messages) {
      await new Promise<void>((resolve, reject) => {
        socket.send(Buffer.from(message, 'utf8'), (error) => {
          if (error === null) resolve();
          else reject(error);
        });
      });
    }
  } finally {
    socket.close();
  }
}

export function createSyslog(options: SyslogOptions): Syslog {
  const { protocol, host, port, ca, certificate, key, timeoutMs } = options;
  const connect = (): Socket =>
    protocol === 'tls'
      ? connectTls({
          host,
          port,
          ...(isIP(host) === 0 && { servername: host }),
          ...(ca !== undefined && { ca }),
          ...(certificate !== undefined && { cert: certificate }),
          ...(key !== undefined && { key }),
          // PS3.15 A.6.
          minVersion: 'TLSv1.2',
        })
      : connectTcp({ host, port });
  return {
    async send(messages) {
      try {
        if (protocol === 'udp') await sendByUdp(options, messages);
        else await sendByStream(connect(), messages, timeoutMs);
      } catch (error) {
        throw syslogFailure(error);
      }
    },
  };
}
