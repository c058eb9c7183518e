import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import pino from 'pino';
import { z } from 'zod';
import { newApiKey } from '../../access/io/api-keys.ts';
import { startSmsSandbox, type SmsSandbox } from '../../texts/io/sandbox.ts';
import { loadConfig, type Config } from '../../app/config.ts';
import { asFailure } from '../../platform/rules/failure.ts';
import { cStore } from '../../dev/modality.ts';
import { startOrthanc, type OrthancProcess } from '../../dev/orthanc-process.ts';
import { connectRis, type Ris } from '../../dev/ris.ts';
import type { MessageHead } from '../../dev/ris-messages.ts';
import type { PostgresProcess } from '../../dev/postgres-process.ts';
import { environmentFor } from '../../dev/stack.ts';
import { startSidecar, type Sidecar } from '../../app/sidecar.ts';
import { azurite, postgres } from './services.ts';

/** A sidecar between servers of its own: an Orthanc, a database, a container and an SMS sandbox nobody else uses. */
export interface Rig extends AsyncDisposable {
  readonly orthanc: OrthancProcess;
  readonly sandbox: SmsSandbox;
  readonly config: Config;
  readonly environment: Readonly<Record<string, string>>;
  readonly apiKey: string;
  readonly ris: Ris;
  readonly sidecar: Sidecar;
  /** What the sidecar logged, a line each. */
  readonly logged: readonly string[];
  /** Rows of a query, each checked. */
  rows<T>(sql: string, row: z.ZodType<T>, values?: readonly unknown[]): Promise<T[]>;
  execute(sql: string, values?: readonly unknown[]): Promise<void>;
  /** Waits until the query gives a first column of `t`. */
  until(what: string, sql: string, values?: readonly unknown[]): Promise<void>;
  /** C-STORE; fails the test when a file was not stored. */
  store(...files: readonly Buffer[]): Promise<void>;
  /** A head with a control id of its own. */
  head(): MessageHead;
  /**
   * Waits until the sidecar has read all of Orthanc's feed and no job is left, one that waits for its next try neither,
   * but for those that look later whether something was deleted.
   */
  settled(): Promise<void>;
  stopSidecar(): Promise<void>;
  startSidecar(): Promise<void>;
}

const DEADLINE_MS = 40_000;

/** Polls until `done`; fails with what it was waiting for. */
export async function eventually(what: string, done: () => Promise<boolean>, limitMs = DEADLINE_MS): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await done())) {
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for: ${what}`);
    await sleep(50);
  }
}

const CHANGES = z.object({ Changes: z.array(z.object({ Seq: z.number() })) });

/** Starts a {@link Rig}; `settings` go over those that lead to its servers. Its database is in `databases`, if given. */
export async function startRig(
  settings: Readonly<Record<string, string>> = {},
  databases?: PostgresProcess,
): Promise<Rig> {
  await using stack = new AsyncDisposableStack();
  const sandbox = stack.use(await startSmsSandbox({ host: '127.0.0.1', port: 0, now: () => new Date() }));
  const [archive, server, blobs] = await Promise.all([
    startOrthanc().then((process) => stack.use(process)),
    databases ?? postgres(),
    azurite(),
  ]);
  const databaseUrl = await server.createDatabase();
  const { key, entry } = newApiKey('test', randomBytes(32));
  const environment = {
    ...environmentFor({ orthanc: archive, databaseUrl, azurite: blobs, sandbox }),
    AZURE_STORAGE_CONTAINER: `test-${randomBytes(6).toString('hex')}`,
    API_KEYS: entry,
    POLL_INTERVAL_MS: '50',
    ...settings,
  };
  const config = loadConfig(environment);
  const logged: string[] = [];
  const log = pino({ level: 'info', base: null }, { write: (line: string) => void logged.push(line) });
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 4 });
  pool.on('error', () => undefined);
  stack.defer(() => pool.end());

  let sidecar = await startSidecar(config, { log });
  let ris: Ris | undefined;
  const connected = async (): Promise<Ris> => (ris ??= await connectRis(sidecar.hl7Port));
  await connected();
  const stopSidecar = async (): Promise<void> => {
    await ris?.[Symbol.asyncDispose]();
    ris = undefined;
    await sidecar[Symbol.asyncDispose]();
  };
  stack.defer(() => stopSidecar());

  const rows = async <T>(sql: string, row: z.ZodType<T>, values: readonly unknown[] = []): Promise<T[]> =>
    z.array(row).parse((await pool.query(sql, [...values])).rows);
  let controlIds = 0;
  const until = (what: string, sql: string, values: readonly unknown[] = []): Promise<void> =>
    eventually(what, async () => {
      const [first] = await rows(sql, z.record(z.string(), z.unknown()), values);
      return first !== undefined && Object.values(first)[0] === true;
    });
  const running = stack.move();
  return {
    orthanc: archive,
    sandbox,
    config,
    environment,
    apiKey: key,
    logged,
    get ris() {
      if (ris === undefined) throw new Error('the sidecar is stopped');
      return ris;
    },
    get sidecar() {
      return sidecar;
    },
    rows,
    async execute(sql, values = []) {
      await pool.query(sql, [...values]);
    },
    until,
    async store(...files) {
      const { ok, output } = await cStore(files, { port: archive.dicomPort, calledAeTitle: archive.aeTitle });
      if (!ok) throw new Error(`C-STORE failed:\n${output}`);
    },
    head: () => ({ now: new Date(), controlId: `M${(controlIds += 1)}` }),
    async settled() {
      const auth = Buffer.from(`${archive.username}:${archive.password}`).toString('base64');
      const answer = await fetch(`${archive.url}/changes?since=0&limit=1000000&type=NewInstance`, {
        headers: { Authorization: `Basic ${auth}` },
      });
      // What was deleted since has left the feed, and nobody waits for it.
      const newest = CHANGES.parse(await answer.json()).Changes.at(-1)?.Seq ?? 0;
      const read = `SELECT $1 = 0 OR EXISTS (SELECT 1 FROM feed_cursor WHERE seq >= $1)`;
      await until('the feed to be read', read, [newest]);
      const done = `SELECT NOT EXISTS (
        SELECT 1 FROM graphile_worker.jobs WHERE attempts < max_attempts AND task_identifier <> 'look-for-deleted')`;
      try {
        await until('the jobs to be done', done);
      } catch (error) {
        const left = await rows(
          `SELECT task_identifier, attempts, run_at - now() AS due_in, locked_at, locked_by, last_error
           FROM graphile_worker.jobs WHERE attempts < max_attempts`,
          z.record(z.string(), z.unknown()),
        );
        throw new Error(
          `${asFailure(error).message}\n${JSON.stringify(left, null, 1)}\n${logged.slice(-30).join('')}`,
          { cause: error },
        );
      }
    },
    stopSidecar,
    async startSidecar() {
      sidecar = await startSidecar(config, { log });
      await connected();
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
