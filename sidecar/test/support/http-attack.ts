import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import type { HttpServer } from '../../app/http.ts';
import type { HttpGuard } from '../../access/io/http-guard.ts';
import type { UploadOptions } from '../../images/io/http-upload.ts';
import { httpGuard, serveHttp } from './http-guard.ts';
import { pause } from './mllp-sender.ts';
import { eventually } from './rig.ts';

const log = { warn: () => undefined, info: () => undefined };
export const KNOWN = { 'X-API-Key': 'right' };

/** Takes every file, once it has read it. */
const swallow: UploadOptions['accept'] = async ({ name, stream }) => {
  await finished(stream.resume(), { writable: false });
  return { name, status: 'stored' };
};

export function serve(guard: Partial<HttpGuard> = {}, upload: Partial<UploadOptions> = {}): Promise<HttpServer> {
  const none = () => Promise.reject(new Error('not here'));
  const acts = {
    show: none,
    showOrder: none,
    showMessage: none,
    tryMessages: none,
    withdrawMerge: none,
    withdrawOrder: none,
    resolve: none,
    preview: none,
    replay: none,
    retryImages: none,
    showText: none,
    hold: none,
    decideText: none,
    endWork: none,
  };
  return serveHttp({
    operator: { work: () => Promise.resolve([]), ...acts, log },
    upload: {
      maxFileBytes: 100_000,
      maxFiles: 5,
      maxConcurrent: 4,
      stallTimeoutMs: 500,
      accept: swallow,
      onEnd: () => Promise.resolve(),
      log,
      ...upload,
    },
    guard: httpGuard({
      admit: (request) =>
        Promise.resolve(request.get('x-api-key') === 'right' ? { name: 'device' } : { refused: 'key-unknown' }),
      ...guard,
    }),
  });
}

/** A connection on which a test writes what it likes. */
export function raw(port: number, text: string, from = '127.0.0.1') {
  const socket: Socket = connect({ port, host: '127.0.0.1', localAddress: from });
  let received = '';
  let closed = false;
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  socket.on('error', () => undefined);
  socket.on('close', () => (closed = true));
  socket.write(text);
  return {
    socket,
    received: () => received,
    closed: () => closed,
    untilClosed: () => eventually('the connection to be closed', () => Promise.resolve(closed)),
  };
}

/** Writes `piece` again and again, as fast as it is taken, until the connection is closed; gives how much that was. */
export async function endless({ socket, closed }: ReturnType<typeof raw>, piece: Buffer): Promise<number> {
  let sent = 0;
  while (!closed() && sent < 500_000_000) {
    sent += piece.length;
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain').catch(() => undefined), pause(50)]);
  }
  socket.destroy();
  return sent;
}

export const post = (path: string, headers: Record<string, string>): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;
export const UPLOAD = '/api/modality/dicom';
export const ENDLESS = { 'Transfer-Encoding': 'chunked' };
export const CHUNK = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536, 'x'), Buffer.from('\r\n')]);
