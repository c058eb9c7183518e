import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { BlobServiceClient, type ContainerClient } from '@azure/storage-blob';
import pg from 'pg';
import { z } from 'zod';
import { newApiKey } from '../../access/io/api-keys.ts';
import { startSmsSandbox, type SmsSandbox } from '../../texts/io/sandbox.ts';
import { freePort, startChild, type Child } from '../../dev/child.ts';
import { startOrthanc, type OrthancProcess } from '../../dev/orthanc-process.ts';
import { environmentFor } from '../../dev/stack.ts';
import { eventually } from '../support/rig.ts';
import { azurite, postgres } from '../support/services.ts';
import { createConductor, type Conductor, type CrashPoint } from './conductor.ts';
import { startHttpProxy } from './http-proxy.ts';
import { watchPostgres } from './postgres-proxy.ts';
import { startSocketProxy, watchMllp } from './socket-proxy.ts';
import { answerName, blobName, orthancName, twilioName } from './step-names.ts';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));
/** What Twilio signs for; nothing listens there, so that receipts are no steps of any scenario. */
export const PUBLIC_URL = 'http://127.0.0.1:9';
const START_MS = 20_000;
const REACH_MS = 20_000;
/** The sweep waits at its first step, so that what a start makes good without it is seen. */
const SWEEP_STEP = 'orthanc: GET /instances';

/** The real servers, a proxy before each that knows every step, and the sidecar as a process of its own. */
export interface CrashWorld extends AsyncDisposable {
  readonly conductor: Conductor;
  readonly orthanc: OrthancProcess;
  readonly sandbox: SmsSandbox;
  readonly container: ContainerClient;
  readonly uploadKey: string;
  readonly operatorKey: string;
  /** Where the RIS, devices and operators connect to. */
  readonly hl7Port: number;
  readonly httpUrl: string;
  /** Rows asked of Postgres itself, each checked. */
  rows<T>(sql: string, row: z.ZodType<T>, values?: readonly unknown[]): Promise<T[]>;
  /** What all tables hold, a line each, and the jobs that wait. */
  contents(): Promise<string[]>;
  /** Starts the process, with its sweep held up unless `sweeps`; settles when it listens. */
  start(sweeps?: boolean): Promise<void>;
  /** Starts it without waiting for anything. */
  launch(): void;
  /** Settles when it listens. */
  listening(): Promise<void>;
  sweep(): void;
  /** When the process that runs now was started: what was locked before is held by a dead one. */
  readonly startedAt: Date;
  /** SIGKILL. Settles when it is gone and nothing of it moves any more. */
  kill(): Promise<void>;
  running(): boolean;
  /** Settles when the process stands at that point; fails when it does not get there. */
  reach(point: CrashPoint): Promise<void>;
  output(): string;
}

// Times that are noted while nothing happens are nothing; jobs that a killed process holds are another matter, and a look for what was deleted is asked for anew.
const CONTENTS = `
  SELECT table_name || ' ' ||
         md5(CAST(query_to_xml(format('SELECT to_jsonb(t) - ARRAY[''read_at'', ''last_used_at''] FROM %I AS t ORDER BY 1', table_name), true, false, '') AS text)) AS contents
  FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name NOT LIKE 'knex%'
    AND table_name NOT LIKE 'audit%'
  UNION ALL
  SELECT DISTINCT 'job ' || t.identifier || ' ' || coalesce(j.key, CAST(j.payload AS text)) FROM graphile_worker._private_jobs j
  JOIN graphile_worker._private_tasks t ON t.id = j.task_id WHERE j.locked_at IS NULL AND t.identifier <> 'look-for-deleted'
  ORDER BY 1`;

const isPage = z.object({ Changes: z.array(z.unknown()).min(1) });
const newPage = (answer: Buffer): boolean =>
  answer.length > 0 && isPage.safeParse(JSON.parse(answer.toString('utf8'))).success;

/** A process that is killed does not keep what it compiled, and a start is most of the time that a kill takes. */
async function fillCache(main: string, cache: string): Promise<void> {
  const sidecar = new URL('./app/sidecar.ts', pathToFileURL(main)).href;
  const args = ['--input-type=module', '--eval', `await import(${JSON.stringify(sidecar)})`];
  await startChild(process.execPath, args, { env: { ...process.env, NODE_COMPILE_CACHE: cache } }).ended;
}

