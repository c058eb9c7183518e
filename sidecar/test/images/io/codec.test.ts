import { expect } from 'chai';
import { createCodec, type Codec } from '../../../images/io/codec.ts';
import { Failure } from '../../../platform/rules/failure.ts';
import { dicomFile, memoryBomb, part10 } from '../../support/dicom-files.ts';

const SMALL = 'pydicom__pydicom/src/pydicom/data/test_files/MR_small_jp2klossless.dcm';
const COLOUR = 'pydicom__pydicom/src/pydicom/data/test_files/examples_jpeg2k.dcm';
const HTJ2K = 'chafey__DICOMHTJ2K/test/fixtures/htj2k/CT2_JPH';
const FRAMES =
  'nroduit__weasis-dicom-tools/weasis-dicom-tools/src/test/resources/org/dcm4che3/img/jpeg2000-multiframe-multifragments.dcm';

async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Failure) return `${error.kind} ${error.code}`;
    throw error;
  }
  return 'was drawn';
}

/** The first JPEG 2000 codestream of `file` with another width and height in its SIZ marker. */
function withCodestreamSize(file: Buffer, width: number, height: number): Buffer {
  const changed = Buffer.from(file);
  const siz = changed.indexOf(Buffer.of(0xff, 0x4f, 0xff, 0x51));
  changed.writeUInt32BE(width, siz + 8);
  changed.writeUInt32BE(height, siz + 12);
  return changed;
}

/** `file` with other Rows (0028,0010) and Columns (0028,0011). */
function withRowsAndColumns(file: Buffer, rows: number, columns: number): Buffer {
  const changed = Buffer.from(file);
  changed.writeUInt16LE(rows, changed.indexOf(Buffer.from('280010005553', 'hex')) + 8);
  changed.writeUInt16LE(columns, changed.indexOf(Buffer.from('280011005553', 'hex')) + 8);
  return changed;
}

