import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** A syslog receiver that takes the framing apart and keeps each message. */
export interface SyslogServer extends AsyncDisposable {
  readonly port: number;
  readonly messages: string[];
  /** What was not octet counting. */
  readonly problems: string[];
  /** How many connections were taken. */
  readonly connections: () => number;
}

/** Takes octet counting apart (RFC 6587 3.4.1): `length SP message`, the length in bytes. */
function reader(onMessage: (message: string) => void, onProblem: (problem: string) => void) {
  let rest = Buffer.alloc(0);
  return {
    push(chunk: Buffer): void {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        const space = rest.indexOf(0x20);
        if (space === -1 && rest.length < 11) return;
        const length = rest.toString('latin1', 0, Math.max(space, 0));
        if (!/^[1-9]\d{0,9}$/.test(length)) {
          onProblem(`not a length: ${rest.toString('utf8', 0, 40)}`);
          rest = Buffer.alloc(0);
          return;
        }
        const end = space + 1 + Number(length);
        if (rest.length < end) return;
        onMessage(rest.toString('utf8', space + 1, end));
        rest = rest.subarray(end);
      }
    },
    end(): void {
      if (rest.length > 0) onProblem(`cut off: ${rest.length} bytes`);
    },
  };
}

export interface StreamOptions {
  readonly port?: number;
  readonly tls?: TlsOptions;
  /** After this many messages of a connection it is broken off. */
  readonly resetAfter?: number;
  /** Reads, and never ends a connection. */
  readonly neverEnds?: boolean;
}

/** By TCP, or TLS where there are options for it. */
export async function startSyslogServer(options: StreamOptions = {}): Promise<SyslogServer> {
  const [messages, problems, open]: [string[], string[], Set<Socket>] = [[], [], new Set()];
  let taken = 0;
  const serve = (socket: Socket): void => {
    taken += 1;
    let left = options.resetAfter ?? Infinity;
    const read = reader(
      (message) => {
        messages.push(message);
        left -= 1;
        if (left === 0) socket.destroy();
      },
      (problem) => problems.push(problem),
    );
    socket.on('data', (chunk: Buffer) => {
      if (left > 0) read.push(chunk);
    });
    socket.on('end', () => {
      read.end();
    });
    socket.on('error', () => undefined);
  };
  const allowHalfOpen = options.neverEnds === true;
  const server: Server =
    options.tls === undefined
      ? createTcpServer({ allowHalfOpen }, serve)
      : createTlsServer({ allowHalfOpen, ...options.tls }, serve);
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return {
    port: address.port,
    messages,
    problems,
    connections: () => taken,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

export async function startUdpSyslogServer(): Promise<Omit<SyslogServer, 'connections'>> {
  const socket = createSocket('udp4');
  const messages: string[] = [];
  socket.on('message', (bytes) => messages.push(bytes.toString('utf8')));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    messages,
    problems: [],
    async [Symbol.asyncDispose]() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}
