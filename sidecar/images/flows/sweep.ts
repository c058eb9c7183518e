import { Failure } from '../../platform/rules/failure.ts';

export interface SweepDeps {
  readonly orthanc: {
    /** All instances' ids, page by page: an empty page is behind the last. */
    readonly instanceIds: (since: number, limit: number) => Promise<readonly string[]>;
    /** Of these instances those that are there, each with what changes when another file is stored or comes again. */
    readonly versions: (orthancIds: readonly string[]) => Promise<ReadonlyMap<string, string>>;
  };
  /** Of these instances those that have no row, or one that does not know what its image says. */
  readonly unknownInstances: (orthancIds: readonly string[]) => Promise<readonly string[]>;
  /** Takes instances as a page of the feed does; gives how many images are new. */
  readonly take: (orthancIds: readonly string[]) => Promise<number>;
  /** The next rows behind `after`, in the order of their ids; `version` as it was when each was taken. */
  readonly imagesAfter: (
    after: string,
    limit: number,
  ) => Promise<readonly { readonly id: string; readonly version: string | null }[]>;
  /** The next rows' ids behind `after`, in their own order. */
  readonly dicomStudiesAfter: (after: string, limit: number) => Promise<readonly string[]>;
  readonly removeDeleted: (orthancIds: readonly string[]) => Promise<number>;
  /** Has the labels of these DICOM studies made right; gives of how many they were not. */
  readonly checkLabels: (dicomStudyIds: readonly string[]) => Promise<number>;
  readonly requeueUnfinished: () => Promise<number>;
  /** Lets the feed go first for a while; ends at once on a stop. */
  readonly pause: () => Promise<void>;
  readonly stop: AbortSignal;
  readonly pageSize: number;
  /** Of a page's rows, from 1 to 100, how many may be missing before none of them is removed. */
  readonly maxLossPercent: number;
}

export interface Swept {
  /** Images that Orthanc had and no row, and the other way round. */
  readonly added: number;
  readonly removed: number;
  readonly relabelled: number;
  readonly requeued: number;
}

/** From this many rows on, a page in which too many are missing is not believed. */
const SURE_FROM = 100;

async function addMissingRows(deps: SweepDeps): Promise<number> {
  let added = 0;
  for (let since = 0; !deps.stop.aborted;) {
    const ids = await deps.orthanc.instanceIds(since, deps.pageSize);
    if (ids.length === 0) break;
    since += ids.length;
    const unknown = await deps.unknownInstances(ids);
    if (unknown.length > 0) added += await deps.take(unknown);
    await deps.pause();
  }
  return added;
}

/** What `read` gives, page after page, with a pause behind each, until there is no more or it is stopped. */
async function* pagesOf<T>(
  { pageSize, pause, stop }: SweepDeps,
  first: string,
  read: (after: string, limit: number) => Promise<readonly T[]>,
  idOf: (one: T) => string,
): AsyncGenerator<readonly T[], void> {
  for (let after = first; !stop.aborted;) {
    const page = await read(after, pageSize);
    const last = page.at(-1);
    if (last === undefined) return;
    after = idOf(last);
    yield page;
    await pause();
  }
}

/**
 * Takes out the rows of what Orthanc has no more, and takes anew what it has another file of.
 * @throws Failure permanent `orthanc-lost-most`, with nothing of that page removed: rows come in the order of Orthanc's
 * ids, which are hashes, so that each page is a random sample of the archive, and an archive that lost most of its
 * images is more likely another one, or restored from a backup.
 */
async function bringRowsUp(deps: SweepDeps): Promise<number> {
  let removed = 0;
  for await (const rows of pagesOf(deps, '', deps.imagesAfter, ({ id }) => id)) {
    const ids = rows.map(({ id }) => id);
    const present = await deps.orthanc.versions(ids);
    const missing = ids.filter((id) => !present.has(id));
    if (ids.length >= SURE_FROM && missing.length * 100 > ids.length * deps.maxLossPercent) {
      const counts = `${missing.length} of ${ids.length} images that were looked for are not in Orthanc`;
      throw new Failure(
        'permanent',
        'orthanc-lost-most',
        `${counts}: is it the right one? Nothing of them was removed; SWEEP_MAX_LOSS_PERCENT=100 would`,
      );
    }
    removed += await deps.removeDeleted(missing);
    const changed = rows.filter(({ id, version }) => present.has(id) && present.get(id) !== version);
    if (changed.length > 0) await deps.take(changed.map(({ id }) => id));
  }
  return removed;
}

async function repairLabels(deps: SweepDeps): Promise<number> {
  let relabelled = 0;
  for await (const ids of pagesOf(deps, '0', deps.dicomStudiesAfter, (id) => id)) {
    relabelled += await deps.checkLabels(ids);
  }
  return relabelled;
}

/**
 * The sweep: makes rows and Orthanc agree again, whatever the feed did not tell (deletions leave no trace in it, and
 * with a PostgreSQL index changes may become visible out of order), page by page with a pause after each. Ends between
 * two pages when it is stopped; what it did stays right.
 * @throws Failure `orthanc-lost-most`, after all else was done.
 */
export async function sweep(deps: SweepDeps): Promise<Swept> {
  const requeued = await deps.requeueUnfinished();
  const added = await addMissingRows(deps);
  const relabelled = await repairLabels(deps);
  const removed = await bringRowsUp(deps);
  return { added, removed, relabelled, requeued };
}
