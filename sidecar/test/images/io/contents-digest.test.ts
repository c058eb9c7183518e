import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import fc from 'fast-check';
import { digesting, type ContentsDigest } from '../../../images/io/contents-digest.ts';
import { crImage, ctSeries } from '../../../dev/phantoms.ts';

const TAGS = { StudyInstanceUID: '2.25.1', PatientID: 'P1', PatientName: 'TEST^A' };

async function digestOf(file: Buffer, cuts: readonly number[] = []): Promise<ContentsDigest> {
  const at = [0, ...cuts.map((cut) => cut % file.length).sort((a, b) => a - b), file.length];
  const chunks = at.slice(1).map((end, index) => file.subarray(at[index], end));
  const { stream, digest } = digesting();
  const passed = await buffer(Readable.from(chunks.filter(({ length }) => length > 0)).pipe(stream));
  expect(passed.equals(file)).to.equal(true);
  return digest();
}

describe('what a DICOM file is compared by', () => {
  it('is its pixel data, whatever stands before it', async () => {
    const one = await digestOf(crImage(TAGS, '2.25.1.1'));
    const renamed = await digestOf(crImage({ ...TAGS, PatientName: 'SOMEBODY^Else' }, '2.25.1.1'));
    const other = await digestOf(crImage(TAGS, '2.25.1.1', 'WRIST'));
    expect(renamed.contents).to.equal(one.contents);
    expect(renamed.file).not.to.equal(one.file);
    expect(other.contents).not.to.equal(one.contents);
  });

  it('is the same in whatever parts the file comes', async () => {
    const [file = Buffer.alloc(0)] = ctSeries(TAGS, '2.25.1.1', 1, 16);
    const whole = await digestOf(file);
    expect(whole.hasPixels).to.equal(true);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(file.length), { maxLength: 8 }), async (cuts) => {
        expect(await digestOf(file, cuts)).to.deep.equal(whole);
      }),
    );
  });

  it('is without pixel data what follows the header of the file', async () => {
    const [file = Buffer.alloc(0)] = ctSeries(TAGS, '2.25.1.1', 1, 16);
    const cut = file.subarray(0, file.lastIndexOf(Buffer.of(0xe0, 0x7f, 0x10, 0)));
    const [one, other] = [await digestOf(cut), await digestOf(cut.subarray(0, cut.length - 2))];
    expect(one.hasPixels).to.equal(false);
    expect(other.contents).not.to.equal(one.contents);
    const otherHeader = Buffer.from(cut);
    otherHeader.write('X', 0);
    expect((await digestOf(otherHeader)).contents).to.equal(one.contents);
  });
});
