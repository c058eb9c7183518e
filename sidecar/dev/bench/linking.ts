import type { Knex } from 'knex';
import type { Orthanc } from '../../images/io/orthanc.ts';
import type { DicomBatch } from '../../images/rules/dicom.ts';
import { followUntilStopped } from '../../images/feed.ts';
import type { Operations } from '../../app/operations.ts';
import { SILENT } from './world.ts';

export interface Linking {
  readonly db: Knex;
  readonly orthanc: Orthanc;
  readonly operations: Operations;
}

const followed = (
  { db, orthanc, operations: { transaction, take } }: Linking,
  stop: AbortSignal,
  onRead: () => void,
): Promise<void> =>
  followUntilStopped(
    { db, orthanc, transaction, take, now: () => new Date(), random: () => 0.5, log: SILENT },
    {
      stop,
      batchSize: 1000,
      waitMs: 1000,
      onRead,
      onOverlooked: () => undefined,
      onBehind: () => undefined,
      onFailed: (reason) => {
        throw new Error(reason);
      },
    },
  );

/** Follows the feed as the sidecar does until it is read to its end, everything in it committed. */
export async function linkToEnd(parts: Linking): Promise<void> {
  const end = new AbortController();
  await followed(parts, end.signal, () => {
    end.abort();
  });
}

/**
 * Links as the sidecar does while `work` runs, and on until `missing` says that nothing is. Gives for each of Orthanc's
 * ids when its row was committed (milliseconds since 1970).
 */
export async function linkWhile<T>(
  parts: Linking,
  work: () => Promise<T>,
  missing: (result: T, committedAt: ReadonlyMap<string, number>) => boolean,
): Promise<{ result: T; committedAt: ReadonlyMap<string, number> }> {
  const committedAt = new Map<string, number>();
  const { operations } = parts;
  const told: Operations = {
    ...operations,
    transaction: async (inside) => {
      let ids: string[] = [];
      const result = await operations.transaction(async (tx) => {
        taken = (batch) => {
          ids = batch.instances.map(({ orthancId }) => orthancId);
        };
        return inside(tx);
      });
      const now = Date.now();
      for (const id of ids) if (!committedAt.has(id)) committedAt.set(id, now);
      return result;
    },
    take: (tx, batch, at) => {
      taken(batch);
      return operations.take(tx, batch, at);
    },
  };
  let taken = (_batch: DicomBatch): void => undefined;
  const end = new AbortController();
  const outcome = Promise.withResolvers<T>();
  let done: { result: T } | undefined;
  const following = followed({ ...parts, operations: told }, end.signal, () => {
    if (done !== undefined && !missing(done.result, committedAt)) end.abort();
  });
  work().then((result) => {
    done = { result };
    outcome.resolve(result);
  }, outcome.reject);
  try {
    const result = await outcome.promise;
    await following;
    return { result, committedAt };
  } finally {
    end.abort();
  }
}
