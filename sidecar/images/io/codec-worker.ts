import { parentPort } from 'node:worker_threads';
import imaging from 'dcmjs-imaging';

/** One file to draw, and what comes back: pixels, or a code of why there are none. */
export interface CodecTask {
  readonly file: ArrayBuffer;
  readonly frame: number;
  readonly maxPixels: number;
}
export type CodecAnswer =
  | { readonly pixels: ArrayBuffer; readonly width: number; readonly height: number }
  | { readonly problem: 'too-many-pixels' | 'undecodable' };

const { DicomImage, NativePixelDecoder } = imaging;

// A JPEG 2000 codestream begins SOC, SIZ (ISO/IEC 15444-1 annex A.5.1): its own size may belie Rows and Columns.
const CODESTREAM = Buffer.of(0xff, 0x4f, 0xff, 0x51);

function codestreamPixels(file: Buffer): number {
  let most = 0;
  for (let at = file.indexOf(CODESTREAM); at >= 0; at = file.indexOf(CODESTREAM, at + 4)) {
    if (at + 40 > file.length) break;
    const [right, bottom, left, top] = [8, 12, 16, 20].map((offset) => file.readUInt32BE(at + offset));
    most = Math.max(most, ((right ?? 0) - (left ?? 0)) * ((bottom ?? 0) - (top ?? 0)));
  }
  return most;
}

function draw({ file, frame, maxPixels }: CodecTask): CodecAnswer {
  if (codestreamPixels(Buffer.from(file)) > maxPixels) return { problem: 'too-many-pixels' };
  try {
    const image = new DicomImage(file);
    if (image.getWidth() * image.getHeight() > maxPixels) return { problem: 'too-many-pixels' };
    const { pixels, width, height } = image.render({ frame, renderOverlays: false });
    return { pixels, width, height };
  } catch {
    return { problem: 'undecodable' };
  }
}

await NativePixelDecoder.initializeAsync();
parentPort?.on('message', (task: CodecTask) => {
  const answer = draw(task);
  parentPort?.postMessage(answer, 'pixels' in answer ? [answer.pixels] : []);
});
