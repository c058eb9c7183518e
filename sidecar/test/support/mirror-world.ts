import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { z } from 'zod';
import { startSmsSandbox } from '../../texts/io/sandbox.ts';
import { startChild, type Child } from '../../dev/child.ts';
import { startOrthanc, type OrthancProcess } from '../../dev/orthanc-process.ts';
import { environmentFor } from '../../dev/stack.ts';
import { startTcpProxy } from '../../dev/tcp-proxy.ts';
import { startDatabase } from './database.ts';
import { storeByRest } from './orthanc-rest.ts';
import { azurite } from './services.ts';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));
const RENDERING = /^GET \/instances\/([0-9a-f-]+)\/frames\//;
const IMAGE = z.object({ orthancId: z.string(), status: z.string(), reason: z.string().nullable(), begun: z.number() });

/** Long enough for the renderings of others to be out when the killer's comes. */
const LATENCY_MS = 25;

/** One request for a killer's rendering: how many renderings of others were out just then. */
export interface Blow {
  readonly company: number;
}

/** Orthanc, and sidecars as processes that are started again whenever they end. One image's rendering kills. */
export interface MirrorWorld extends AsyncDisposable {
  readonly environment: Readonly<Record<string, string>>;
  readonly orthanc: OrthancProcess;
  /** Of the killer that was set last. */
  readonly blows: readonly Blow[];
  /** From now on the rendering of this image, and of no other, does that and is not answered. */
  setKiller(orthancId: string, kill: () => Promise<void>): void;
  /** Gives Orthanc's ids. */
  store(files: readonly Buffer[]): Promise<string[]>;
  images(): Promise<z.output<typeof IMAGE>[]>;
  /** What waits for its next try is tried next. */
  hurry(): Promise<void>;
  startSidecars(count: number): void;
  stopSidecars(): Promise<void>;
  /** They start again at once. */
  killSidecars(): Promise<void>;
}

/** Starts a {@link MirrorWorld} without sidecars. */
export async function startMirrorWorld(settings: Readonly<Record<string, string>> = {}): Promise<MirrorWorld> {
  await using stack = new AsyncDisposableStack();
  const sandbox = stack.use(await startSmsSandbox({ host: '127.0.0.1', port: 0, now: () => new Date() }));
  const orthanc = stack.use(await startOrthanc());
  const { url: databaseUrl } = stack.use(await startDatabase());
  const pool = stack.adopt(new pg.Pool({ connectionString: databaseUrl, max: 2 }), (open) => open.end());

  let killer: { readonly orthancId: string; readonly kill: () => Promise<void> } | undefined;
  const blows: Blow[] = [];
  const out = new Set<number>();
  let striking: Promise<void> = Promise.resolve();
  const strike = async (kill: () => Promise<void>, company: number): Promise<void> => {
    // Company may come a moment later; at first, with others waiting to be drawn, it must.
    let most = company;
    const looks = blows.length === 0 ? 40 : 2;
    for (let look = 0; look < looks && most === 0; look += 1) {
      await sleep(LATENCY_MS);
      most = Math.max(most, out.size);
    }
    blows.push({ company: most });
    await kill();
  };
  const proxy = stack.use(
    await startTcpProxy({
      port: Number(new URL(orthanc.url).port),
      latencyMs: LATENCY_MS,
      onSent: (bytes, connection) => {
        const orthancId = RENDERING.exec(bytes.toString('latin1'))?.[1];
        if (orthancId === undefined) return true;
        if (orthancId !== killer?.orthancId) {
          out.add(connection);
          return true;
        }
        const [{ kill }, company] = [killer, out.size];
        striking = striking.then(() => strike(kill, company));
        return false;
      },
      onClosed: (connection) => out.delete(connection),
    }),
  );
  const environment = {
    PATH: process.env['PATH'] ?? '',
    ...environmentFor({ orthanc, databaseUrl, azurite: await azurite(), sandbox }),
    ORTHANC_URL: `http://127.0.0.1:${proxy.port}`,
    AZURE_STORAGE_CONTAINER: `test-${randomBytes(6).toString('hex')}`,
    POLL_INTERVAL_MS: '50',
    ...settings,
  };

  const children = new Set<Child>();
  let wanted = false;
  const startSidecar = (): void => {
    const child = startChild('setpriv', ['--pdeathsig', 'KILL', process.execPath, MAIN], { env: environment });
    children.add(child);
    void child.ended.then(() => {
      children.delete(child);
      if (wanted) startSidecar();
    });
  };
  const endSidecars = async (signal: NodeJS.Signals): Promise<void> => {
    await Promise.all([...children].map((child) => child.stop(signal)));
  };
  const stopSidecars = async (): Promise<void> => {
    wanted = false;
    await endSidecars('SIGTERM');
    await striking;
  };
  stack.defer(stopSidecars);
  const running = stack.move();
  return {
    environment,
    orthanc,
    blows,
    setKiller(orthancId, kill) {
      killer = { orthancId, kill };
      blows.length = 0;
    },
    store: (files) => storeByRest(orthanc, files),
    async images() {
      const found = await pool.query(
        `SELECT orthanc_id AS "orthancId", mirror_status AS status, mirror_reason AS reason, render_begun AS begun FROM images`,
      );
      return z.array(IMAGE).parse(found.rows);
    },
    async hurry() {
      await pool.query(
        `UPDATE graphile_worker._private_jobs SET run_at = now() - interval '1 hour' WHERE attempts > 0`,
      );
    },
    startSidecars(count) {
      wanted = true;
      for (let started = 0; started < count; started += 1) startSidecar();
    },
    stopSidecars,
    killSidecars: () => endSidecars('SIGKILL'),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
