import { BlobServiceClient, RestError } from '@azure/storage-blob';
import { z } from 'zod';
import { Failure } from '../../platform/rules/failure.ts';

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

/** Whether a failure speaks against the store and not against the one blob that was asked for. */
export function isOfStore({ code }: Failure): boolean {
  return code.startsWith('blob-') && code !== 'blob-held' && code !== 'blob-too-large';
}

/** Blob names follow from Orthanc's id, but a resent instance may replace one, so that a day is the longest to keep. */
const CACHE_CONTROL = 'private, max-age=86400';

const BLOBS_AT_ONCE = 5000;
const PAGE = z.object({
  value: z.object({
    segment: z.object({ blobItems: z.array(z.object({ name: z.string() })) }),
    continuationToken: z.string().optional(),
  }),
});

/** What speaks against one blob, whatever becomes of the others: it is leased, kept from change, or of another type. */
const OF_ONE_BLOB = /^(Lease|Blob|InvalidBlobType|Snapshot|Condition)/;

function blobFailure(error: unknown): Failure {
  if (!(error instanceof RestError)) {
    const message = error instanceof Error ? error.name : 'not an error';
    return new Failure('transient', 'blob-unreachable', `blob store: ${message}`, { cause: error });
  }
  const { statusCode, code = String(statusCode ?? 'unknown') } = error;
  if (statusCode === 413) return new Failure('permanent', 'blob-too-large', `blob store: ${code}`, { cause: error });
  const name = OF_ONE_BLOB.test(code) ? 'held' : (statusCode ?? 'unreachable');
  // A container that was deleted, a key that was changed, an account that is full or closed are mended by a person, and
  // the image is then still wanted.
  return new Failure('transient', `blob-${name}`, `blob store: ${code}`, { cause: error });
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
        const step: unknown = await classified(() =>
          inContainer(() =>
            container
              .listBlobsFlat({ prefix, ...options() })
              .byPage(settings)
              .next(),
          ),
        );
        const page = PAGE.parse(step).value;
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