describe('drawing JPEG 2000 in a thread', () => {
  let codec: Codec;
  before(() => {
    codec = createCodec({ maxPixels: 2_000_000, timeoutMs: 20_000 });
  });
  after(async () => {
    await codec[Symbol.asyncDispose]();
  });

  for (const [what, path, width, height] of [
    ['a grey image', SMALL, 64, 64],
    ['a colour image', COLOUR, 640, 480],
    ['an HTJ2K image', HTJ2K, 512, 512],
  ] as const) {
    it(`draws ${what}`, async function () {
      const image = await codec.render(dicomFile(this, path), 0);
      expect(image).to.include({ width, height, channels: 4 });
      expect(image.data).to.have.length(width * height * 4);
      expect(new Set(image.data).size, 'shades').to.be.greaterThan(20);
    });
  }

  it('draws one image after the other in the same thread, and several that are asked for at once', async function () {
    const file = dicomFile(this, SMALL);
    for (let turn = 0; turn < 3; turn += 1) expect(await codec.render(file, 0)).to.include({ width: 64 });
    const images = await Promise.all([1, 2, 3].map(() => codec.render(file, 0)));
    expect(images.map(({ width }) => width)).to.deep.equal([64, 64, 64]);
    expect(file, 'the caller’s bytes are its own').to.have.length(6008);
  });

  it('draws the frame that is asked for, and refuses one that the file does not have', async function () {
    const file = dicomFile(this, FRAMES);
    const [first, last] = [await codec.render(file, 0), await codec.render(file, 18)];
    expect(Buffer.compare(first.data, last.data)).not.to.equal(0);
    expect(await refusal(codec.render(file, 19))).to.equal('permanent undecodable');
  });

  it('refuses what is no DICOM, or none with an image', async () => {
    for (const file of [Buffer.of(), Buffer.from('nonsense'), part10('1.2.840.10008.1.2.1', Buffer.of())]) {
      expect(await refusal(codec.render(file, 0))).to.equal('permanent undecodable');
    }
  });

  it('outlives a file that is cut off anywhere', async function () {
    const file = dicomFile(this, SMALL);
    for (let length = 100; length < file.length; length += 400) {
      expect(await refusal(codec.render(file.subarray(0, length), 0))).to.be.oneOf([
        'permanent undecodable',
        'was drawn',
      ]);
    }
    expect(await codec.render(file, 0)).to.include({ width: 64 });
  });

  it('refuses absurd dimensions before it decodes, in Rows and Columns as well as in the codestream', async function () {
    const file = dicomFile(this, SMALL);
    const started = performance.now();
    expect(await refusal(codec.render(withCodestreamSize(file, 4_000_000_000, 4_000_000_000), 0))).to.equal(
      'permanent too-many-pixels',
    );
    expect(await refusal(codec.render(withRowsAndColumns(file, 65_000, 65_000), 0))).to.equal(
      'permanent too-many-pixels',
    );
    expect(performance.now() - started).to.be.lessThan(2000);
    expect(await codec.render(file, 0)).to.include({ width: 64 });
  });

  it('outlives codestreams of 65,535 x 65,535 pixels, of thousands of components, tiles of one pixel, and broken ones', async function () {
    await using wide = createCodec({ maxPixels: 64_000_000, timeoutMs: 20_000 });
    for (const path of [SMALL, HTJ2K]) {
      const file = dicomFile(this, path);
      // SIZ: XTsiz and YTsiz are 24, Csiz 40 bytes on (ISO/IEC 15444-1 table A.9).
      const siz = file.indexOf(Buffer.of(0xff, 0x4f, 0xff, 0x51));
      const [manyParts, manyTiles] = [Buffer.from(file), withCodestreamSize(file, 8000, 8000)];
      manyParts.writeUInt16BE(16_384, siz + 40);
      for (const offset of [24, 28]) manyTiles.writeUInt32BE(1, siz + offset);
      expect(await refusal(wide.render(withCodestreamSize(file, 65_535, 65_535), 0))).to.equal(
        'permanent too-many-pixels',
      );
      for (const changed of [manyParts, manyTiles]) {
        expect(await refusal(wide.render(changed, 0))).to.equal('permanent undecodable');
      }
      for (let at = siz + 4; at < siz + 120; at += 3) {
        const broken = Buffer.from(file);
        broken.fill(0xff - (at % 7), at, at + 2);
        expect(await refusal(wide.render(broken, 0))).to.match(/^permanent |^was drawn|^transient render-crashed/);
      }
      expect((await codec.render(file, 0)).width).to.be.greaterThan(0);
    }
  });

  it('takes exactly as many pixels as it may', async function () {
    const file = dicomFile(this, SMALL);
    for (const [maxPixels, expected] of [
      [64 * 64, 'was drawn'],
      [64 * 64 - 1, 'permanent too-many-pixels'],
    ] as const) {
      await using strict = createCodec({ maxPixels, timeoutMs: 20_000 });
      expect(await refusal(strict.render(file, 0))).to.equal(expected);
    }
  });

  it('draws the next image after one that made its thread run out of memory', async function () {
    const file = dicomFile(this, SMALL);
    const [bomb, next] = [refusal(codec.render(memoryBomb(40_000_000), 0)), codec.render(file, 0)];
    expect(await bomb).to.equal('transient render-crashed');
    expect(await next).to.include({ width: 64 });
  });

  it('calls what its own end keeps from being drawn transient, and starts no thread any more', async function () {
    const file = dicomFile(this, SMALL);
    const ended = createCodec({ maxPixels: 2_000_000, timeoutMs: 20_000 });
    const calls = [memoryBomb(40_000_000), file].map((bytes) => refusal(ended.render(bytes, 0)));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await ended[Symbol.asyncDispose]();
    expect(await Promise.all(calls)).to.deep.equal(['transient render-stopped', 'transient render-stopped']);
    expect(await refusal(ended.render(file, 0))).to.equal('transient render-stopped');
  });

  it('draws the next image after one that took too long', async function () {
    const file = dicomFile(this, SMALL);
    await using hasty = createCodec({ maxPixels: 2_000_000, timeoutMs: 1500 });
    expect(await refusal(hasty.render(memoryBomb(40_000_000), 0))).to.equal('permanent render-timeout');
    expect(await hasty.render(file, 0)).to.include({ width: 64 });
  });
});
