import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import type { Orthanc } from './io/orthanc.ts';
import { checkLabels } from '../linking/flows/check-labels.ts';
import { labelChecks } from '../linking/label-checks.ts';
import { failureStatements, sweepStatements } from './io/sweep-rows.ts';
import { asFailure } from '../platform/rules/failure.ts';
import { sweep, type SweepDeps } from './flows/sweep.ts';
import { removeDeleted, type RemoveDeps, type RemoveTx } from './flows/remove-deleted.ts';
import type { Log } from '../platform/log.ts';
import type { LinkingTx } from '../linking/linking.ts';
import type { Taking } from './taking.ts';
import { loop, warning } from '../platform/loop.ts';

const PAGE = 500;
const PAUSE_MS = 100;

type SweepTx = RemoveTx & Pick<LinkingTx, 'addLabelJobs'>;

export interface SweepParts<Tx extends RemoveTx> extends Pick<Taking<Tx>, 'transaction'> {
  readonly db: Knex;
  readonly orthanc: Orthanc;
  /** Takes what it can of these instances and sets the others aside. */
  readonly takeApart: (orthancIds: readonly string[]) => Promise<number>;
  readonly removal: RemoveDeps<Tx>;
  /** Makes the jobs again that should be there and are not; gives how many. */
  readonly requeueUnfinished: () => Promise<number>;
  readonly now: () => Date;
  readonly random: () => number;
  readonly log: Log;
  readonly stop: AbortSignal;
  readonly maxLossPercent: number;
}

function sweepDeps<Tx extends SweepTx>(parts: SweepParts<Tx>): SweepDeps {
  const { db, orthanc, transaction, takeApart, removal, requeueUnfinished, stop, maxLossPercent } = parts;
  return {
    ...sweepStatements(db),
    orthanc,
    take: takeApart,
    removeDeleted: (orthancIds) => removeDeleted(removal, orthancIds),
    checkLabels: (dicomStudyIds) =>
      checkLabels(labelChecks({ db, transaction, labels: orthanc.labels }), dicomStudyIds),
    requeueUnfinished,
    pause: () => sleep(PAUSE_MS, undefined, { signal: stop }).catch(() => undefined),
    stop,
    pageSize: PAGE,
    maxLossPercent,
  };
}

/**
 * Sweeps at once and then every `intervalMs`, and when it is `wanted`, one sweep after the other, until stopped. What a
 * person must see of a sweep is in `failures` until the next good one.
 */
export async function sweepUntilStopped<Tx extends SweepTx>(
  parts: SweepParts<Tx>,
  intervalMs: number,
  wanted: () => AbortSignal,
): Promise<void> {
  const { db, now, random, log, stop } = parts;
  const [deps, failures] = [sweepDeps(parts), failureStatements(db)];
  const step = async (): Promise<'wait'> => {
    try {
      log.info(await sweep(deps), 'swept');
      await failures.clear('sweep', ['orthanc']);
    } catch (error) {
      const failure = asFailure(error);
      if (failure.code !== 'orthanc-lost-most') throw failure;
      await failures.save('sweep', 'orthanc', failure, now());
      log.error({ code: failure.code }, failure.message);
    }
    return 'wait';
  };
  await loop(step, {
    stop,
    waitMs: intervalMs,
    random,
    wanted,
    onFailure: warning(log, 'the sweep failed and is tried again'),
  });
}
