import type { AuditSettings } from '../audit/settings.ts';
import { exportAudit } from '../audit/trail.ts';
import { followUntilStopped, takeApart, type FollowParts } from '../images/feed.ts';
import { checkLabelsUntilStopped } from '../linking/label-checks.ts';
import { loop, warning } from '../platform/loop.ts';
import { forgetUntilStopped } from '../backup/retention.ts';
import type { RetentionDays } from '../backup/rules/retained.ts';
import { sweepUntilStopped, type SweepParts } from '../images/sweeping.ts';
import { releaseJobsOfDead } from '../platform/postgres/job-rows.ts';
import type { Tx } from './transaction.ts';

/** A killed process's jobs are run by another one after this at the latest. */
const RELEASE_EVERY_MS = 5_000;

interface LeadParts extends FollowParts<Tx>, Pick<SweepParts<Tx>, 'removal' | 'requeueUnfinished' | 'maxLossPercent'> {
  /** Lists those links of persons that are contested and were made before both sides were kept. */
  readonly recheckPersonLinks: () => Promise<number>;
}

async function keepJobs(
  { db, requeueUnfinished, recheckPersonLinks, random, log }: LeadParts,
  stop: AbortSignal,
): Promise<void> {
  let requeued: number | undefined;
  const step = async (): Promise<'wait'> => {
    const released = await releaseJobsOfDead(db);
    if (released > 0) log.warn({ processes: released }, 'jobs of a process that is gone are handed back');
    if (requeued === undefined) {
      await recheckPersonLinks();
      requeued = await requeueUnfinished();
      if (requeued > 0) log.info({ requeued }, 'unfinished jobs taken up again');
    }
    return 'wait';
  };
  await loop(step, {
    stop,
    waitMs: RELEASE_EVERY_MS,
    random,
    onFailure: warning(log, 'the jobs could not be looked after and will be'),
  });
}

/**
 * What one process does for all of them until `over`: follows the feed, sweeps, sends the audit log, hands back the jobs
 * of processes that died, and lets go of what is old. The first sweep waits until the feed was read to its end: what is
 * new is the feed's.
 */
export async function lead(
  parts: LeadParts,
  over: AbortSignal,
  options: {
    readonly batchSize: number;
    readonly waitMs: number;
    readonly sweepIntervalMs: number;
    readonly labelCheckMs: number;
    readonly retain: RetentionDays;
    /** The feed can never be followed. */
    readonly onFailed: (reason: string) => void;
    readonly onBehind: (isBehind: boolean) => void;
    /** Where the audit log is sent. */
    readonly audit: AuditSettings;
  },
): Promise<void> {
  const readOnce = Promise.withResolvers<undefined>();
  const give = (): void => {
    readOnce.resolve(undefined);
  };
  over.addEventListener('abort', give, { once: true });
  let another = new AbortController();
  const wanted = (): AbortSignal => {
    if (another.signal.aborted) another = new AbortController();
    return another.signal;
  };
  const onOverlooked = (): void => {
    another.abort();
  };
  const sweeps = {
    ...parts,
    takeApart: (orthancIds: readonly string[]) => takeApart(parts, orthancIds),
    stop: over,
  };
  await Promise.all([
    followUntilStopped(parts, { ...options, stop: over, onRead: give, onOverlooked }),
    readOnce.promise.then(() => sweepUntilStopped(sweeps, options.sweepIntervalMs, wanted)),
    keepJobs(parts, over),
    forgetUntilStopped(parts, options.retain, over),
    exportAudit(parts, options.audit, over),
    checkLabelsUntilStopped({ ...parts, labels: parts.orthanc.labels }, options.labelCheckMs, over),
  ]);
}
