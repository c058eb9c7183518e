import { BlobServiceClient, RestError } from '@azure/storage-blob';
import { z } from 'zod';
import { BlobFailure, type BlobStore } from '../rules/blob-store.ts';

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

function blobFailure(cause: unknown): BlobFailure {
  if (!(cause instanceof RestError)) {
    const message = cause instanceof Error ? cause.name : 'not an error';
    return new BlobFailure('store', 'transient', 'blob-unreachable', `blob store: ${message}`, { cause });
  }
  const { statusCode, code = String(statusCode ?? 'unknown') } = cause;
  const message = `blob store: ${code}`;
  if (statusCode === 413) return new BlobFailure('blob', 'permanent', 'blob-too-large', message, { cause });
  if (OF_ONE_BLOB.test(code)) return new BlobFailure('blob', 'transient', 'blob-held', message, { cause });
  // A container that was deleted, a key that was changed, an account that is full or closed are mended by a person, and
  // the image is then still wanted.
  return new BlobFailure('store', 'transient', `blob-${statusCode ?? 'unreachable'}`, message, { cause });
}

async function classified<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw blobFailure(error);
  }
}

/** Whether the connection string is an emulator's, whose key everybody knows. */
export function isAzureForDevelopment(connectionString: string): boolean {
  return /devstoreaccount1|UseDevelopmentStorage/.test(connectionString);
}

/**
 * A private container in Azure Blob Storage; addresses are URLs without a SAS. The SDK's own retries are few, since the
 * job queue retries too; every call ends within `timeoutMs`. All failures are {@link BlobFailure}s, as errors of an
 * idempotent service.
 */
export function createAzureStore(options: {
  readonly connectionString: string;
  readonly container: string;
  readonly timeoutMs: number;
}): BlobStore {
  const { connectionString, timeoutMs } = options;
  const service = BlobServiceClient.fromConnectionString(connectionString, {
    retryOptions: { maxTries: 2, tryTimeoutInMs: timeoutMs, retryDelayInMs: 100, maxRetryDelayInMs: 1000 },
  });
  const container = service.getContainerClient(options.container);
  const limits = () => ({ abortSignal: AbortSignal.timeout(timeoutMs) });
  const inContainer = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof RestError) || error.code !== 'ContainerNotFound') throw error;
      await container.createIfNotExists(limits());
      return await call();
    }
  };
  return {
    name: options.container,
    write: (name, jpeg) =>
      classified(async () => {
        const blob = container.getBlockBlobClient(name);
        const headers = { blobContentType: 'image/jpeg', blobCacheControl: CACHE_CONTROL };
        await inContainer(() => blob.uploadData(jpeg, { ...limits(), blobHTTPHeaders: headers }));
        return blob.url;
      }),
    remove: (name) =>
      classified(async () => {
        await inContainer(() => container.getBlockBlobClient(name).deleteIfExists(limits()));
      }),
    async *names(prefix) {
      let marker: string | undefined;
      do {
        const settings = { maxPageSize: BLOBS_AT_ONCE, ...(marker !== undefined && { continuationToken: marker }) };
        const step: unknown = await classified(() =>
          inContainer(() =>
            container
              .listBlobsFlat({ prefix, ...limits() })
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
        await inContainer(() => container.getProperties(limits()));
      }),
  };
}
