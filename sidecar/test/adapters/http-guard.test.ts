import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import { expect } from 'chai';
import { startHttp, type HttpServer } from '../../adapters/http.ts';
import type { HttpGuard } from '../../adapters/http-guard.ts';
import type { UploadOptions } from '../../adapters/http-upload.ts';
import { ask, statusOf } from '../support/http-client.ts';
import { httpGuard } from '../support/http-guard.ts';
import { pause } from '../support/mllp-sender.ts';
import { eventually } from '../support/rig.ts';

const never = () => Promise.reject(new Error('not here'));
const log = { warn: () => undefined, info: () => undefined };
const KNOWN = { 'X-API-Key': 'right' };

/** Takes every file, once it has read it. */
const swallow: UploadOptions['accept'] = async ({ name, stream }) => {
  await finished(stream.resume(), { writable: false });
  return { name, status: 'stored' };
};

function serve(guard: Partial<HttpGuard> = {}, upload: Partial<UploadOptions> = {}): Promise<HttpServer> {
  return startHttp({
    host: '0.0.0.0',
    port: 0,
    readiness: () => Promise.resolve([]),
    closeTimeoutMs: 500,
    operator: { work: () => Promise.resolve([]), show: never, resolve: never, replay: never, retryImages: never, log },
    upload: {
      maxFileBytes: 100_000,
      maxFiles: 5,
      maxConcurrent: 4,
      stallTimeoutMs: 500,
      accept: swallow,
      log,
      ...upload,
    },
    sms: undefined,
    guard: httpGuard({
      admit: (request) =>
        Promise.resolve(request.get('x-api-key') === 'right' ? { name: 'device' } : { refused: 'key-unknown' }),
      ...guard,
    }),
  });
}

/** A connection on which a test writes what it likes. */
function raw(port: number, text: string, from = '127.0.0.1') {
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
async function endless({ socket, closed }: ReturnType<typeof raw>, piece: Buffer): Promise<number> {
  let sent = 0;
  while (!closed() && sent < 500_000_000) {
    sent += piece.length;
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain').catch(() => undefined), pause(50)]);
  }
  socket.destroy();
  return sent;
}

const post = (path: string, headers: Record<string, string>): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;
const UPLOAD = '/api/modality/dicom';
const ENDLESS = { 'Transfer-Encoding': 'chunked' };
const CHUNK = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536, 'x'), Buffer.from('\r\n')]);

