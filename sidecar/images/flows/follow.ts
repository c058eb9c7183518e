import type { DicomBatch } from '../rules/dicom.ts';
import { Failure } from '../../platform/rules/failure.ts';

export interface Changes {
  /** `orthancId` is that of an instance; `null` for a change of something else. */
  readonly changes: readonly { readonly seq: number; readonly orthancId: string | null }[];
  /** The last Seq that Orthanc looked at for this page. */
  readonly last: number;
  readonly done: boolean;
}

export interface Feed {
  /** Which database this is: another one has Seqs of its own. */
  serverId(): Promise<string>;
  /** Instances that are new, or were told something of, after `since`, exclusive. */
  changes(since: number, limit: number): Promise<Changes>;
  /** The end of the feed: the Seq of its newest change of any kind. */
  lastSeq(): Promise<number>;
  /** Their tags; instances that are gone by now are left out. */
  readInstances(orthancIds: readonly string[]): Promise<DicomBatch>;
}

export interface FeedTx {
  saveCursor(serverId: string, seq: number, now: Date): Promise<void>;
}

export interface FollowDeps<Tx extends FeedTx> {
  readonly feed: Feed;
  readonly readCursor: () => Promise<{ readonly serverId: string; readonly seq: number } | null>;
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  /** Takes instances with all that follows from them; gives how many images are new. Idempotent. */
  readonly take: (tx: Tx, batch: DicomBatch, now: Date) => Promise<number>;
  /** Takes what it can of these instances, each part in a transaction of its own, and sets the others aside. */
  readonly takeApart: (orthancIds: readonly string[]) => Promise<number>;
  /** Where the feed ends before the cursor, that is believed, and it is followed from its end. */
  readonly believesEnd: boolean;
  /** What came meanwhile may then be overlooked: a sweep that begins from here on finds it. Called before the cursor moves. */
  readonly onOverlooked: () => void;
  readonly batchSize: number;
  readonly now: () => Date;
}

/** A page of the feed as it was read, with what it names. */
export interface ReadPage {
  readonly serverId: string;
  readonly since: number;
  readonly page: Changes;
  /** Still being read, perhaps. A failure is for who takes the page. */
  readonly batch: Promise<PromiseSettledResult<DicomBatch>>;
}

export interface Followed {
  readonly instances: number;
  readonly newImages: number;
  /** Nothing newer was there: time to wait. */
  readonly done: boolean;
  /** The feed is of another Orthanc database than the one followed before, so it is read from its start. */
  readonly restarted: boolean;
  /** The feed ends before the cursor: Orthanc was restored from a backup, or its newest resources were deleted. */
  readonly behind: boolean;
  /** The next page, which is read while this one is read to its end and written; for the next call. Never rejects. */
  readonly ahead: Promise<ReadPage | null>;
}

const seqAfter = (since: number, { changes, done, last }: Changes): number =>
  Math.max(since, changes.at(-1)?.seq ?? (done ? since : last));

const instancesOf = ({ changes }: Changes): string[] => [
  ...new Set(changes.flatMap(({ orthancId }) => orthancId ?? [])),
];

async function readPage(feed: Feed, since: number, batchSize: number, serverId: string): Promise<ReadPage> {
  const page = await feed.changes(since, batchSize);
  const reading = feed.readInstances(instancesOf(page));
  return { serverId, since, page, batch: Promise.allSettled([reading]).then(([outcome]) => outcome) };
}

/**
 * Takes one page of Orthanc's feed (Orthanc Book, "Tracking changes"): rows, link decisions, mirror jobs and the cursor
 * in one transaction, so that a crash at any point repeats the page without a trace of the first try. A page that cannot
 * be taken for what is in it is taken apart, and then the cursor goes on. The cursor only ever stands on a Seq that was
 * received. `ahead` is what the call before gave: it is used where it begins at the cursor, of the same database.
 */
export async function followChanges<Tx extends FeedTx>(
  deps: FollowDeps<Tx>,
  ahead: ReadPage | null = null,
): Promise<Followed> {
  const { feed, batchSize } = deps;
  const serverId = ahead?.serverId ?? (await feed.serverId());
  const cursor = await deps.readCursor();
  const restarted = cursor !== null && cursor.serverId !== serverId;
  const since = cursor === null || restarted ? 0 : cursor.seq;
  const { page, batch } = ahead?.since === since ? ahead : await readPage(feed, since, batchSize, serverId);
  const seq = seqAfter(since, page);
  const nothing = Promise.resolve(null);
  if (page.changes.length === 0 && seq === since && !restarted && cursor !== null) {
    const last = await feed.lastSeq();
    const behind = last < cursor.seq;
    if (behind && deps.believesEnd) {
      deps.onOverlooked();
      await deps.transaction((tx) => tx.saveCursor(serverId, last, deps.now()));
    }
    return { instances: 0, newImages: 0, done: page.done, restarted, behind, ahead: nothing };
  }
  const next = async (): Promise<ReadPage> => readPage(feed, seq, batchSize, await feed.serverId());
  // What fails here is asked again by the next call, which then fails with it.
  const coming = page.done ? nothing : next().catch(() => null);
  const ids = instancesOf(page);
  const rest = { instances: ids.length, done: page.done, restarted, behind: false, ahead: coming };
  try {
    const read = await batch;
    if (read.status === 'rejected') throw read.reason;
    const newImages = await deps.transaction(async (tx) => {
      const now = deps.now();
      const added = await deps.take(tx, read.value, now);
      await tx.saveCursor(serverId, seq, now);
      return added;
    });
    return { ...rest, newImages };
  } catch (error) {
    if (error instanceof Failure && error.kind !== 'permanent' && error.code !== 'orthanc-answer') throw error;
  }
  const newImages = await deps.takeApart(ids);
  await deps.transaction((tx) => tx.saveCursor(serverId, seq, deps.now()));
  return { ...rest, newImages };
}
