import { once } from 'node:events';
import { expect } from 'chai';
import { CHUNK, ENDLESS, KNOWN, post, raw, endless, serve, UPLOAD } from '../../support/http-attack.ts';
import { ask, statusOf } from '../../support/http-client.ts';
import { pause } from '../../support/mllp-sender.ts';

const never = () => Promise.reject(new Error('not here'));

describe('attacks on the upload', () => {
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

  it('an archive that never answers holds a place for a time only', async () => {
    await using http = await serve(
      {},
      { stallTimeoutMs: 50, accept: (_file, signal) => once(signal, 'abort').then(() => never()) },
    );
    const headers = { ...KNOWN, 'Content-Type': 'application/dicom' };
    const { status, text } = await ask({ port: http.port, path: UPLOAD, method: 'POST', headers, body: 'abc' });
    expect([status, text]).to.deep.equal([503, '{"error":"upload-broken-off","detail":"the upload broke off"}']);
  });
});