describe('attacks on the HTTP port', () => {
  it('1,000 silent connections leave room for another address, and are closed', async function () {
    this.timeout(120_000);
    const refused: string[] = [];
    await using http = await serve({
      maxConnections: 200,
      onRefused: ({ what, code }) => void refused.push(`${what} ${code}`),
    });
    const silent = Array.from({ length: 1000 }, () => raw(http.port, ''));
    const open = () => silent.filter(({ closed }) => !closed()).length;
    await eventually('the most of one address', () => Promise.resolve(open() === 100));
    expect(await statusOf({ port: http.port, path: '/healthz', from: '127.0.0.2' })).to.equal(200);
    expect(new Set(refused)).to.deep.equal(new Set(['http too-many-connections']));
    await eventually('the silent ones to be closed', () => Promise.resolve(open() === 0));
    expect(await statusOf({ port: http.port, path: '/healthz' })).to.equal(200);
  });

  it('headers that never end, or are too large, end the connection', async function () {
    this.timeout(60_000);
    await using http = await serve();
    const slow = raw(http.port, 'GET /healthz HTTP/1.1\r\nHost: x\r\n');
    const drip = setInterval(() => slow.socket.write('a: b\r\n'), 200);
    const large = raw(http.port, `GET /healthz HTTP/1.1\r\nHost: x\r\nCookie: ${'x'.repeat(20_000)}\r\n\r\n`);
    await large.untilClosed();
    expect(large.received()).to.match(/^HTTP\/1.1 431 /);
    await slow.untilClosed();
    clearInterval(drip);
    expect(slow.received()).to.match(/^(HTTP\/1.1 408 .*)?/);
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`a${index}`, '']));
    const upload = (count: number) => statusOf({ port: http.port, path: UPLOAD, method: 'POST', headers: many(count) });
    expect([await upload(50), await upload(101), await upload(1000)]).to.deep.equal([401, 431, 431]);
  });

  it('a body without end is not read on: without a key, on a route that is none, or as JSON', async function () {
    this.timeout(60_000);
    await using http = await serve();
    const { port } = http;
    for (const [path, status] of [
      [UPLOAD, 401],
      ['/nothing', 404],
      ['/healthz', 404],
    ] as const) {
      const sender = raw(port, post(path, ENDLESS));
      await endless(sender, CHUNK);
      await sender.untilClosed();
      expect(sender.received()).to.match(new RegExp(`^HTTP/1.1 ${status} `));
    }
    const link = '/api/operator/studies/1.2/link';
    const json = raw(port, post(link, { ...ENDLESS, ...KNOWN, 'Content-Type': 'application/json' }));
    await endless(json, CHUNK);
    await json.untilClosed();
  });

  it('a body that does not come closes the connection', async function () {
    this.timeout(60_000);
    await using http = await serve();
    const waiting = raw(
      http.port,
      post('/api/operator/studies/1.2/link', { ...KNOWN, 'Content-Type': 'application/json', 'Content-Length': '50' }),
    );
    waiting.socket.write('{"who"');
    await waiting.untilClosed();
  });

  it('an upload that comes drop by drop, or not at all, is answered 408 and frees its place', async () => {
    await using http = await serve();
    const boundary = { 'Content-Type': 'multipart/form-data; boundary=b' };
    const file = '--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nabc';
    const heads = [
      post(UPLOAD, { ...KNOWN, 'Content-Type': 'application/dicom', 'Content-Length': '90000' }),
      post(UPLOAD, { ...KNOWN, ...boundary, 'Content-Length': '90000' }) + file,
    ];
    for (const head of [...heads, ...heads]) {
      const slow = raw(http.port, head);
      const drip = setInterval(() => slow.socket.write('x'), 50);
      await slow.untilClosed();
      clearInterval(drip);
      expect(slow.received()).to.match(/^HTTP\/1.1 408 /);
    }
    const headers = { ...KNOWN, 'Content-Type': 'application/dicom' };
    expect(await statusOf({ port: http.port, path: UPLOAD, method: 'POST', headers, body: 'abc' })).to.equal(200);
  });

  it('a form without end is answered and cut off, whatever it is made of', async function () {
    this.timeout(60_000);
    await using http = await serve({}, { maxFileBytes: 200_000 });
    const head = post(UPLOAD, { ...KNOWN, ...ENDLESS, 'Content-Type': 'multipart/form-data; boundary=b' });
    const chunk = (text: string) => Buffer.from(`${text.length.toString(16)}\r\n${text}\r\n`);
    const field = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n';
    const pieces = [
      [CHUNK, 413],
      [chunk(field.repeat(200)), 413],
      [chunk(field.replace('"a"', '"a"; filename="a"').repeat(200)), 413],
      [chunk(`--b\r\n${'A: b\r\n'.repeat(2000)}`), 422],
    ] as const;
    for (const [piece, status] of pieces) {
      const sender = raw(http.port, head);
      await endless(sender, piece);
      await sender.untilClosed();
      expect(sender.received()).to.match(new RegExp(`^HTTP/1.1 ${status} `));
    }
  });

  it('one key takes half of the places for uploads at most', async () => {
    const gate = Promise.withResolvers<undefined>();
    await using http = await serve(
      {
        admit: (request) => Promise.resolve({ name: request.get('x-api-key') ?? '' }),
      },
      {
        accept: async ({ name }) => {
          await gate.promise;
          return { name, status: 'stored' };
        },
        stallTimeoutMs: 10_000,
      },
    );
    const upload = (key: string) =>
      statusOf({
        port: http.port,
        path: UPLOAD,
        method: 'POST',
        headers: { 'X-API-Key': key, 'Content-Type': 'application/dicom' },
        body: 'abc',
      });
    const first = [upload('a'), upload('a')];
    await pause(100);
    expect(await upload('a')).to.equal(429);
    const second = [upload('b'), upload('b')];
    await pause(100);
    expect(await upload('c')).to.equal(429);
    gate.resolve(undefined);
    expect(await Promise.all([...first, ...second])).to.deep.equal([200, 200, 200, 200]);
  });

  it('X-Forwarded-For is believed from a trusted proxy only', async () => {
    for (const [trustedProxies, seen] of [
      [[], ['127.0.0.1', '127.0.0.9', '127.0.0.9']],
      [['127.0.0.9'], ['127.0.0.1', '203.0.113.5', '127.0.0.9']],
    ] as const) {
      const from: string[] = [];
      await using http = await serve({ trustedProxies, onRefused: (refused) => void from.push(refused.from) });
      const path = '/api/operator/work';
      const said = { 'X-Forwarded-For': '198.51.100.1, 203.0.113.5' };
      await ask({ port: http.port, path, headers: said });
      await ask({ port: http.port, path, headers: said, from: '127.0.0.9' });
      await ask({ port: http.port, path, headers: { 'X-Forwarded-For': '<script>' }, from: '127.0.0.9' });
      expect(from).to.deep.equal(seen);
    }
  });

  it('more requests in a minute than an operator makes are answered 429, each address for itself', async () => {
    const now = new Date();
    await using http = await serve({ now: () => now });
    const told: number[] = [];
    for (let batch = 0; batch < 13; batch += 1) {
      const some = Array.from({ length: 50 }, () =>
        statusOf({ port: http.port, path: '/api/operator/work', headers: KNOWN }),
      );
      told.push(...(await Promise.all(some)));
    }
    expect(told.filter((status) => status === 200)).to.have.length(600);
    expect(told.filter((status) => status === 429)).to.have.length(50);
    expect(await statusOf({ port: http.port, path: '/api/operator/work', headers: KNOWN, from: '127.0.0.2' })).to.equal(
      200,
    );
  });

  it('an archive that never answers holds a place for a time only', async () => {
    await using http = await serve(
      {},
      { stallTimeoutMs: 50, accept: (_file, signal) => once(signal, 'abort').then(() => never()) },
    );
    const headers = { ...KNOWN, 'Content-Type': 'application/dicom' };
    const { status, text } = await ask({ port: http.port, path: UPLOAD, method: 'POST', headers, body: 'abc' });
    expect([status, text]).to.deep.equal([503, '{"error":"upload-broken-off","detail":"the upload broke off"}']);
  });

  it('requests that mean two things, or that no URL can hold, are answered 400 and 404', async () => {
    await using http = await serve();
    const both = raw(
      http.port,
      `${post(UPLOAD, { 'Content-Length': '4', ...ENDLESS })}0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n`,
    );
    await both.untilClosed();
    expect(both.received())
      .to.match(/^HTTP\/1.1 400 /)
      .and.not.include('"ok"');
    const path = (text: string) => statusOf({ port: http.port, path: text, headers: KNOWN });
    expect(await path('/api/operator/studies/%E0%A4%A')).to.equal(400);
    expect(await path("/api/operator/studies/1'%20OR%20'1'='1")).to.equal(404);
    expect(await path('/api/operator/studies/..%2f..%2fetc%2fpasswd')).to.equal(404);
    expect(await path('/../../etc/passwd')).to.equal(404);
    expect(await path('/api/operator/work?days=1&days=2&__proto__[x]=1')).to.equal(400);
    expect(await statusOf({ port: http.port, method: 'TRACE', path: '/healthz' })).to.equal(404);
  });

  it('many that ask for the readiness at once share one look at it', async () => {
    let looks = 0;
    const gate = Promise.withResolvers<[]>();
    await using http = await startHttp({
      host: '127.0.0.1',
      port: 0,
      readiness: () => {
        looks += 1;
        return gate.promise;
      },
      closeTimeoutMs: 500,
      operator: { work: never, show: never, resolve: never, replay: never, retryImages: never, log },
      upload: { maxFileBytes: 1, maxFiles: 1, maxConcurrent: 1, stallTimeoutMs: 1000, accept: never, log },
      sms: undefined,
      guard: httpGuard(),
    });
    const many = Array.from({ length: 50 }, () => statusOf({ port: http.port, path: '/readyz' }));
    await pause(200);
    gate.resolve([]);
    expect(new Set(await Promise.all(many))).to.deep.equal(new Set([200]));
    expect(looks).to.equal(1);
  });

  it('answers carry the headers that browsers heed, and no version of anything', async () => {
    await using http = await serve();
    for (const path of ['/healthz', '/nothing', '/api/operator/work', '/api/openapi.json']) {
      const { headers } = await ask({ port: http.port, path });
      expect(headers).to.include({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
      expect(headers['content-security-policy']).to.include("default-src 'self'");
      expect(headers['content-type']).to.match(/^application\/json/);
      expect(headers).not.to.have.any.keys('server', 'x-powered-by', 'etag', 'access-control-allow-origin');
    }
  });
});
