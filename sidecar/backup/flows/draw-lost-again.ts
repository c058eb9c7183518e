export interface DrawLostAgainDeps {
  /** The Orthanc ids that Blob storage has something of, in ascending order, page by page. */
  readonly kept: AsyncIterable<readonly string[]>;
  /**
   * Has the first `limit` images behind `after` and up to `upTo` (`null`: all behind it) that count as mirrored and are
   * not among `kept` mirrored again; gives how many.
   */
  readonly drawAgain: (
    range: { readonly after: string; readonly upTo: string | null },
    kept: readonly string[],
    limit: number,
  ) => Promise<number>;
}

const AT_ONCE = 5000;

/**
 * Has the images mirrored again of which Blob storage lost what the database believes it has; gives how many. An order
 * of `kept` that is not ascending costs needless drawing, nothing else.
 */
export async function drawLostAgain({ kept, drawAgain }: DrawLostAgainDeps, atOnce = AT_ONCE): Promise<number> {
  let [after, total] = ['', 0];
  const upTo = async (last: string | null, ids: readonly string[]): Promise<void> => {
    for (let count = atOnce; count === atOnce; total += count) {
      count = await drawAgain({ after, upTo: last }, ids, atOnce);
    }
  };
  for await (const ids of kept) {
    const last = ids.at(-1);
    if (last === undefined) continue;
    await upTo(last, ids);
    after = last;
  }
  await upTo(null, []);
  return total;
}
