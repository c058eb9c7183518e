import { startAzurite } from '../../dev/azurite-process.ts';
import { startPostgres } from '../../dev/postgres-process.ts';

export const SHARED_POSTGRES = 'AXIS_TEST_POSTGRES';
export const SHARED_AZURITE = 'AXIS_TEST_AZURITE';

const stack = new AsyncDisposableStack();

/** Mocha's global fixtures: one Postgres and one Azurite for all files of a run, in whatever process each is run. */
export async function mochaGlobalSetup(): Promise<void> {
  const [postgres, azurite] = await Promise.all([startPostgres(), startAzurite()]);
  stack.use(postgres);
  stack.use(azurite);
  process.env[SHARED_POSTGRES] = postgres.url;
  process.env[SHARED_AZURITE] = azurite.connectionString;
}

export async function mochaGlobalTeardown(): Promise<void> {
  await stack.disposeAsync();
}
