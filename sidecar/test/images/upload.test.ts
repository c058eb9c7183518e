import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { expect } from 'chai';
import { z } from 'zod';
import { crImage } from '../../dev/phantoms.ts';
import { eventually, startRig, type Rig } from '../support/rig.ts';

const FILES = z.object({
  error: z.string().optional(),
  detail: z.string().optional(),
  files: z
    .array(
      z.object({
        name: z.string(),
        status: z.string(),
        reason: z.string().optional(),
        orthancId: z.string().optional(),
      }),
    )
    .default([]),
});

const image = (uid: string): Buffer =>
  crImage({ StudyInstanceUID: uid, AccessionNumber: `UP${uid}`, PatientID: 'UP1', PatientName: 'UP^Load' }, `${uid}.1`);

function form(...files: readonly (readonly [string, Buffer])[]): FormData {
  const body = new FormData();
  for (const [name, bytes] of files) body.append('files', new Blob([new Uint8Array(bytes)]), name);
  return body;
}

/** A valid file of about `megabytes`, in chunks: a CR image with one big private element before it ends. */
function* bigFile(megabytes: number): Generator<Uint8Array> {
  yield new Uint8Array(image('2.25.77'));
  const head = Buffer.alloc(12);
  head.writeUInt16LE(0x7fe1, 0);
  head.writeUInt16LE(0x1010, 2);
  head.write('OB', 4, 'latin1');
  head.writeUInt32LE(megabytes * 1024 * 1024, 8);
  yield new Uint8Array(head);
  const chunk = new Uint8Array(1024 * 1024);
  for (let sent = 0; sent < megabytes; sent += 1) yield chunk;
}

