export interface ExportAuditDeps<Row extends { readonly id: number }> {
  /** The id of the last row that was sent; 0 before the first. */
  readonly readCursor: () => Promise<number>;
  readonly saveCursor: (id: number, now: Date) => Promise<void>;
  /** Rows after the one of that id, in the order of ids; a row that is there is never preceded by one that comes later. */
  readonly read: (after: number, limit: number) => Promise<readonly Row[]>;
  /** Sends them in that order; rejects unless all were taken as far as anybody can know. */
  readonly send: (rows: readonly Row[]) => Promise<void>;
  readonly now: () => Date;
}

/** As many go at once, and may come twice when a connection breaks off. */
const BATCH = 200;

/**
 * Sends what the audit log has gained since the last time, every row at least once and in order: the cursor moves only
 * after a batch was taken. A server that was about to go away may have taken the batch before and lost it, which nobody
 * is told: when it cannot be reached, that one is sent again too. Gives a function that takes one step: `again` when there
 * is more.
 */
export function createAuditExport<Row extends { readonly id: number }>(
  deps: ExportAuditDeps<Row>,
): () => Promise<'again' | 'wait'> {
  let beforeLast: number | undefined;
  return async () => {
    const cursor = await deps.readCursor();
    const rows = await deps.read(cursor, BATCH);
    const last = rows.at(-1);
    if (last === undefined) return 'wait';
    // The row is made before anything is sent: what was not sent is not forgotten.
    if (beforeLast === undefined) await deps.saveCursor(cursor, deps.now());
    try {
      await deps.send(rows);
    } catch (error) {
      if (beforeLast !== undefined && beforeLast < cursor) await deps.saveCursor(beforeLast, deps.now());
      beforeLast = Math.min(cursor, beforeLast ?? cursor);
      throw error;
    }
    await deps.saveCursor(last.id, deps.now());
    beforeLast = cursor;
    return 'again';
  };
}