/** Starts the servers, not yet the sidecar; `main` is another tree's than this one's where it is given. */
export async function startCrashWorld(main = MAIN): Promise<CrashWorld> {
  await using stack = new AsyncDisposableStack();
  const conductor = createConductor();
  const sandbox = stack.use(await startSmsSandbox({ host: '127.0.0.1', port: 0, now: () => new Date() }));
  const [orthanc, server, blobs] = await Promise.all([
    startOrthanc().then((process) => stack.use(process)),
    postgres(),
    azurite(),
  ]);
  const databaseUrl = await server.createDatabase();
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 4 });
  pool.on('error', () => undefined);
  stack.defer(() => pool.end());

  const blobUrl = /BlobEndpoint=([^;]+)/.exec(blobs.connectionString)?.[1] ?? '';
  const portOf = (url: string): number => Number(new URL(url).port);
  const [hl7Port, httpPort] = [await freePort(), await freePort()];
  const tasks = new Map<string, string>();
  const http = async (port: number, name: (method: string, url: string, body: Buffer) => string) =>
    stack.use(
      await startHttpProxy({
        conductor,
        port,
        sidecar: port === httpPort ? 'answers' : 'asks',
        step: ({ method, url, body }) => ({
          name: name(method, url, body),
          lasts: method !== 'GET' && !url.startsWith('/tools/'),
          inTransaction: false,
        }),
        look: ({ url }, answer) => {
          if (url.startsWith('/system') || url.startsWith('/changes?last')) return null;
          if (!url.startsWith('/changes')) return undefined;
          return newPage(answer) ? { name: 'orthanc: GET /changes', lasts: false, inTransaction: false } : null;
        },
      }),
    );
  const [toOrthanc, toBlobs, toTwilio, toHttp, toPostgres, toHl7] = await Promise.all([
    http(portOf(orthanc.url), orthancName),
    http(portOf(blobUrl), blobName),
    http(portOf(sandbox.url), twilioName),
    http(httpPort, answerName),
    startSocketProxy({ port: portOf(databaseUrl), conductor }, () => watchPostgres(conductor, tasks)),
    startSocketProxy({ port: hl7Port, conductor }, () => watchMllp(conductor)),
  ]);
  stack.use(toPostgres);
  stack.use(toHl7);
  const through = (url: string, { port }: { port: number }): string => url.replace(`:${portOf(url)}`, `:${port}`);
  const [upload, operator] = [newApiKey('device', randomBytes(32)), newApiKey('desk', randomBytes(32))];
  const env = {
    PATH: process.env['PATH'] ?? '',
    ...environmentFor({ orthanc, databaseUrl, azurite: blobs, sandbox }),
    ORTHANC_URL: through(orthanc.url, toOrthanc),
    DATABASE_URL: through(databaseUrl, toPostgres),
    AZURE_STORAGE_CONNECTION_STRING: blobs.connectionString.replace(blobUrl, through(blobUrl, toBlobs)),
    AZURE_STORAGE_CONTAINER: `crash-${randomBytes(6).toString('hex')}`,
    TWILIO_API_URL: through(sandbox.url, toTwilio),
    HL7_PORT: String(hl7Port),
    HTTP_PORT: String(httpPort),
    API_KEYS: upload.entry,
    OPERATOR_API_KEYS: operator.entry,
    REMOVE_BLOBS_OF_DELETED: 'true',
    PUBLIC_URL,
    POLL_INTERVAL_MS: '50',
    // One job after the other, so that the steps come in the same order each time.
    JOB_CONCURRENCY: '1',
    SWEEP_INTERVAL_MS: '86400000',
    LABEL_CHECK_INTERVAL_MS: '86400000',
  };
  const cache = await mkdtemp(join(tmpdir(), 'axis-crash-'));
  stack.defer(() => rm(cache, { recursive: true, force: true }));
  await fillCache(main, cache);
  let child: Child | undefined;
  let startedAt = new Date();
  let letSweep = (): void => undefined;
  stack.defer(() => child?.stop('SIGKILL'));
  const rows = async <T>(sql: string, row: z.ZodType<T>, values: readonly unknown[] = []): Promise<T[]> =>
    z.array(row).parse((await pool.query(sql, [...values])).rows);
  const listening = (): Promise<void> =>
    eventually(
      'the sidecar to listen',
      () => {
        if (child === undefined || child.gone()) throw new Error(`the sidecar ended: ${child?.lastOutput() ?? ''}`);
        return Promise.resolve(child.lastOutput().includes('"msg":"listening"'));
      },
      START_MS,
    );
  const launch = (): void => {
    startedAt = new Date();
    child = startChild('setpriv', ['--pdeathsig', 'KILL', process.execPath, main], {
      env: { ...env, NODE_COMPILE_CACHE: cache },
    });
  };
  const running = stack.move();
  return {
    conductor,
    orthanc,
    sandbox,
    container: BlobServiceClient.fromConnectionString(blobs.connectionString).getContainerClient(
      env.AZURE_STORAGE_CONTAINER,
    ),
    uploadKey: upload.key,
    operatorKey: operator.key,
    hl7Port: toHl7.port,
    httpUrl: `http://127.0.0.1:${toHttp.port}`,
    rows,
    launch,
    listening,
    contents: async () => (await rows(CONTENTS, z.object({ contents: z.string() }))).map(({ contents }) => contents),
    async start(sweeps = false) {
      letSweep();
      if (!sweeps) letSweep = conductor.holdUp(SWEEP_STEP);
      launch();
      await listening();
    },
    get startedAt() {
      return startedAt;
    },
    sweep: () => {
      letSweep();
    },
    async kill() {
      await child?.stop('SIGKILL');
      conductor.thaw();
      // Postgres ends what the connections did a moment after they are gone.
      const gone = `SELECT NOT EXISTS (SELECT 1 FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'axis-%') AS gone`;
      await eventually(
        'its connections to end',
        async () => (await rows(gone, z.object({ gone: z.boolean() })))[0]?.gone === true,
      );
    },
    running: () => child !== undefined && !child.gone(),
    async reach(point) {
      const late = sleep(REACH_MS, 'late', { ref: false });
      if ((await Promise.race([conductor.arm(point), late])) === 'late') {
        throw new Error(`${point.when} ${point.step} (${point.nth}) did not come within ${REACH_MS} ms`);
      }
    },
    output: () => child?.lastOutput() ?? '',
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
