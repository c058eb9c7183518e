import { createAzureStore, isAzureForDevelopment } from './io/azure.ts';
import type { BlobStore } from './rules/blob-store.ts';
import type { ImagesSettings } from './settings.ts';

/** The settings that say which blob store it is. */
export type BlobSettings = Pick<ImagesSettings, 'AZURE_STORAGE_CONNECTION_STRING' | 'AZURE_STORAGE_CONTAINER'>;

/** Whether the settings name a blob store; backups do without. */
export function hasBlobStore<S extends { readonly [K in keyof BlobSettings]?: BlobSettings[K] | undefined }>(
  settings: S,
): settings is S & BlobSettings {
  return settings.AZURE_STORAGE_CONNECTION_STRING !== undefined;
}

/** The blob store that the settings name. It is not asked for anything yet; each call ends within `timeoutMs`. */
export function openBlobStore(settings: BlobSettings, timeoutMs: number): BlobStore {
  return createAzureStore({
    connectionString: settings.AZURE_STORAGE_CONNECTION_STRING,
    container: settings.AZURE_STORAGE_CONTAINER,
    timeoutMs,
  });
}

/** The setting that holds the key to the blob store, and whether everybody knows it. */
export function blobKey(settings: Pick<BlobSettings, 'AZURE_STORAGE_CONNECTION_STRING'>): {
  readonly setting: string;
  readonly isForDevelopment: boolean;
} {
  const { AZURE_STORAGE_CONNECTION_STRING: connectionString } = settings;
  return { setting: 'AZURE_STORAGE_CONNECTION_STRING', isForDevelopment: isAzureForDevelopment(connectionString) };
}
