import { asFailure, Failure } from '../core/failure.ts';
import { blobNames, planRendering, type Drawing } from '../core/rendering.ts';

export interface ImageToMirror {
  readonly orthancId: string;
  readonly sopClassUid: string;
  readonly transferSyntaxUid: string;
  readonly numberOfFrames: number;
  readonly mirrorStatus: string;
}

export interface MirrorDeps {
  readonly load: (imageId: string) => Promise<ImageToMirror | null>;
  /** JPEG of one frame, windowed as the file says. */
  readonly renderByOrthanc: (orthancId: string, frame: number) => Promise<Buffer>;
  readonly renderHere: (orthancId: string, frame: number) => Promise<Buffer>;
  readonly thumbnail: (jpeg: Buffer) => Promise<Buffer>;
  /** Writes the blob, over one of that name if there is one, and gives its URL. */
  readonly upload: (name: string, jpeg: Buffer) => Promise<string>;
  readonly markMirrored: (imageId: string, imageUrl: string, thumbnailUrl: string, now: Date) => Promise<void>;
  readonly markUnrenderable: (imageId: string, status: 'no-pixels' | 'failed', reason: string) => Promise<void>;
  readonly now: () => Date;
}

/** The first drawing that works; a transient failure ends it, since a later try may still find the better one. */
async function render(deps: MirrorDeps, orthancId: string, drawings: readonly Drawing[]) {
  const failures: Failure[] = [];
  for (const { by, frame } of drawings) {
    try {
      const jpeg = await (by === 'orthanc' ? deps.renderByOrthanc : deps.renderHere)(orthancId, frame);
      return { jpeg, thumbnail: await deps.thumbnail(jpeg) };
    } catch (error) {
      const failure = asFailure(error);
      if (failure.kind !== 'permanent') throw failure;
      failures.push(failure);
    }
  }
  const codes = [...new Set(failures.map(({ code }) => code))].join(', ');
  throw new Failure('permanent', codes, `cannot be drawn: ${codes}`);
}

/**
 * Puts one image's rendering and thumbnail into the blob store and their URLs on its row. Idempotent: names follow from
 * Orthanc's id, a mirrored image is left alone. What cannot be rendered is recorded with its reason and not tried
 * again; a transient {@link Failure} is thrown for the job queue to retry, and on the `lastAttempt` recorded too.
 */
export async function mirrorImage(deps: MirrorDeps, imageId: string, lastAttempt: boolean): Promise<void> {
  const image = await deps.load(imageId);
  if (image === null || image.mirrorStatus === 'mirrored') return;
  const plan = planRendering(image);
  if ('nothing' in plan) {
    await deps.markUnrenderable(imageId, 'no-pixels', plan.nothing);
    return;
  }
  let failure: Failure;
  try {
    const { jpeg, thumbnail } = await render(deps, image.orthancId, plan.drawings);
    const names = blobNames(image.orthancId);
    const imageUrl = await deps.upload(names.image, jpeg);
    const thumbnailUrl = await deps.upload(names.thumbnail, thumbnail);
    await deps.markMirrored(imageId, imageUrl, thumbnailUrl, deps.now());
    return;
  } catch (error) {
    failure = asFailure(error);
  }
  if (failure.kind === 'permanent' || lastAttempt) await deps.markUnrenderable(imageId, 'failed', failure.code);
  if (failure.kind !== 'permanent') throw failure;
}
