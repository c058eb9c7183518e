import { startOrthanc } from '../orthanc-process.ts';
import { startPostgres } from '../postgres-process.ts';
import { fill, fillFirst } from './fill.ts';
import { linkToEnd, linkWhile } from './linking.ts';
import { alternate, percentile, type Figure } from './measure.ts';
import { databaseWithOrders, openParts, orthancOf, scaled, type Extent } from './world.ts';

const CONNECTIONS = 8;
const STUDIES = 20;
const PER_STUDY = 60;
/** 512 x 512 of 16 bits: half a megabyte. */
const SIZE = 512;

/**
 * What linking takes from Orthanc that is being filled, and how long after Orthanc has an image (it answered who sent
 * it) its row is committed. Nothing is mirrored meanwhile: that is the part `mirror`.
 */
export async function benchLag(extent: Extent): Promise<Figure[]> {
  await using stack = new AsyncDisposableStack();
  const orthancProcess = stack.use(await startOrthanc());
  const postgres = stack.use(await startPostgres({ durable: true }));
  const orthanc = orthancOf(orthancProcess, stack);
  const studies = scaled(STUDIES, extent);
  const { seed } = extent;
  const { url, username, password } = orthancProcess;
  const to = { url, username, password, connections: CONNECTIONS, seed, studies, images: PER_STUDY, size: SIZE };
  const groups = Array.from({ length: 1 + 2 * extent.repeats }, (_, index) => 100 + index);
  const databaseUrl = await databaseWithOrders(postgres, { seed, studies, groups });
  const parts = stack.use(openParts(databaseUrl));
  const nextGroup = (): number => groups.shift() ?? 0;
  const total = studies * PER_STUDY;
  const late: number[] = [];
  await fillFirst(orthancProcess, { seed, studies, images: PER_STUDY, size: SIZE, group: nextGroup() });
  const ours = async (): Promise<number> => {
    await linkToEnd({ ...parts, orthanc });
    const { result, committedAt } = await linkWhile(
      { ...parts, orthanc },
      () => fill({ ...to, group: nextGroup() }),
      ({ stored }, committed) => stored.some(([id]) => !committed.has(id)),
    );
    const lags = result.stored.map(([id, at]) => Math.max(0, (committedAt.get(id) ?? Infinity) - at) / 1000);
    late.push(percentile(lags, 0.99));
    return total / result.seconds;
  };
  const bare = async (): Promise<number> => total / (await fill({ ...to, group: nextGroup() })).seconds;
  const intake = await alternate(extent.repeats, ours, bare);
  return [
    {
      part: 'lag',
      what: "Orthanc's intake with linking",
      unit: 'images/s',
      ...intake,
      compared: { kind: 'ratio', goal: { is: 'at least', value: 0.9 } },
    },
    {
      part: 'lag',
      what: 'in Orthanc to linked, p99',
      unit: 's',
      ours: late,
      bare: [],
      compared: { kind: 'value', goal: { is: 'below', value: 1 } },
    },
  ];
}
