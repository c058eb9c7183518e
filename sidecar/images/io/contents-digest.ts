import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';

/** What a DICOM file that passed is compared by. */
export interface ContentsDigest {
  /** MD5 of the whole file, as Orthanc keeps one. */
  readonly file: string;
  /** Of its pixel data, or without such of its data set: what a new file header or patient does not change. */
  readonly contents: string;
  readonly hasPixels: boolean;
}

// (7FE0,0010) in little endian, and where the data set begins: after the preamble and group 2, whose length (0002,0000) says
// (PS3.10 7.1).
const PIXEL_DATA = Buffer.of(0xe0, 0x7f, 0x10, 0x00);
const GROUP_LENGTH = Buffer.of(2, 0, 0, 0, 0x55, 0x4c, 4, 0);
const GROUP_AT = 132;
const BEFORE_DATA_SET = GROUP_AT + 12;

function dataSetAt(head: Buffer): number {
  const told = head.subarray(GROUP_AT, GROUP_AT + GROUP_LENGTH.length).equals(GROUP_LENGTH);
  return told ? BEFORE_DATA_SET + head.readUInt32LE(GROUP_AT + GROUP_LENGTH.length) : 0;
}

/**
 * A stream that lets a DICOM file pass as it is, and what it is compared by once it has passed. Pixel data is what begins
 * with the last of its tags: the same bytes give the same, wherever they stand in the file.
 */
export function digesting(): { readonly stream: Transform; readonly digest: () => ContentsDigest } {
  const file = createHash('md5');
  let contents = createHash('sha256');
  let [head, carry] = [Buffer.alloc(0), Buffer.alloc(0)];
  let [hasPixels, skip] = [false, -1];
  const ofDataSet = (chunk: Buffer): Buffer => {
    let rest = chunk;
    if (skip < 0) {
      head = Buffer.concat([head, chunk]);
      if (head.length < BEFORE_DATA_SET) return Buffer.alloc(0);
      [skip, rest] = [dataSetAt(head), head];
    }
    const left = rest.subarray(Math.min(skip, rest.length));
    skip -= rest.length - left.length;
    return left;
  };
  const ofContents = (chunk: Buffer): void => {
    const bytes = Buffer.concat([carry, chunk]);
    const kept = Math.max(0, bytes.length - PIXEL_DATA.length + 1);
    const at = bytes.lastIndexOf(PIXEL_DATA);
    if (at >= 0) [hasPixels, contents] = [true, createHash('sha256')];
    contents.update(bytes.subarray(Math.max(0, at), kept));
    carry = bytes.subarray(kept);
  };
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      file.update(chunk);
      ofContents(ofDataSet(chunk));
      done(null, chunk);
    },
  });
  return {
    stream,
    digest: () => ({
      file: file.copy().digest('hex'),
      contents: contents.copy().update(carry).digest('hex'),
      hasPixels,
    }),
  };
}
