import type { Knex } from 'knex';
import type { Codec } from './io/codec.ts';
import type { Orthanc } from './io/orthanc.ts';
import { deletedImages } from './io/deleted-rows.ts';
import { imageStatements } from './io/image-rows.ts';
import type { RenderingLock } from './io/rendering-lock.ts';
import { failureStatements } from './io/sweep-rows.ts';
import { encodeJpeg, thumbnail } from './io/sharp.ts';
import pLimit from 'p-limit';
import { asFailure } from '../platform/rules/failure.ts';
import type { PutOff } from '../platform/rules/put-off.ts';
import { failed, mayPass, OPEN, passed, undecided } from '../platform/rules/gate.ts';
import { mirrorImage } from './flows/mirror.ts';
import { removeBlobs } from './flows/remove-blobs.ts';
import { isOfStore, type BlobStore } from './rules/blob-store.ts';
import type { Log } from '../platform/log.ts';

/** How long a rendering waits for its turn, and how long others may join the turn of one. */
export const RENDERING = { waitMs: 120_000, togetherMs: 200 };

export interface MirroringParts {
  readonly db: Knex;
  readonly orthanc: Orthanc;
  readonly blobs: BlobStore;
  readonly codec: Codec;
  readonly lock: RenderingLock;
  readonly maxPixels: number;
  /** So many images are drawn at once, however many are in work. */
  readonly drawnAtOnce: number;
  readonly now: () => Date;
  readonly random: () => number;
  readonly log: Log;
}

/** What waits for the blob store comes back at once when it works again, a little apart. */
const BACK_WITHIN_MS = 2_000;

export interface Mirroring {
  readonly mirrorImage: (imageId: string, options: { lastAttempt: boolean; stop: AbortSignal }) => Promise<PutOff>;
  readonly removeBlobs: (orthancId: string) => Promise<PutOff>;
  /** Whether work for the blob store had better not begin now. */
  readonly blobsRest: () => boolean;
}

/**
 * What the jobs do that need the blob store. While that fails, in a row and whatever it is asked for, they are put off
 * without being counted as tried; one now and then sees whether it works again. Until then it is one row of `failures`,
 * and one line in the log at the beginning and at the end.
 */
export function createMirroring(parts: MirroringParts): Mirroring {
  const { db, orthanc, blobs, codec, lock, maxPixels, drawnAtOnce, now, random, log } = parts;
  const failures = failureStatements(db);
  let gate = OPEN;
  // A row of a process before this one.
  let told = true;

  /** Of the blob store: every call that it answers well, or not. */
  const watched =
    <A extends unknown[], T>(call: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      try {
        const result = await call(...args);
        const rested = gate.restsUntil !== null;
        gate = OPEN;
        if (told) await failures.clear('blob', [blobs.name]);
        told = false;
        if (rested) log.info('the blob store works again');
        return result;
      } catch (error) {
        const failure = asFailure(error);
        if (isOfStore(failure)) {
          const before = gate;
          gate = failed(gate, now().getTime(), random());
          if (gate.restsUntil !== before.restsUntil) {
            told = true;
            if (before.restsUntil === null) {
              log.error({ code: failure.code }, 'the blob store takes nothing: what needs it waits');
            }
            await failures.save('blob', blobs.name, failure, now());
          }
        }
        throw failure;
      }
    };

  const throughGate = async (work: () => Promise<void>): Promise<PutOff> => {
    const putOff = (): PutOff => {
      const at = Math.max(now().getTime(), gate.restsUntil ?? 0);
      return { again: new Date(at + Math.round(BACK_WITHIN_MS * random())) };
    };
    if (!mayPass(gate, now().getTime())) return putOff();
    gate = passed(gate);
    const { probing } = gate;
    try {
      await work();
      return null;
    } catch (error) {
      const failure = asFailure(error);
      if (gate.restsUntil !== null && isOfStore(failure)) return putOff();
      throw failure;
    } finally {
      if (probing) gate = undecided(gate);
    }
  };

  const images = imageStatements(db);
  const deleted = deletedImages(db);
  const mirror = {
    ...images,
    now,
    inTurn: pLimit(drawnAtOnce),
    rendering: lock.run,
    orthancAnswers: () => orthanc.system(),
    renderByOrthanc: orthanc.rendered,
    renderHere: async (orthancId: string, frame: number) =>
      encodeJpeg(await codec.render(await orthanc.file(orthancId), frame)),
    thumbnail: (jpeg: Buffer) => thumbnail(jpeg, maxPixels),
    write: watched(blobs.write),
    mirrorAgain: deleted.mirrorAgain,
  };
  const removal = { ...deleted, removeBlob: watched(blobs.remove), now };
  return {
    mirrorImage: (imageId, { lastAttempt, stop }) => {
      // While the store rests, or this process stops, no image fails for good: that is not its own doing.
      const isLast = (): boolean => lastAttempt && gate.restsUntil === null && !stop.aborted;
      return throughGate(() => mirrorImage(mirror, imageId, { lastAttempt: isLast, stop }));
    },
    removeBlobs: (orthancId) => throughGate(() => removeBlobs(removal, orthancId)),
    blobsRest: () => !mayPass(gate, now().getTime()),
  };
}
