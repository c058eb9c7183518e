import { expect } from 'chai';
import { CHUNK, ENDLESS, KNOWN, post, raw, endless, serve, UPLOAD } from '../../support/http-attack.ts';
import { ask, statusOf } from '../../support/http-client.ts';
import { serveHttp } from '../../support/http-guard.ts';
import { pause } from '../../support/mllp-sender.ts';
import { eventually } from '../../support/rig.ts';

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
    await using http = await serve();
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
    await using http = await serveHttp({
      readiness: () => {
        looks += 1;
        return gate.promise;
      },
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
