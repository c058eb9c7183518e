import type { Knex } from 'knex';
import type { Orthanc } from './io/orthanc.ts';
import { markFeedRead, readCursor } from './io/feed-rows.ts';
import { failureStatements } from './io/sweep-rows.ts';
import { asFailure } from '../platform/rules/failure.ts';
import { followChanges, type FeedTx, type ReadPage } from './flows/follow.ts';
import { takeInstances } from './flows/take-apart.ts';
import type { Log } from '../platform/log.ts';
import type { Taking } from './taking.ts';
import { loop, warning } from '../platform/loop.ts';

/** How often in a row the feed must end before the cursor until that is believed. */
const BELIEVED_AFTER = 3;

export interface FollowParts<Tx> extends Pick<Taking<Tx>, 'transaction' | 'take'> {
  readonly db: Knex;
  readonly orthanc: Orthanc;
  readonly now: () => Date;
  readonly random: () => number;
  readonly log: Log;
}

/** Takes what it can of these instances; the others wait in `failures` for a person, and for the next sweep. */
export function takeApart<Tx>(
  { db, orthanc, transaction, take, now, log }: FollowParts<Tx>,
  orthancIds: readonly string[],
): Promise<number> {
  const failures = failureStatements(db);
  return takeInstances(
    {
      read: (ids) => orthanc.readInstances(ids),
      take: (batch) => transaction((tx) => take(tx, batch, now())),
      setAside: async (orthancId, failure) => {
        await failures.save('feed', orthancId, failure, now());
        log.error({ orthancId, code: failure.code }, 'an instance could not be taken and is set aside');
      },
      clear: (taken) => failures.clear('feed', taken),
    },
    orthancIds,
  );
}

/** On a quiet night the row is not written at every poll. */
const TELL_READ_MS = 5_000;

/** Follows Orthanc's feed until stopped; `onRead` each time it was read to its end, which is told in the database too. */
export async function followUntilStopped<Tx extends FeedTx>(
  parts: FollowParts<Tx>,
  options: {
    readonly stop: AbortSignal;
    readonly batchSize: number;
    readonly waitMs: number;
    readonly onRead: () => void;
    /** Images may have been overlooked that a sweep would find. */
    readonly onOverlooked: () => void;
    /** Whether there is more of it than was read; not while it cannot be read. */
    readonly onBehind: (isBehind: boolean) => void;
    /** It can never be followed. */
    readonly onFailed: (reason: string) => void;
  },
): Promise<void> {
  const { db, orthanc, transaction, take, now, random, log } = parts;
  let [timesBehind, toldReadAt] = [0, 0];
  let readAhead: Promise<ReadPage | null> = Promise.resolve(null);
  const step = async (): Promise<'again' | 'soon' | 'wait'> => {
    const ahead = await readAhead;
    readAhead = Promise.resolve(null);
    const deps = {
      feed: { ...orthanc, serverId: async () => (await orthanc.system()).serverId },
      readCursor: () => readCursor(db),
      transaction,
      take,
      takeApart: (orthancIds: readonly string[]) => takeApart(parts, orthancIds),
      believesEnd: timesBehind >= BELIEVED_AFTER,
      onOverlooked: () => {
        log.warn(
          'the feed ended before its cursor (newest deleted, or Orthanc restored): followed from its end, and swept',
        );
        options.onOverlooked();
      },
      batchSize: options.batchSize,
      now,
    };
    const { instances, newImages, done, restarted, behind, ...next } = await followChanges(deps, ahead);
    readAhead = next.ahead;
    timesBehind = behind ? timesBehind + 1 : 0;
    options.onBehind(!done);
    if (restarted) log.warn('another Orthanc database than before: its feed is read from the start');
    if (instances > 0) log.info({ instances, newImages }, 'feed followed');
    if (!done) return 'again';
    const readAt = now();
    if (instances > 0 || readAt.getTime() - toldReadAt >= TELL_READ_MS) {
      await markFeedRead(db, readAt);
      toldReadAt = readAt.getTime();
    }
    options.onRead();
    // Of what was just sent more is on its way.
    return instances > 0 ? 'soon' : 'wait';
  };
  const warn = warning(log, 'the feed could not be followed and is tried again');
  await loop(step, {
    stop: options.stop,
    waitMs: options.waitMs,
    random,
    onFailure: (error, times) => {
      options.onBehind(false);
      warn(error, times);
      const { code, message } = asFailure(error);
      if (code === 'orthanc-too-old') options.onFailed(message);
    },
  });
  options.onBehind(false);
}
