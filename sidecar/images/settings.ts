import { z } from 'zod';
import { count, httpUrl, yesOrNo } from '../platform/settings.ts';

export const IMAGES_SETTINGS = z.object({
  ORTHANC_URL: httpUrl,
  ORTHANC_USERNAME: z.string().min(1),
  ORTHANC_PASSWORD: z.string().min(1),
  DICOM_TLS_CERTIFICATE: z.string().optional(),
  AZURE_STORAGE_CONNECTION_STRING: z
    .string()
    .regex(/AccountName=|UseDevelopmentStorage=true|BlobEndpoint=/, 'must be an Azure Storage connection string'),
  AZURE_STORAGE_CONTAINER: z
    .string()
    .regex(/^[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9]$/, 'must be a container name: 3 to 63 of a-z, 0-9 and -')
    .default('renderings'),
  MAX_UPLOAD_BYTES: count(1024, 17_179_869_184).default(2 * 1024 * 1024 * 1024),
  POLL_INTERVAL_MS: count(50, 60_000).default(1000),
  FEED_BATCH_SIZE: count(1, 5000).default(1000),
  SWEEP_INTERVAL_MS: count(100, 604_800_000).default(3_600_000),
  LABEL_CHECK_INTERVAL_MS: count(100, 86_400_000).default(30_000),
  SWEEP_MAX_LOSS_PERCENT: count(1, 100).default(50),
  REMOVE_BLOBS_OF_DELETED: yesOrNo.prefault('false'),
  RENDER_MAX_PIXELS: count(1, 1_000_000_000).default(64_000_000),
  RENDER_TIMEOUT_MS: count(100, 600_000).default(30_000),
});

export type ImagesSettings = z.output<typeof IMAGES_SETTINGS>;
