import { expect } from 'chai';
import sharp from 'sharp';
import { encodeJpeg, thumbnail } from '../../../images/io/sharp.ts';
import { Failure } from '../../../platform/rules/failure.ts';

const jpeg = (width: number, height: number): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: '#4080c0' } })
    .jpeg()
    .toBuffer();

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'did not fail',
    (error: unknown) => error,
  );
}

describe('thumbnails', () => {
  for (const [width, height, thumbWidth, thumbHeight] of [
    [512, 512, 256, 256],
    [1024, 512, 256, 128],
    [300, 1200, 64, 256],
    [256, 256, 256, 256],
    [100, 50, 100, 50],
    [1, 1, 1, 1],
    [5000, 2, 256, 1],
  ] as const) {
    it(`are ${thumbWidth}x${thumbHeight} of an image of ${width}x${height}`, async () => {
      const made = await sharp(await thumbnail(await jpeg(width, height), 100_000_000)).metadata();
      expect(made).to.include({ format: 'jpeg', width: thumbWidth, height: thumbHeight });
    });
  }

  it('are made of a grey image too, as a JPEG any browser shows', async () => {
    const grey = await sharp(await jpeg(600, 600))
      .greyscale()
      .jpeg()
      .toBuffer();
    expect(await sharp(await thumbnail(grey, 1_000_000)).metadata()).to.include({ format: 'jpeg', width: 256 });
  });

  it('are not made of an image with more pixels than allowed', async () => {
    const failure = await failureOf(thumbnail(await jpeg(200, 200), 39_999));
    expect(failure).to.be.instanceOf(Failure).and.to.include({ kind: 'permanent', code: 'unreadable-image' });
    expect(await sharp(await thumbnail(await jpeg(200, 200), 40_000)).metadata()).to.include({ width: 200 });
  });

  it('are not made of what is no image, or half of one', async () => {
    const whole = await jpeg(800, 800);
    for (const bytes of [Buffer.of(), Buffer.from('<html>'), whole.subarray(0, whole.length / 2)]) {
      expect(await failureOf(thumbnail(bytes, 1_000_000))).to.include({ kind: 'permanent', code: 'unreadable-image' });
    }
  });
});

describe('raw pixels', () => {
  it('become a JPEG of the same size and colour', async () => {
    const data = Buffer.alloc(40 * 30 * 4, Buffer.of(200, 100, 50, 255));
    const made = sharp(await encodeJpeg({ data, width: 40, height: 30, channels: 4 }));
    expect(await made.metadata()).to.include({ format: 'jpeg', width: 40, height: 30, channels: 3 });
    const [red, green, blue] = (await made.stats()).channels.map(({ mean }) => mean);
    expect(red).to.be.closeTo(200, 3);
    expect(green).to.be.closeTo(100, 3);
    expect(blue).to.be.closeTo(50, 3);
  });

  it('that are fewer than the size says are refused', async () => {
    const failure = await failureOf(encodeJpeg({ data: Buffer.alloc(10), width: 40, height: 30, channels: 4 }));
    expect(failure).to.be.instanceOf(Failure).and.to.include({ kind: 'permanent', code: 'unreadable-image' });
  });
});
