import { BlobServiceClient } from '@azure/storage-blob';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import { openBlobStore } from '../../images/blobs.ts';
import { createCodec } from '../../images/io/codec.ts';
import type { Orthanc } from '../../images/io/orthanc.ts';
import { startJobs } from '../../app/jobs.ts';
import { imageJobs } from '../../images/jobs.ts';
import { createRenderingLock } from '../../images/io/rendering-lock.ts';
import { startReplica } from '../../platform/postgres/replica.ts';
import { thumbnail } from '../../images/io/sharp.ts';
import { createMirroring, RENDERING } from '../../images/mirroring.ts';
import { startAzurite, type AzuriteProcess } from '../azurite-process.ts';
import { startOrthanc } from '../orthanc-process.ts';
import { startPostgres } from '../postgres-process.ts';
import { fill, fillFirst } from './fill.ts';
import { linkToEnd } from './linking.ts';
import { alternate, timed, type Figure } from './measure.ts';
import {
  databaseWithOrders,
  openParts,
  orthancOf,
  scaled,
  SILENT,
  withCopy,
  type Extent,
  type Parts,
} from './world.ts';

const STUDIES = 10;
const PER_STUDY = 100;
const SIZE = 512;
/** Of these the bare loop is given the best. */
const CONCURRENCY = [2, 3, 4, 6, 8, 12];
const LOOK_MS = 50;
const CONTAINER = 'bench';

const now = (): Date => new Date();

/** The limit: the same calls, as many at once as is best, and nothing written down. Gives how many a second. */
async function bareLoop(
  ids: readonly string[],
  orthanc: Orthanc,
  azurite: AzuriteProcess,
  container: string,
  atOnce: number,
): Promise<number> {
  const blobs = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(container);
  await blobs.createIfNotExists();
  const put = (name: string, jpeg: Buffer): Promise<unknown> =>
    blobs.getBlockBlobClient(name).uploadData(jpeg, { blobHTTPHeaders: { blobContentType: 'image/jpeg' } });
  let next = 0;
  const work = async (): Promise<void> => {
    for (let id = ids[next++]; id !== undefined; id = ids[next++]) {
      const jpeg = await orthanc.rendered(id, 0);
      const small = await thumbnail(jpeg, 2 ** 28);
      await put(`${id}.jpg`, jpeg);
      await put(`${id}.thumb.jpg`, small);
    }
  };
  return ids.length / (await timed(() => Promise.all(Array.from({ length: atOnce }, work))));
}

async function untilMirrored(db: Knex): Promise<void> {
  const pending = "SELECT count(*) FILTER (WHERE mirror_status <> 'mirrored') AS wrong, count(*) AS total FROM images";
  for (;;) {
    const { rows } = await db.raw<{ rows: { one: number }[] }>(
      "SELECT 1 AS one FROM images WHERE mirror_status = 'pending' LIMIT 1",
    );
    if (rows.length === 0) break;
    await sleep(LOOK_MS);
  }
  const { rows } = await db.raw<{ rows: { wrong: string }[] }>(pending);
  if (rows[0]?.wrong !== '0') throw new Error(`${rows[0]?.wrong ?? 'no'} images were not mirrored`);
}

/** Mirrors all that waits, with the jobs as the composition root wires them, then `work` while they go on. */
async function mirrorWith<T>(
  { db, config, operations }: Parts,
  orthanc: Orthanc,
  azurite: AzuriteProcess,
  container: string,
  work: () => Promise<T>,
): Promise<T> {
  await using stack = new AsyncDisposableStack();
  const codec = stack.use(createCodec({ maxPixels: config.RENDER_MAX_PIXELS, timeoutMs: config.RENDER_TIMEOUT_MS }));
  const lock = stack.use(createRenderingLock(config.DATABASE_URL, { size: config.JOB_CONCURRENCY, ...RENDERING }));
  const lead = (): Promise<void> => Promise.resolve();
  const random = (): number => 0.5;
  const replica = stack.use(
    startReplica({ databaseUrl: config.DATABASE_URL, beatMs: 1000, lead, random, log: SILENT }),
  );
  const mirroring = createMirroring({
    ...{ db, orthanc, codec, lock, now, random, log: SILENT },
    blobs: openBlobStore(
      { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString, AZURE_STORAGE_CONTAINER: container },
      30_000,
    ),
    maxPixels: config.RENDER_MAX_PIXELS,
    drawnAtOnce: config.JOB_CONCURRENCY,
  });
  stack.use(
    startJobs(imageJobs({ db, mirroring, removal: { ...operations.removal, present: orthanc.present } }), {
      databaseUrl: config.DATABASE_URL,
      concurrency: config.JOB_CONCURRENCY,
      blobsRest: mirroring.blobsRest,
      closeTimeoutMs: 5000,
      vouch: replica.vouch,
      log: SILENT,
    }),
  );
  return await work();
}

