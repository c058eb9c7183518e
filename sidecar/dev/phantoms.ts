import dcmjs from 'dcmjs';
import { chest } from './phantom/chest.ts';
import { fan } from './phantom/fan.ts';
import { head, HEAD_LEVELS } from './phantom/head.ts';
import { knee, wrist } from './phantom/limbs.ts';

/** The identity tags of a study made here; what is left out is left out of the file. */
export interface StudyTags {
  readonly StudyInstanceUID: string;
  readonly AccessionNumber?: string;
  readonly PatientID?: string;
  readonly IssuerOfPatientID?: string;
  readonly PatientName?: string;
  readonly PatientBirthDate?: string;
  readonly PatientSex?: string;
  readonly StudyDate?: string;
  readonly StudyDescription?: string;
  readonly [keyword: string]: unknown;
}

interface Pixels {
  readonly rows: number;
  readonly columns: number;
  readonly frames: number;
  /** Bits of one sample: 8, or 12 kept in 16. */
  readonly bits: 8 | 12;
  /** The value at a place, both from -1 to 1. */
  readonly at: (x: number, y: number, frame: number) => number;
}

interface ImageKind {
  readonly sopClassUid: string;
  readonly modality: string;
  readonly pixels: Pixels;
  readonly tags: Readonly<Record<string, unknown>>;
}

const EXPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';

// Drawing takes longer than all else of making an image.
const drawn = new WeakMap<Pixels, ArrayBuffer>();

function draw(picture: Pixels): ArrayBuffer {
  const before = drawn.get(picture);
  if (before !== undefined) return before;
  const { rows, columns, frames, bits, at } = picture;
  const samples = rows * columns * frames;
  const buffer = new ArrayBuffer(bits === 8 ? samples : 2 * samples);
  const pixels = bits === 8 ? new Uint8Array(buffer) : new Uint16Array(buffer);
  const top = bits === 8 ? 255 : 4095;
  let index = 0;
  for (let frame = 0; frame < frames; frame += 1) {
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1, index += 1) {
        pixels[index] = Math.round(at((2 * column) / columns - 1, (2 * row) / rows - 1, frame) * top);
      }
    }
  }
  drawn.set(picture, buffer);
  return buffer;
}

function file(kind: ImageKind, study: StudyTags, seriesUid: string, number: number): Buffer {
  const { rows, columns, frames, bits } = kind.pixels;
  const sopInstanceUid = `${seriesUid}.${number}`;
  const dataset = {
    _meta: {
      FileMetaInformationVersion: { vr: 'OB', Value: [Uint8Array.of(0, 1).buffer] },
      MediaStorageSOPClassUID: { vr: 'UI', Value: [kind.sopClassUid] },
      MediaStorageSOPInstanceUID: { vr: 'UI', Value: [sopInstanceUid] },
      TransferSyntaxUID: { vr: 'UI', Value: [EXPLICIT_VR_LITTLE_ENDIAN] },
      ImplementationClassUID: { vr: 'UI', Value: ['2.25.80302813137786398554742050926734630921'] },
    },
    _vrMap: { PixelData: bits === 8 ? 'OB' : 'OW' },
    SpecificCharacterSet: 'ISO_IR 192',
    SOPClassUID: kind.sopClassUid,
    SOPInstanceUID: sopInstanceUid,
    SeriesInstanceUID: seriesUid,
    Modality: kind.modality,
    SeriesNumber: 1,
    InstanceNumber: number,
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    Rows: rows,
    Columns: columns,
    ...(frames > 1 && { NumberOfFrames: frames }),
    BitsAllocated: bits === 8 ? 8 : 16,
    BitsStored: bits,
    HighBit: bits - 1,
    PixelRepresentation: 0,
    ...kind.tags,
    ...study,
    PixelData: [draw(kind.pixels)],
  };
  return Buffer.from(dcmjs.data.datasetToDict(dataset).write());
}

const levels = new Map<string, Pixels>();

/** The same picture each time for the same level, so that it is drawn once. */
function levelPixels(slice: number, size: number): Pixels {
  const level = slice % HEAD_LEVELS;
  const name = `${level} ${size}`;
  const before = levels.get(name);
  if (before !== undefined) return before;
  const at = (x: number, y: number): number => (head(x, y, level) + 1024) / 4095;
  const pixels: Pixels = { rows: size, columns: size, frames: 1, bits: 12, at };
  levels.set(name, pixels);
  return pixels;
}

/** A CT series of the head: Part 10 files, square, 12 bits, rescaled to Hounsfield units with a brain window. */
export function ctSeries(study: StudyTags, seriesUid: string, slices: number, size = 256): Buffer[] {
  return Array.from({ length: slices }, (_, slice) =>
    file(
      {
        sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
        modality: 'CT',
        pixels: levelPixels(slice, size),
        tags: {
          RescaleIntercept: -1024,
          RescaleSlope: 1,
          WindowCenter: 40,
          WindowWidth: 90,
          SliceThickness: 5,
          ImagePositionPatient: [-128, -128, 5 * slice],
          ImageOrientationPatient: [1, 0, 0, 0, 1, 0],
          PixelSpacing: [1, 1],
        },
      },
      study,
      seriesUid,
      slice + 1,
    ),
  );
}

const xray = (at: Pixels['at']): Pixels => ({ rows: 640, columns: 512, frames: 1, bits: 12, at });
const PARTS = {
  CHEST: { pixels: xray(chest), view: 'PA' },
  WRIST: { pixels: xray(wrist), view: 'PA' },
  KNEE: { pixels: xray(knee), view: 'AP' },
};

/** One X-ray of a chest, a left wrist or a right knee as computed radiography, 640 x 512, 12 bits. */
export function crImage(study: StudyTags, seriesUid: string, part: keyof typeof PARTS = 'CHEST'): Buffer {
  const { pixels, view } = PARTS[part];
  const tags = { WindowCenter: 2048, WindowWidth: 4096, ViewPosition: view, BodyPartExamined: part };
  return file({ sopClassUid: '1.2.840.10008.5.1.4.1.1.1', modality: 'CR', pixels, tags }, study, seriesUid, 1);
}

/** One ultrasound clip, 320 x 240, 8 bits, of `frames` frames. */
export function usClip(study: StudyTags, seriesUid: string, frames: number): Buffer {
  const pixels: Pixels = { rows: 240, columns: 320, frames, bits: 8, at: fan };
  const tags = { FrameTime: 40, FrameIncrementPointer: 0x00181063 };
  return file({ sopClassUid: '1.2.840.10008.5.1.4.1.1.3.1', modality: 'US', pixels, tags }, study, seriesUid, 1);
}
