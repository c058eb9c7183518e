import { limitedKinds, type RetainedKind, type RetentionDays } from '../rules/retained.ts';

export interface Batch {
  /** How many went. */
  readonly count: number;
  /** Behind which the next batch begins; `null` where there is none. */
  readonly next: string | null;
}

/** Lets go of at most `limit` of one kind that are older than `before`, behind `after` where that is not `null`. */
export type ForgetBatch = (
  before: Date,
  batch: { readonly after: string | null; readonly limit: number; readonly now: Date },
) => Promise<Batch>;

export interface ForgetOldDeps {
  readonly forget: Readonly<Record<RetainedKind, ForgetBatch>>;
  readonly now: () => Date;
  /** Lets others go first for a while; ends at once on a stop. */
  readonly pause: () => Promise<void>;
  readonly stop: AbortSignal;
}

/** How many of each kind went. */
export type Forgotten = Readonly<Record<RetainedKind, number>>;

const BATCH = 500;
const DAY_MS = 86_400_000;

/**
 * Lets go of what the settings say is old enough, one kind after the other, batch by batch. Idempotent; ends between two
 * batches when it is stopped.
 */
export async function forgetOld(deps: ForgetOldDeps, settings: RetentionDays): Promise<Forgotten> {
  const now = deps.now();
  const forgotten = { messages: 0, auditRows: 0, blobs: 0 };
  for (const { kind, days } of limitedKinds(settings)) {
    const before = new Date(now.getTime() - days * DAY_MS);
    let after: string | null = null;
    let isMore = true;
    while (isMore && !deps.stop.aborted) {
      const batch: Batch = await deps.forget[kind](before, { after, limit: BATCH, now });
      forgotten[kind] += batch.count;
      after = batch.next;
      isMore = after !== null;
      await deps.pause();
    }
  }
  return forgotten;
}
