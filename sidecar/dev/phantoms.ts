import dcmjs from 'dcmjs';

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

/** Whether (x, y) lies in the ellipse about (cx, cy). */
const inside = (x: number, y: number, cx: number, cy: number, rx: number, ry: number): boolean =>
  ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1;

/** A slice through a head: skull, brain, ventricles that open and close from slice to slice, one bright lesion. */
function head(x: number, y: number, slice: number): number {
  if (!inside(x, y, 0, 0, 0.7, 0.88)) return 0;
  if (!inside(x, y, 0, 0, 0.63, 0.81)) return 0.95;
  const open = 0.25 + 0.1 * Math.sin(slice);
  if (inside(x, y, -0.18, -0.05, 0.09, open) || inside(x, y, 0.18, -0.05, 0.09, open)) return 0.38;
  if (inside(x, y, 0.35, 0.35, 0.08, 0.08)) return 0.62;
  return 0.5 + 0.03 * Math.sin(9 * x) * Math.cos(11 * y);
}

/** A chest from the front: lungs dark, spine, heart and ribs bright. */
function chest(x: number, y: number): number {
  const lung = inside(x, y, -0.42, -0.05, 0.33, 0.68) || inside(x, y, 0.42, -0.05, 0.33, 0.68);
  const heart = inside(x, y, 0.14, 0.25, 0.3, 0.32);
  const rib = lung && Math.sin(18 * y + 5 * x * x) > 0.75 ? 0.2 : 0;
  const spine = Math.abs(x) < 0.09 ? 0.2 : 0;
  return Math.min(1, (lung && !heart ? 0.22 : 0.62) + rib + spine);
}

/** A fan of a scan with one beating hollow. */
function fan(x: number, y: number, frame: number): number {
  const [dx, dy] = [x, y + 1.1];
  const [angle, radius] = [Math.atan2(dx, dy), Math.hypot(dx, dy)];
  if (Math.abs(angle) > 0.6 || radius > 2 || radius < 0.25) return 0;
  const beat = 0.28 + 0.08 * Math.sin(frame / 2);
  const speckle = 0.5 + 0.5 * Math.sin(57 * x + 13 * frame) * Math.sin(71 * y - 7 * frame);
  return inside(x, y, 0.05, 0.15, beat, beat * 0.8) ? 0.06 * speckle : 0.25 + 0.45 * speckle;
}

function draw({ rows, columns, frames, bits, at }: Pixels): ArrayBuffer {
  const samples = rows * columns * frames;
  const pixels = bits === 8 ? new Uint8Array(samples) : new Uint16Array(samples);
  const top = bits === 8 ? 255 : 4095;
  for (let index = 0; index < samples; index += 1) {
    const place = index % (rows * columns);
    const [row, column, frame] = [Math.floor(place / columns), place % columns, Math.floor(index / (rows * columns))];
    pixels[index] = Math.round(at((2 * column) / columns - 1, (2 * row) / rows - 1, frame) * top);
  }
  const buffer = new ArrayBuffer(pixels.byteLength);
  new Uint8Array(buffer).set(new Uint8Array(pixels.buffer));
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

/** A CT series of the head: Part 10 files, square, 12 bits, rescaled to Hounsfield units with a brain window. */
export function ctSeries(study: StudyTags, seriesUid: string, slices: number, size = 256): Buffer[] {
  return Array.from({ length: slices }, (_, slice) =>
    file(
      {
        sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
        modality: 'CT',
        pixels: { rows: size, columns: size, frames: 1, bits: 12, at: (x, y) => head(x, y, slice) },
        tags: {
          RescaleIntercept: -1024,
          RescaleSlope: 1,
          WindowCenter: 1000,
          WindowWidth: 2200,
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

/** One chest X-ray as computed radiography, 640 x 512, 12 bits. */
export function crImage(study: StudyTags, seriesUid: string): Buffer {
  const pixels: Pixels = { rows: 640, columns: 512, frames: 1, bits: 12, at: (x, y) => chest(x, y) };
  const tags = { WindowCenter: 2048, WindowWidth: 4096, ViewPosition: 'PA' };
  return file({ sopClassUid: '1.2.840.10008.5.1.4.1.1.1', modality: 'CR', pixels, tags }, study, seriesUid, 1);
}

/** One ultrasound clip, 320 x 240, 8 bits, of `frames` frames. */
export function usClip(study: StudyTags, seriesUid: string, frames: number): Buffer {
  const pixels: Pixels = { rows: 240, columns: 320, frames, bits: 8, at: fan };
  const tags = { FrameTime: 40, FrameIncrementPointer: 0x00181063 };
  return file({ sopClassUid: '1.2.840.10008.5.1.4.1.1.3.1', modality: 'US', pixels, tags }, study, seriesUid, 1);
}
