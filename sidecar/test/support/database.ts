import type { Knex } from 'knex';
import { migrate, openDatabase } from '../../platform/postgres/database.ts';
import { loadConfig } from '../../app/config.ts';
import { createOperations, type Operations } from '../../app/operations.ts';
import { NOW } from './episode.ts';
import { postgres } from './services.ts';

export interface TestDatabase extends AsyncDisposable {
  readonly db: Knex;
  readonly url: string;
  readonly operations: Operations;
  /** The same with other settings. */
  readonly operationsWith: (settings: Readonly<Record<string, string>>) => Operations;
}

/** Settings that lead to that database, and nowhere else. */
export const environmentOf = (url: string) => ({
  DATABASE_URL: url,
  ORTHANC_URL: 'http://127.0.0.1:1',
  ORTHANC_USERNAME: 'nobody',
  ORTHANC_PASSWORD: 'nobody',
  AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true',
  PORTAL_URL: 'https://portal.example',
});

/**
 * A migrated database of its own (or that at `url`, as a second sidecar would use it), and the flows that need nothing
 * else, in the year of the episodes.
 */
export async function startDatabase(at?: string): Promise<TestDatabase> {
  const url = at ?? (await (await postgres()).createDatabase());
  const db = openDatabase(url, 8);
  await migrate(url);
  const environment = environmentOf(url);
  const operationsWith = (settings: Readonly<Record<string, string>>): Operations =>
    createOperations({
      ...{ config: loadConfig({ ...environment, ...settings }), db, now: () => NOW },
      onRefused: () => undefined,
    });
  return { db, url, operations: operationsWith({}), operationsWith, [Symbol.asyncDispose]: () => db.destroy() };
}
