export interface Retention {
  /** Each in days; 0: for ever. */
  readonly hl7Days: number;
  readonly auditDays: number;
  readonly blobDays: number;
}

export interface ForgetOldDeps {
  /** Empties the text of at most `limit` applied messages received before then, the oldest first; gives how many. */
  readonly forgetMessages: (before: Date, limit: number, now: Date) => Promise<number>;
  /** Gives how many rows of the audit log went; `null` where there is no audit log. */
  readonly forgetAudit: (before: Date) => Promise<number | null>;
  /**
   * Has the blobs removed of at most `limit` images that were deleted before then, of rows behind the one of id `after`;
   * gives the ids of these rows, in their order.
   */
  readonly removeBlobs: (before: Date, after: string, limit: number) => Promise<readonly string[]>;
  readonly now: () => Date;
  /** Lets others go first for a while; ends at once on a stop. */
  readonly pause: () => Promise<void>;
  readonly stop: AbortSignal;
}

export interface Forgotten {
  readonly messages: number;
  readonly auditRows: number;
  readonly blobs: number;
}

const BATCH = 500;
const DAY_MS = 86_400_000;

/**
 * Lets go of what the settings say is old enough, batch by batch: the text of HL7 messages (their rows stay, so that one
 * that comes again is still known), rows of the audit log, and blobs of images that are deleted. Idempotent; ends between
 * two batches when it is stopped.
 */
export async function forgetOld(deps: ForgetOldDeps, retention: Retention): Promise<Forgotten> {
  const now = deps.now();
  const before = (days: number): Date => new Date(now.getTime() - days * DAY_MS);
  let [messages, auditRows, blobs] = [0, 0, 0];
  for (let more = retention.hl7Days > 0; more && !deps.stop.aborted;) {
    const emptied = await deps.forgetMessages(before(retention.hl7Days), BATCH, now);
    messages += emptied;
    more = emptied === BATCH;
    await deps.pause();
  }
  if (retention.auditDays > 0) auditRows = (await deps.forgetAudit(before(retention.auditDays))) ?? 0;
  let after = '0';
  for (let more = retention.blobDays > 0; more && !deps.stop.aborted;) {
    const ids = await deps.removeBlobs(before(retention.blobDays), after, BATCH);
    blobs += ids.length;
    after = ids.at(-1) ?? after;
    more = ids.length === BATCH;
    await deps.pause();
  }
  return { messages, auditRows, blobs };
}
