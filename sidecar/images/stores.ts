import { asFailure } from '../platform/rules/failure.ts';
import { openBlobStore } from './blobs.ts';
import { createCodec, type Codec } from './io/codec.ts';
import { createOrthanc, type Orthanc } from './io/orthanc.ts';
import type { BlobStore } from './rules/blob-store.ts';
import type { ImagesSettings } from './settings.ts';

const ORTHANC_TIMEOUT_MS = 10_000;
const BLOB_TIMEOUT_MS = 30_000;
const MAX_RENDER_FILE_BYTES = 512 * 1024 * 1024;

/** Where images come from and go to, and what draws those that Orthanc cannot draw. */
export interface ImageStores extends AsyncDisposable {
  readonly orthanc: Orthanc;
  readonly blobs: BlobStore;
  readonly codec: Codec;
}

/** @throws Failure permanent where Orthanc is too old; one that is away is waited for later. */
export async function openImageStores(settings: ImagesSettings): Promise<ImageStores> {
  await using stack = new AsyncDisposableStack();
  const orthanc = stack.adopt(
    createOrthanc({
      url: settings.ORTHANC_URL,
      username: settings.ORTHANC_USERNAME,
      password: settings.ORTHANC_PASSWORD,
      timeoutMs: ORTHANC_TIMEOUT_MS,
      maxFileBytes: MAX_RENDER_FILE_BYTES,
    }),
    (client) => {
      client.close();
    },
  );
  const blobs = openBlobStore(settings, BLOB_TIMEOUT_MS);
  const tooOld = await orthanc.system().then(
    () => null,
    (error: unknown) => (asFailure(error).kind === 'permanent' ? asFailure(error) : null),
  );
  if (tooOld !== null) throw tooOld;
  const codec = stack.use(
    createCodec({ maxPixels: settings.RENDER_MAX_PIXELS, timeoutMs: settings.RENDER_TIMEOUT_MS }),
  );
  const opened = stack.move();
  return { orthanc, blobs, codec, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
