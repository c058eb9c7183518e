/** Who is to draw an image's JPEG; `frame` counts from 0. */
export interface Drawing {
  readonly by: 'orthanc' | 'sidecar';
  readonly frame: number;
}

/** What to try, the best first; or why there is nothing to draw. */
export type RenderingPlan = { readonly drawings: readonly Drawing[] } | { readonly nothing: string };

// PS3.6 annex A: JPEG 2000 and HTJ2K, which Orthanc cannot decode without its GDCM plugin.
const JPEG_2000 = new Set([
  '1.2.840.10008.1.2.4.90',
  '1.2.840.10008.1.2.4.91',
  '1.2.840.10008.1.2.4.92',
  '1.2.840.10008.1.2.4.93',
  '1.2.840.10008.1.2.4.201',
  '1.2.840.10008.1.2.4.202',
  '1.2.840.10008.1.2.4.203',
]);
const VIDEO = /^1\.2\.840\.10008\.1\.2\.4\.10[0-8]/;

// PS3.4 annex B: storage SOP classes without pixel data, by the first UID they begin with.
const WITHOUT_PIXELS: readonly (readonly [string, string])[] = [
  ['1.2.840.10008.5.1.4.1.1.88.59', 'ko'],
  ['1.2.840.10008.5.1.4.1.1.88.', 'sr'],
  ['1.2.840.10008.5.1.4.1.1.104.1', 'pdf'],
  ['1.2.840.10008.5.1.4.1.1.104.2', 'cda'],
  ['1.2.840.10008.5.1.4.1.1.104.', 'encapsulated-model'],
  ['1.2.840.10008.5.1.4.1.1.11.', 'presentation-state'],
  ['1.2.840.10008.5.1.4.1.1.9.', 'waveform'],
  ['1.2.840.10008.5.1.4.1.1.481.3', 'rt-structure-set'],
  ['1.2.840.10008.5.1.4.1.1.481.4', 'rt-treatment-record'],
  ['1.2.840.10008.5.1.4.1.1.481.5', 'rt-plan'],
  ['1.2.840.10008.5.1.4.1.1.481.6', 'rt-treatment-record'],
  ['1.2.840.10008.5.1.4.1.1.481.7', 'rt-treatment-record'],
  ['1.2.840.10008.5.1.4.1.1.481.8', 'rt-plan'],
  ['1.2.840.10008.5.1.4.1.1.481.9', 'rt-treatment-record'],
  ['1.2.840.10008.5.1.4.1.1.66', 'raw-data'],
  ['1.2.840.10008.5.1.4.1.1.66.1', 'registration'],
  ['1.2.840.10008.5.1.4.1.1.66.2', 'fiducials'],
  ['1.2.840.10008.5.1.4.1.1.66.3', 'registration'],
  ['1.2.840.10008.5.1.4.1.1.66.5', 'surface-segmentation'],
  ['1.2.840.10008.5.1.4.1.1.66.6', 'tractography'],
  ['1.2.840.10008.5.1.4.1.1.67', 'real-world-value-mapping'],
  ['1.2.840.10008.5.1.4.1.1.91.1', 'microscopy-annotations'],
  ['1.2.840.10008.5.1.4.34.', 'rt-instruction'],
  ['1.2.840.10008.5.1.4.38.1', 'hanging-protocol'],
];

function kindWithoutPixels(sopClassUid: string): string | undefined {
  return WITHOUT_PIXELS.find(([uid]) => (uid.endsWith('.') ? sopClassUid.startsWith(uid) : sopClassUid === uid))?.[1];
}

/**
 * Who draws an image and which frame stands for it: of several the middle one. JPEG 2000 is the sidecar's; all else is
 * Orthanc's, and what that cannot draw (palette colour, uncompressed YBR, one-bit segmentations) the sidecar's, then
 * the first frame, which can often be found where fragments without an offset table hide the others. What has no pixels
 * by its SOP class gets a reason (`no-pixels:sr`) instead; whatever is unknown is tried.
 */
export function planRendering(image: {
  readonly sopClassUid: string;
  readonly transferSyntaxUid: string;
  readonly numberOfFrames: number;
}): RenderingPlan {
  const kind = kindWithoutPixels(image.sopClassUid);
  if (kind !== undefined) return { nothing: `no-pixels:${kind}` };
  if (VIDEO.test(image.transferSyntaxUid)) return { nothing: 'video' };
  const frame = Math.floor(image.numberOfFrames / 2);
  if (JPEG_2000.has(image.transferSyntaxUid)) return { drawings: [{ by: 'sidecar', frame }] };
  const drawings: readonly Drawing[] = [
    { by: 'orthanc', frame },
    { by: 'sidecar', frame },
  ];
  return { drawings: frame === 0 ? drawings : [...drawings, { by: 'orthanc', frame: 0 }] };
}

const ORTHANC_ID = /^[0-9a-f]{8}(-[0-9a-f]{8}){4}$/;

/**
 * The names of an image's two blobs, which follow from Orthanc's id alone: a SHA-1 of Patient ID, Study, Series and SOP
 * Instance UID (Orthanc Book, "Orthanc identifiers"), so that two patients' images never share a name even where their
 * UIDs collide.
 * @throws RangeError for anything that is not such an id.
 */
export function blobNames(orthancId: string): { readonly image: string; readonly thumbnail: string } {
  if (!ORTHANC_ID.test(orthancId)) throw new RangeError('not an Orthanc id');
  return { image: `images/${orthancId}.jpg`, thumbnail: `thumbnails/${orthancId}.jpg` };
}

/** So many renderings of one image may begin and come to no known end: one in company, two alone. */
export const MOST_BEGUN = 3;

/** Ends that an image itself may be the reason of: its rendering took down who drew it, or something else did just then. */
const SUSPICIOUS = new Set(['orthanc-went-away', 'orthanc-502', 'render-crashed']);

/** Whether a rendering that failed with that code speaks against its image, which is then drawn alone the next time. */
export function isSuspicious(code: string): boolean {
  return SUSPICIOUS.has(code);
}