/** How fast linked images get their rendering and thumbnail into Azurite; and what that takes from Orthanc's intake. */
export async function benchMirror(extent: Extent): Promise<Figure[]> {
  await using stack = new AsyncDisposableStack();
  const orthancProcess = stack.use(await startOrthanc());
  const postgres = stack.use(await startPostgres({ durable: true }));
  const orthanc = orthancOf(orthancProcess, stack);
  const { seed, say } = extent;
  const studies = scaled(STUDIES, extent);
  const total = studies * PER_STUDY;
  const { url, username, password } = orthancProcess;
  const to = { url, username, password, connections: 8, seed, studies, images: PER_STUDY, size: SIZE };
  const databaseUrl = await databaseWithOrders(postgres, { seed, studies, groups: [200] });
  const ids = (
    await fillFirst(orthancProcess, { seed, studies, images: PER_STUDY, size: SIZE, group: 200 })
  ).stored.map(([id]) => id);
  {
    await using parts = openParts(databaseUrl);
    await linkToEnd({ ...parts, orthanc });
  }
  // Azurite gets slower with each blob that it has.
  const withAzurite = async <T>(work: (azurite: AzuriteProcess) => Promise<T>): Promise<T> => {
    await using azurite = await startAzurite();
    return await work(azurite);
  };
  const loop = (some: readonly string[], atOnce: number): Promise<number> =>
    withAzurite((azurite) => bareLoop(some, orthanc, azurite, CONTAINER, atOnce));
  const some = ids.slice(0, Math.min(ids.length, 200));
  const trials: { atOnce: number; rate: number }[] = [];
  for (const atOnce of CONCURRENCY) {
    trials.push({ atOnce, rate: await loop(some, atOnce) });
  }
  const best = trials.reduce((a, b) => (b.rate > a.rate ? b : a));
  say(trials.map(({ atOnce, rate }) => `${atOnce} at once: ${rate.toFixed(0)} images/s`).join(', '));
  const ours = (): Promise<number> =>
    withCopy(postgres, databaseUrl, async (copyUrl) => {
      await using parts = openParts(copyUrl);
      const wholly = () => timed(() => untilMirrored(parts.db));
      return total / (await withAzurite((azurite) => mirrorWith(parts, orthanc, azurite, CONTAINER, wholly)));
    });
  const bare = (): Promise<number> => loop(ids, best.atOnce);
  const rates = await alternate(extent.repeats, ours, bare);
  let group = 201;
  const intake = async (): Promise<number> => {
    const filled = await fill({ ...to, studies: Math.max(1, Math.round(studies / 2)), group: group++ });
    return filled.stored.length / filled.seconds;
  };
  const under = (): Promise<number> =>
    withCopy(postgres, databaseUrl, async (copyUrl) => {
      await using parts = openParts(copyUrl);
      return await withAzurite((azurite) => mirrorWith(parts, orthanc, azurite, CONTAINER, intake));
    });
  return [
    {
      part: 'mirror',
      what: `through the bare calls, ${best.atOnce} at once`,
      unit: 'images/s',
      ...rates,
      compared: { kind: 'ratio', goal: { is: 'at least', value: 0.9 } },
    },
    {
      part: 'mirror',
      what: "Orthanc's intake meanwhile",
      unit: 'images/s',
      ...(await alternate(extent.repeats, under, intake)),
      compared: { kind: 'ratio', goal: null },
    },
  ];
}
