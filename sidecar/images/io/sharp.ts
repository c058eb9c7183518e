import sharp from 'sharp';
import { Failure } from '../../platform/rules/failure.ts';

/** Longest side of a thumbnail, in pixels. */
const THUMBNAIL_SIZE = 256;

export interface RawImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
}

function imageFailure(error: unknown): Failure {
  return new Failure('permanent', 'unreadable-image', 'sharp could not read the image', { cause: error });
}

/** A JPEG with 256 pixels on its longest side, never enlarged. @throws Failure permanent `unreadable-image`. */
export async function thumbnail(jpeg: Buffer, maxPixels: number): Promise<Buffer> {
  try {
    return await sharp(jpeg, { limitInputPixels: maxPixels, failOn: 'error' })
      .resize(THUMBNAIL_SIZE, THUMBNAIL_SIZE, { fit: 'inside', withoutEnlargement: true })
      .toColourspace('srgb')
      .jpeg({ quality: 80 })
      .toBuffer();
  } catch (error) {
    throw imageFailure(error);
  }
}

/** Raw pixels as a JPEG of quality 90. @throws Failure permanent `unreadable-image`. */
export async function encodeJpeg(image: RawImage): Promise<Buffer> {
  const { data, width, height, channels } = image;
  try {
    return await sharp(data, { raw: { width, height, channels } }).removeAlpha().jpeg({ quality: 90 }).toBuffer();
  } catch (error) {
    throw imageFailure(error);
  }
}
