import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { startChild, untilReady } from '../../dev/child.ts';
import { startStack } from '../../dev/stack.ts';
import type { PlannedOrder } from './plan.ts';
import { askOrthanc, column, tallyOf, type Servers } from './tally.ts';
import { playOrder } from './traffic.ts';

const positive = z.coerce.number().int().positive();
const settings = z
  .object({ SOAK_MINUTES: positive.default(30), SOAK_ORDERS_A_MINUTE: positive.default(20) })
  .parse(process.env);

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));
const SAMPLE_MS = 30_000;
const IMAGES = 8;
const DRAIN_MS = 120_000;
const CHANGES = z.object({ Changes: z.array(z.unknown()) });
const LISTENING = /"hl7Port":(\d+)/;

interface Sample {
  readonly residentMb: number;
  readonly handles: number;
  readonly databaseConnections: number;
  /** Changes of the feed that were not taken yet. */
  readonly lag: number;
  readonly jobs: number;
}

const one = async (servers: Servers, sql: string): Promise<number> => Number((await column(servers, sql))[0] ?? 0);

async function sample(pid: number, servers: Servers): Promise<Sample> {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const since = await one(servers, 'SELECT CAST(seq AS text) FROM feed_cursor');
  const page = await askOrthanc(servers, `/changes?type=NewInstance&limit=10000&since=${since}`);
  return {
    residentMb: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024),
    handles: readdirSync(`/proc/${pid}/fd`).length,
    databaseConnections: await one(
      servers,
      `SELECT CAST(count(*) AS text) FROM pg_stat_activity WHERE application_name LIKE 'axis-sidecar%'`,
    ),
    lag: CHANGES.parse(page).Changes.length,
    jobs: await one(
      servers,
      `SELECT CAST(count(*) AS text) FROM graphile_worker.jobs
       WHERE attempts < max_attempts AND task_identifier <> 'look-for-deleted'`,
    ),
  };
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const told = ({ residentMb, handles, databaseConnections, lag, jobs }: Sample): string =>
  `resident ${residentMb} MB, handles ${handles}, database connections ${databaseConnections}, lag ${lag}, jobs ${jobs}`;

/** Steady traffic through the real interfaces, watched; then drained and counted. Exits 0 when nothing was lost or doubled. */
async function soak(): Promise<number> {
  await using stack = await startStack();
  const child = startChild(process.execPath, [MAIN], { env: { PATH: process.env['PATH'], ...stack.environment } });
  await using stopping = new AsyncDisposableStack();
  stopping.defer(() => child.stop('SIGTERM'));
  let hl7Port = 0;
  await untilReady(child, 'the sidecar', () => {
    hl7Port = Number(LISTENING.exec(child.lastOutput())?.[1] ?? 0);
    return Promise.resolve(hl7Port > 0);
  });
  const { DATABASE_URL: databaseUrl = '' } = stack.environment;
  const servers = { ...stack, databaseUrl };
  const until = Date.now() + settings.SOAK_MINUTES * 60_000;
  const orders: PlannedOrder[] = [];
  const playing = new Set<Promise<unknown>>();
  const failures: unknown[] = [];
  const traffic = async (): Promise<void> => {
    for (let number = 1; Date.now() < until; number += 1) {
      const order: PlannedOrder = {
        number,
        at: 0,
        accession: `SOAK${number}`,
        images: IMAGES,
        how: number % 2 === 0 ? 'rest' : 'c-store',
        steps: ['order', 'images', 'report'],
      };
      orders.push(order);
      const played = playOrder(order, { hl7Port, orthanc: stack.orthanc })
        .catch((error: unknown) => failures.push(error))
        .finally(() => playing.delete(played));
      playing.add(played);
      await sleep(60_000 / settings.SOAK_ORDERS_A_MINUTE);
    }
  };
  const running = traffic();
  const began = Date.now();
  const samples: Sample[] = [];
  while (Date.now() < until) {
    await sleep(Math.min(SAMPLE_MS, Math.max(1, until - Date.now())));
    const now = await sample(child.pid, servers);
    samples.push(now);
    say(`${Math.round((Date.now() - began) / 1000)} s: ${orders.length} orders, ${told(now)}`);
  }
  await running;
  await Promise.all(playing);
  const deadline = Date.now() + DRAIN_MS;
  let last = await sample(child.pid, servers);
  while (last.lag + last.jobs > 0 && Date.now() < deadline) {
    await sleep(500);
    last = await sample(child.pid, servers);
  }
  const [first] = samples;
  if (first !== undefined) say(`at the start: ${told(first)}\nat the end, drained: ${told(last)}`);
  let wrong = failures.length + last.lag + last.jobs;
  for (const [what, { expected, lost, doubled }] of Object.entries(await tallyOf(servers, orders))) {
    say(`${what}: ${expected}, lost ${lost.length}, doubled ${doubled.length}`);
    wrong += lost.length + doubled.length;
  }
  return wrong === 0 ? 0 : 1;
}

process.exitCode = await soak();
