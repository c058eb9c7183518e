import { asFailure, Failure } from '../../platform/rules/failure.ts';
import type { BlobStore } from '../rules/blob-store.ts';
import { blobNames, isSuspicious, MOST_BEGUN, planRendering, type Drawing } from '../rules/rendering.ts';

export interface ImageToMirror {
  readonly orthancId: string;
  readonly sopClassUid: string;
  readonly transferSyntaxUid: string;
  readonly numberOfFrames: number;
  /** How many renderings of it began before and came to no known end. */
  readonly begunBefore: number;
  /** The file that is to be drawn, by Orthanc's name of it. */
  readonly fileUuid: string;
}

export interface MirrorDeps {
  /**
   * Runs `work` while others render, or `alone` while no rendering runs, here or in another process. @throws Failure
   * transient where it cannot within its limit, or is told to stop.
   */
  readonly rendering: <T>(alone: boolean, stop: AbortSignal, work: () => Promise<T>) => Promise<T>;
  /** Draws so many images at once as are to be, the others in turn. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /**
   * An image that is still to be mirrored. Its rendering counts as begun, committed, if none did before, or if it may
   * begin `alone` and fewer than {@link MOST_BEGUN} did.
   */
  readonly begin: (imageId: string, alone: boolean) => Promise<ImageToMirror | null>;
  /** A rendering came to a known end: `one`, or, since it worked, `all` that began. */
  readonly ended: (imageId: string, which: 'one' | 'all') => Promise<void>;
  /** Answers when Orthanc does. */
  readonly orthancAnswers: () => Promise<unknown>;
  /** JPEG of one frame, windowed as the file says. */
  readonly renderByOrthanc: (orthancId: string, frame: number) => Promise<Buffer>;
  readonly renderHere: (orthancId: string, frame: number) => Promise<Buffer>;
  readonly thumbnail: (jpeg: Buffer) => Promise<Buffer>;
  readonly write: BlobStore['write'];
  /** This and the next: no rendering counts as begun any more. False, and nothing is marked, where it has another file. */
  readonly markMirrored: (
    image: { readonly id: string; readonly fileUuid: string },
    imageUrl: string,
    thumbnailUrl: string,
    now: Date,
  ) => Promise<boolean>;
  /** Marks nothing where it has another file; `null`: its rendering was not begun. */
  readonly markUnrenderable: (
    imageId: string,
    status: 'no-pixels' | 'failed',
    reason: string,
    fileUuid: string | null,
  ) => Promise<void>;
  /** Has an image of that Orthanc id, if there is one, mirrored once more. */
  readonly mirrorAgain: (orthancId: string) => Promise<void>;
  readonly now: () => Date;
}

interface Drawn {
  readonly orthancId: string;
  readonly fileUuid: string;
  readonly jpeg: Buffer;
  readonly thumbnail: Buffer;
  /** It still counts as begun. */
  readonly counted: boolean;
}

/** Why an image is failed that took down whoever drew it. */
const KILLS = 'rendering-kills';

/** Gives what `work` does, or fails as soon as `stop` says so. */
async function unlessStopped<T>(stop: AbortSignal, work: () => Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stopped = (): void => {
    reject(new Failure('transient', 'render-stopped', 'the image was not drawn: the sidecar is stopping'));
  };
  if (stop.aborted) stopped();
  stop.addEventListener('abort', stopped, { once: true });
  try {
    return await (stop.aborted ? promise : Promise.race([work(), promise]));
  } finally {
    stop.removeEventListener('abort', stopped);
  }
}

/**
 * The first drawing that works; a transient failure ends it, since a later try may still find the better one. Where
 * there is none, the next is drawn after one that crashed.
 */
async function render(deps: MirrorDeps, orthancId: string, drawings: readonly Drawing[], lastTry: boolean) {
  const failures: Failure[] = [];
  for (const { by, frame } of drawings) {
    try {
      const jpeg = await (by === 'orthanc' ? deps.renderByOrthanc : deps.renderHere)(orthancId, frame);
      return { jpeg, thumbnail: await deps.thumbnail(jpeg) };
    } catch (error) {
      const failure = asFailure(error);
      if (failure.kind !== 'permanent' && !(lastTry && failure.code === 'render-crashed')) throw failure;
      failures.push(failure);
    }
  }
  const codes = [...new Set(failures.map(({ code }) => code))].join(', ');
  throw new Failure('permanent', codes, `cannot be drawn: ${codes}`);
}