describe('the upload, for devices that cannot C-STORE', () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig({ MAX_UPLOAD_BYTES: String(400 * 1024 * 1024) });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const url = (): string => `http://127.0.0.1:${rig.sidecar.httpPort}/api/modality/dicom`;
  const post = async (
    init: RequestInit & { duplex?: 'half' },
    key: Record<string, string> = { 'X-API-Key': rig.apiKey },
  ) => {
    const headers = new Headers(init.headers);
    for (const [name, value] of Object.entries(key)) headers.set(name, value);
    const response = await fetch(url(), { method: 'POST', ...init, headers });
    const text = await response.text();
    return { response, status: response.status, body: FILES.parse(JSON.parse(text)) };
  };
  const dicom = (bytes: Buffer) => ({ body: new Uint8Array(bytes), headers: { 'Content-Type': 'application/dicom' } });

  it('takes many files of one form and says of each what became of it', async () => {
    const files = [
      ['a.dcm', image('2.25.51')],
      ['again.dcm', image('2.25.51')],
      ['notes.txt', Buffer.from('these are only notes')],
      ['b.dcm', image('2.25.52')],
    ] as const;
    const { status, body } = await post({ body: form(...files) });
    expect(status).to.equal(200);
    expect(body.files.map(({ name, status: became }) => [name, became])).to.deep.equal([
      ['a.dcm', 'stored'],
      ['again.dcm', 'already-stored'],
      ['notes.txt', 'refused'],
      ['b.dcm', 'stored'],
    ]);
    expect(body.files[2]?.reason).to.match(/not a DICOM file/);
    await rig.settled();
    const rows = await rig.rows(
      `SELECT i.mirror_status FROM images i WHERE i.sop_instance_uid IN ('2.25.51.1.1', '2.25.52.1.1')`,
      z.object({ mirror_status: z.string() }),
    );
    expect(rows).to.deep.equal([{ mirror_status: 'mirrored' }, { mirror_status: 'mirrored' }]);
  });

  it('says of a file whose identifiers are there whether it is the same, and tells a person where it is not', async () => {
    const tags = { StudyInstanceUID: '2.25.60', AccessionNumber: 'UPA', PatientID: 'UP1', PatientName: 'UP^Load' };
    const files = [
      crImage(tags, '2.25.60.1'),
      crImage(tags, '2.25.60.1'),
      crImage({ ...tags, AccessionNumber: 'UPB' }, '2.25.60.1'),
      crImage({ ...tags, ViewPosition: 'PA', BodyPartExamined: 'CHEST' }, '2.25.60.1', 'WRIST'),
    ];
    const { body } = await post({ body: form(...files.map((file, at) => [`${at}.dcm`, file] as const)) });
    expect(body.files.map(({ status }) => status)).to.deep.equal(['stored', 'already-stored', 'differs', 'differs']);
    expect(body.files[2]?.reason).to.contain('differs in AccessionNumber: ');
    expect(body.files[3]?.reason).to.contain('differs in PixelData: ');
    const fields = `SELECT EXISTS (SELECT 1 FROM image_differences f JOIN images i USING (orthanc_id)
      WHERE i.sop_instance_uid = '2.25.60.1.1' AND f.fields = '{AccessionNumber,PixelData}')`;
    await rig.until('what differs', fields);
  });

  it('takes one file as application/dicom, with the key as a bearer token', async () => {
    const { status, body } = await post(dicom(image('2.25.53')), { Authorization: `Bearer ${rig.apiKey}` });
    expect([status, body.files[0]?.status]).to.deep.equal([200, 'stored']);
  });

  it('answers 401 without a key or with another, and reads nothing', async () => {
    for (const key of [{}, { 'X-API-Key': 'axis_wrong' }, { Authorization: `Basic ${rig.apiKey}` }]) {
      const { status, response } = await post(dicom(image('2.25.54')), key);
      expect(status).to.equal(401);
      expect(response.headers.get('www-authenticate')).to.match(/^Bearer/);
    }
    const stored = await rig.rows(`SELECT 1 AS one FROM images WHERE sop_instance_uid = '2.25.54.1.1'`, z.unknown());
    expect(stored).to.have.length(0);
  });

  it('answers 415 for another content type', async () => {
    const { status } = await post({ body: '{}', headers: { 'Content-Type': 'application/json' } });
    expect(status).to.equal(415);
  });

  it('answers 422 when nothing in it is DICOM, when there is no file, and when the form is cut short', async () => {
    expect((await post(dicom(randomBytes(5000)))).status).to.equal(422);
    expect((await post({ body: form() })).status).to.equal(422);
    const headers = { 'Content-Type': 'multipart/form-data; boundary=cut' };
    const cut = '--cut\r\nContent-Disposition: form-data; name="f"; filename="x.dcm"\r\n\r\nabc';
    expect((await post({ body: cut, headers })).status).to.equal(422);
    const bare = { 'Content-Type': 'multipart/form-data' };
    expect((await post({ body: cut, headers: bare })).status, 'no boundary').to.equal(422);
  });

  it('refuses a file that Orthanc will never store, saying why', async () => {
    const bare = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), Buffer.alloc(200)]);
    const { status, body } = await post(dicom(bare));
    expect(status).to.equal(422);
    expect(body.files[0]?.reason).to.be.a('string').that.is.not.empty;
  });

  it('streams a file of 300 MB without holding it', async function () {
    this.timeout(60_000);
    const start = process.memoryUsage().rss;
    let highest = start;
    const watch = setInterval(() => {
      highest = Math.max(highest, process.memoryUsage().rss);
    }, 20);
    const body = ReadableStream.from(bigFile(300));
    const { status } = await post({ body, duplex: 'half', headers: { 'Content-Type': 'application/dicom' } });
    clearInterval(watch);
    expect(status).to.equal(200);
    expect((highest - start) / 1024 / 1024, 'megabytes more than before').to.be.lessThan(150);
  });

  it('answers 413 above the limit and keeps nothing of that file', async function () {
    this.timeout(60_000);
    await rig.settled();
    const before = await rig.rows('SELECT count(*)::int AS n FROM images', z.object({ n: z.number() }));
    const body = ReadableStream.from(bigFile(401));
    const { status } = await post({ body, duplex: 'half', headers: { 'Content-Type': 'application/dicom' } });
    expect(status).to.equal(413);
    await rig.settled();
    expect(await rig.rows('SELECT count(*)::int AS n FROM images', z.object({ n: z.number() }))).to.deep.equal(before);
  });

  it('stores nothing of an upload that breaks off, and goes on', async () => {
    const bytes = image('2.25.55');
    const socket = connect(rig.sidecar.httpPort, '127.0.0.1');
    const head = `POST /api/modality/dicom HTTP/1.1\r\nHost: x\r\nX-API-Key: ${rig.apiKey}\r\nContent-Type: application/dicom\r\nContent-Length: ${bytes.length}\r\n\r\n`;
    socket.write(head);
    socket.write(bytes.subarray(0, bytes.length - 1000), () => {
      setTimeout(() => socket.destroy(), 100);
    });
    await eventually('the broken upload to be noticed', async () => {
      await Promise.resolve();
      return rig.logged.some((line) => line.includes('upload broken off') || line.includes('upload-broken-off'));
    });
    expect((await post(dicom(image('2.25.56')))).status).to.equal(200);
    await rig.settled();
    expect(
      await rig.rows(`SELECT 1 AS one FROM images WHERE sop_instance_uid = '2.25.55.1.1'`, z.unknown()),
    ).to.have.length(0);
  });

  it('answers 503 with Retry-After while Orthanc is away, and takes the same file afterwards', async () => {
    await rig.orthanc.stop();
    const { status, response, body } = await post(dicom(image('2.25.57')));
    expect([status, body.files[0]?.status]).to.deep.equal([503, 'not-taken']);
    expect(response.headers.get('retry-after')).to.match(/^\d+$/);
    await rig.orthanc.start();
    expect((await post(dicom(image('2.25.57')))).status).to.equal(200);
  });
});
