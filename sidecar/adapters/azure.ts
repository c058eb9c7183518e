import { BlobServiceClient, RestError } from '@azure/storage-blob';
import { z } from 'zod';
import { Failure, httpFailureKind } from '../core/failure.ts';

export interface BlobStore {
  /**
   * Writes a JPEG over whatever has that name, and gives its URL (no SAS: the container is private). Idempotent. Makes
   * the container, private, if it is not there.
   */
  readonly upload: (name: string, jpeg: Buffer) => Promise<string>;
  /** Removes a blob; does nothing where there is none. */
  readonly remove: (name: string) => Promise<void>;
  /** The names that begin with `prefix`, page by page. */
  readonly names: (prefix: string) => AsyncIterable<readonly string[]>;
  /** Answers when the container does; makes it, private, if it is not there. */
  readonly ping: () => Promise<void>;
}

/** Blob names follow from Orthanc's id, but a resent instance may replace one, so that a day is the longest to keep. */
const CACHE_CONTROL = 'private, max-age=86400';

const BLOBS_AT_ONCE = 5000;
const PAGE = z.object({
  segment: z.object({ blobItems: z.array(z.object({ name: z.string() })) }),
  continuationToken: z.string().optional(),
});

function blobFailure(error: unknown): Failure {
  if (!(error instanceof RestError)) {
    const message = error instanceof Error ? error.name : 'not an error';
    return new Failure('transient', 'blob-unreachable', `blob store: ${message}`, { cause: error });
  }
  const { statusCode, code = 'unknown' } = error;
  const outcome = { ...(statusCode !== undefined && { status: statusCode }), code, idempotent: true };
  // A container that was deleted or a key that was changed is mended by a person, and the image is then still wanted.
  const mendable = statusCode === 401 || statusCode === 403 || statusCode === 404 || statusCode === 409;
  const kind = mendable ? 'transient' : httpFailureKind(outcome);
  return new Failure(kind, `blob-${statusCode ?? 'unreachable'}`, `blob store: ${code}`, { cause: error });
}

async function classified<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw blobFailure(error);
  }
}

/**
 * A container in Azure Blob Storage. The SDK's own retries are few, since the job queue retries too; every call ends
 * within `timeoutMs`. All failures are `Failure`s, as errors of an idempotent service.
 */
export function createBlobStore(connectionString: string, containerName: string, timeoutMs: number): BlobStore {
  const service = BlobServiceClient.fromConnectionString(connectionString, {
    retryOptions: { maxTries: 2, tryTimeoutInMs: timeoutMs, retryDelayInMs: 100, maxRetryDelayInMs: 1000 },
  });
  const container = service.getContainerClient(containerName);
  const options = () => ({ abortSignal: AbortSignal.timeout(timeoutMs) });
  const inContainer = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof RestError) || error.code !== 'ContainerNotFound') throw error;
      await container.createIfNotExists(options());
      return await call();
    }
  };
  return {
    upload: (name, jpeg) =>
      classified(async () => {
        const blob = container.getBlockBlobClient(name);
        const headers = { blobContentType: 'image/jpeg', blobCacheControl: CACHE_CONTROL };
        await inContainer(() => blob.uploadData(jpeg, { ...options(), blobHTTPHeaders: headers }));
        return blob.url;
      }),
    remove: (name) =>
      classified(async () => {
        await inContainer(() => container.getBlockBlobClient(name).deleteIfExists(options()));
      }),
    async *names(prefix) {
      let marker: string | undefined;
      do {
        const settings = { maxPageSize: BLOBS_AT_ONCE, ...(marker !== undefined && { continuationToken: marker }) };
        const { value } = await classified(() =>
          inContainer(() =>
            container
              .listBlobsFlat({ prefix, ...options() })
              .byPage(settings)
              .next(),
          ),
        );
        const page = PAGE.parse(value);
        yield page.segment.blobItems.map(({ name }) => name);
        marker = page.continuationToken === '' ? undefined : page.continuationToken;
      } while (marker !== undefined);
    },
    ping: () =>
      classified(async () => {
        await inContainer(() => container.getProperties(options()));
      }),
  };
}
