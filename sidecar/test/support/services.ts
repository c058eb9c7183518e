import { startAzurite, type AzuriteProcess } from '../../dev/azurite-process.ts';
import { startOrthanc, type OrthancProcess } from '../../dev/orthanc-process.ts';
import { createDatabaseAt, startPostgres, type PostgresProcess } from '../../dev/postgres-process.ts';
import { SHARED_AZURITE, SHARED_POSTGRES } from './shared-servers.ts';

/** How to stop each that was started; the next who asks gets a new one. */
const started = new Set<() => Promise<void>>();

function once<T extends AsyncDisposable>(start: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  const stop = async (): Promise<void> => {
    const stopped = running;
    running = undefined;
    await (await stopped)?.[Symbol.asyncDispose]();
  };
  return () => {
    started.add(stop);
    return (running ??= start());
  };
}

/** A server that is there already, started by who runs the tests, or one that starts with the first who asks for it. */
function shared<T>(setting: string, there: (value: string) => T, start: () => Promise<T>): () => Promise<T> {
  return () => {
    const value = process.env[setting];
    return value === undefined ? start() : Promise.resolve(there(value));
  };
}

/** The servers that tests share: databases and containers are made in them, and nobody stops them. */
export const postgres: () => Promise<Pick<PostgresProcess, 'url' | 'createDatabase'>> = shared(
  SHARED_POSTGRES,
  (url) => ({ url, createDatabase: (name?: string) => createDatabaseAt(url, name) }),
  once(() => startPostgres()),
);
export const azurite: () => Promise<Pick<AzuriteProcess, 'connectionString'>> = shared(
  SHARED_AZURITE,
  (connectionString) => ({ connectionString }),
  once(() => startAzurite()),
);
/** One for each file. */
export const orthanc: () => Promise<OrthancProcess> = once(() => startOrthanc());

/** Stops what was started. */
export async function stopServices(): Promise<void> {
  for (const stop of started) await stop();
  started.clear();
}
