import pg from 'pg';
import pino from 'pino';
import { migrate, openDatabase } from '../../platform/postgres/database.ts';
import { createOrthanc, type Orthanc } from '../../images/io/orthanc.ts';
import { loadConfig, type Config } from '../../app/config.ts';
import { createOperations, type Operations } from '../../app/operations.ts';
import { readFrame } from '../../hl7/io/listener.ts';
import type { OrthancProcess } from '../orthanc-process.ts';
import type { PostgresProcess } from '../postgres-process.ts';
import { orm } from '../ris-messages.ts';
import { benchStudy } from './data.ts';

/** What a part is told: how much of what the table says it does, and how often. */
export interface Extent {
  readonly seed: number;
  readonly repeats: number;
  /** 1 is what is asked; less is quicker, and says less. */
  readonly scale: number;
  readonly say: (line: string) => void;
}

export const scaled = (count: number, { scale }: Extent): number => Math.max(1, Math.round(count * scale));

export const SILENT = pino({ level: 'silent' });

/** The settings of the parts that a part wires by itself; what it does not start is named, but never reached. */
export function benchConfig(more: Readonly<Record<string, string>>): Config {
  return loadConfig({
    ORTHANC_URL: 'http://127.0.0.1:1',
    ORTHANC_USERNAME: 'sidecar',
    ORTHANC_PASSWORD: 'none',
    DATABASE_URL: 'postgres://127.0.0.1:1/none',
    AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true',
    PORTAL_URL: 'https://portal.axisimaging.example/results',
    SMS_HOURS: '00:00-24:00',
    ...more,
  });
}

/** Orthanc's REST API as the sidecar has it; closed with the stack. */
export function orthancOf({ url, username, password }: OrthancProcess, stack: AsyncDisposableStack): Orthanc {
  const limits = { timeoutMs: 60_000, maxFileBytes: 2 ** 29 };
  return stack.adopt(createOrthanc({ url, username, password, ...limits }), (client) => {
    client.close();
  });
}

/** A database with the newest schema and these studies' orders in it. */
export async function databaseWithOrders(
  postgres: PostgresProcess,
  orders: { readonly seed: number; readonly studies: number; readonly groups: readonly number[] },
): Promise<string> {
  const databaseUrl = await postgres.createDatabase();
  await using parts = openParts(databaseUrl);
  await migrate(databaseUrl);
  const numbers = Array.from({ length: orders.studies }, (_, number) => number);
  for (const [group, number] of orders.groups.flatMap((one) => numbers.map((other) => [one, other] as const))) {
    const { patient, order } = benchStudy(orders.seed, group, number);
    const text = orm({ now: new Date(), controlId: `O${group}-${number}` }, patient, order);
    const raw = Buffer.from(text);
    const inbound = { raw, ...readFrame(raw), remoteAddress: '127.0.0.1' };
    const answer = await parts.operations.receive(inbound);
    if (!/MSA\|AA/.test(answer)) throw new Error(`an order was not taken: ${answer}`);
  }
  return databaseUrl;
}

export interface Parts extends AsyncDisposable {
  readonly db: ReturnType<typeof openDatabase>;
  readonly operations: Operations;
  readonly config: Config;
}

/** The flows on this database, as the composition root wires them. */
export function openParts(databaseUrl: string, more: Readonly<Record<string, string>> = {}): Parts {
  const config = benchConfig({ DATABASE_URL: databaseUrl, ...more });
  const db = openDatabase(databaseUrl, config.DATABASE_POOL_SIZE);
  const now = (): Date => new Date();
  const onRefused = ({ code }: { code: string }): never => {
    throw new Error(`refused: ${code}`);
  };
  return {
    db,
    config,
    operations: createOperations({ config, db, now, onRefused }),
    [Symbol.asyncDispose]: () => db.destroy(),
  };
}

async function onServer(postgres: PostgresProcess, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

const nameOf = (databaseUrl: string): string => pg.escapeIdentifier(new URL(databaseUrl).pathname.slice(1));

/** Runs `work` with a copy of this database, which nobody may be connected to; the copy goes afterwards. */
export async function withCopy<T>(
  postgres: PostgresProcess,
  databaseUrl: string,
  work: (copyUrl: string) => Promise<T>,
): Promise<T> {
  const copyUrl = await postgres.createDatabase();
  await onServer(postgres, `DROP DATABASE ${nameOf(copyUrl)}`);
  await onServer(postgres, `CREATE DATABASE ${nameOf(copyUrl)} TEMPLATE ${nameOf(databaseUrl)}`);
  await onServer(postgres, 'CHECKPOINT');
  try {
    return await work(copyUrl);
  } finally {
    await onServer(postgres, `DROP DATABASE ${nameOf(copyUrl)} WITH (FORCE)`);
  }
}
