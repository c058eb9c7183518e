import { startAzurite, type AzuriteProcess } from '../../dev/azurite-process.ts';
import { startOrthanc, type OrthancProcess } from '../../dev/orthanc-process.ts';
import { startPostgres, type PostgresProcess } from '../../dev/postgres-process.ts';

const started: Promise<AsyncDisposable>[] = [];

function once<T extends AsyncDisposable>(start: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    if (running === undefined) {
      running = start();
      started.push(running);
    }
    return running;
  };
}

/** The servers that all test files of one run share: each starts with the first test that asks for it. */
export const postgres: () => Promise<PostgresProcess> = once(() => startPostgres());
export const orthanc: () => Promise<OrthancProcess> = once(() => startOrthanc());
export const azurite: () => Promise<AzuriteProcess> = once(() => startAzurite());

/** Stops what was started. */
export async function stopServices(): Promise<void> {
  for (const running of started.splice(0)) await (await running)[Symbol.asyncDispose]();
}
