import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { startSidecarProcess } from '../sidecar-process.ts';
import { startStack } from '../stack.ts';
import { fillFirst } from './fill.ts';
import type { Figure } from './measure.ts';
import { scaled, type Extent } from './world.ts';

const STUDIES = 400;
const PER_STUDY = 250;
const LOOK_MS = 50;
/** Of what is taken for none. */
const NO_GROWTH_MB = 5;
const MEGABYTE = 1024 ** 2;

const residentBytes = (pid: number): number =>
  1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

/**
 * How much the sidecar, a process of its own, holds while it links what Orthanc was filled with before it started, and
 * mirrors meanwhile. Growth: the most held while the second half is linked, less the most while the first half was.
 */
export async function benchMemory(extent: Extent): Promise<Figure[]> {
  await using stack = await startStack({ durable: true });
  const studies = scaled(STUDIES, extent);
  const total = studies * PER_STUDY;
  const what = { seed: extent.seed, group: 300, studies, images: PER_STUDY, size: 16 };
  extent.say(`filling Orthanc with ${total} images`);
  await fillFirst(stack.orthanc, what);
  const databases = Array.from({ length: extent.repeats }, () => stack.postgres.createDatabase());
  const [first, second]: [number[], number[]] = [[], []];
  for (const made of databases) {
    const databaseUrl = await made;
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    await using sidecar = await startSidecarProcess({ ...stack.environment, DATABASE_URL: databaseUrl });
    const halves: [number, number] = [0, 0];
    for (let linked = 0; linked < total;) {
      const { rows } = await client.query<{ linked: string }>('SELECT coalesce(max(id), 0) AS linked FROM images');
      linked = Number(rows[0]?.linked);
      const half = linked < total / 2 ? 0 : 1;
      halves[half] = Math.max(halves[half], residentBytes(sidecar.child.pid));
      await sleep(LOOK_MS);
    }
    await client.end();
    first.push(halves[0] / MEGABYTE);
    second.push(halves[1] / MEGABYTE);
  }
  const most = first.map((held, at) => Math.max(held, second[at] ?? 0));
  return [
    {
      part: 'memory',
      what: `most resident, linking ${total}`,
      unit: 'MB',
      ours: most,
      bare: [],
      compared: { kind: 'value', goal: { is: 'below', value: 250 } },
    },
    {
      part: 'memory',
      what: 'of the second half, more than of the first',
      unit: 'MB',
      ours: second,
      bare: first,
      compared: { kind: 'excess', goal: { is: 'below', value: NO_GROWTH_MB } },
    },
  ];
}