async function draw(
  deps: MirrorDeps,
  imageId: string,
  alone: boolean,
  stop: AbortSignal,
  onBegun: (fileUuid: string) => void,
): Promise<Drawn | 'nothing' | 'suspect'> {
  // What stands before Orthanc may reset connections where there is no Orthanc: that must not count.
  if (alone) await unlessStopped(stop, deps.orthancAnswers);
  const image = await deps.begin(imageId, alone);
  if (image === null) return 'nothing';
  const { orthancId, begunBefore, fileUuid } = image;
  onBegun(fileUuid);
  if (begunBefore >= MOST_BEGUN) {
    await deps.markUnrenderable(imageId, 'failed', KILLS, fileUuid);
    return 'nothing';
  }
  if (begunBefore > 0 && !alone) return 'suspect';
  const plan = planRendering(image);
  if ('nothing' in plan) {
    await deps.markUnrenderable(imageId, 'no-pixels', plan.nothing, fileUuid);
    return 'nothing';
  }
  const lastTry = begunBefore + 1 === MOST_BEGUN;
  try {
    const drawn = await deps.inTurn(() => unlessStopped(stop, () => render(deps, orthancId, plan.drawings, lastTry)));
    if (alone) await deps.ended(imageId, 'all');
    return { ...drawn, orthancId, fileUuid, counted: !alone };
  } catch (error) {
    const failure = asFailure(error);
    if (failure.kind === 'permanent') throw failure;
    if (!isSuspicious(failure.code)) await deps.ended(imageId, 'one');
    else if (lastTry) throw new Failure('permanent', KILLS, failure.message, { cause: failure });
    throw failure;
  }
}

/**
 * Puts one image's rendering and thumbnail into the blob store and their addresses on its row. Idempotent: names follow
 * from Orthanc's id, a mirrored image is left alone. What cannot be rendered is recorded with its reason and not tried
 * again; a transient {@link Failure} is thrown for the job queue to retry, and recorded instead at the `lastAttempt`.
 *
 * An image is drawn in company of others. Once its rendering came to no known end (Orthanc went away, this process was
 * killed) it is drawn alone, at most twice, and then recorded as failed: so one that kills who draws it takes down no
 * other's rendering again, and those that were only near it are drawn. What was drawn of a file counts only while the image
 * has that file.
 */
export async function mirrorImage(
  deps: MirrorDeps,
  imageId: string,
  options: { readonly lastAttempt: () => boolean; readonly stop: AbortSignal },
): Promise<void> {
  const { lastAttempt, stop } = options;
  let [counted, begun]: [boolean, string | null] = [false, null];
  const onBegun = (fileUuid: string): void => {
    begun = fileUuid;
  };
  const drawIt = (alone: boolean) => deps.rendering(alone, stop, () => draw(deps, imageId, alone, stop, onBegun));
  try {
    const first = await drawIt(false);
    const drawn = first === 'suspect' ? await drawIt(true) : first;
    if (drawn === 'nothing' || drawn === 'suspect') return;
    counted = drawn.counted;
    const names = blobNames(drawn.orthancId);
    const write = (name: string, jpeg: Buffer): Promise<string> => unlessStopped(stop, () => deps.write(name, jpeg));
    const imageUrl = await write(names.image, drawn.jpeg);
    const thumbnailUrl = await write(names.thumbnail, drawn.thumbnail);
    const image = { id: imageId, fileUuid: drawn.fileUuid };
    if (await deps.markMirrored(image, imageUrl, thumbnailUrl, deps.now())) return;
    // Meanwhile it was stored anew, and of two that draw it the other may have written first.
    await deps.mirrorAgain(drawn.orthancId);
  } catch (error) {
    const failure = asFailure(error);
    if (failure.kind === 'permanent' || lastAttempt()) {
      await deps.markUnrenderable(imageId, 'failed', failure.code, begun);
      return;
    }
    if (counted) await deps.ended(imageId, 'one');
    throw failure;
  }
}
