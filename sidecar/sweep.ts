import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import type { Orthanc } from './adapters/orthanc.ts';
import { requeueUnfinished } from './adapters/postgres/jobs.ts';
import { loadLabelFacts } from './adapters/postgres/labels.ts';
import { failureStatements, sweepStatements } from './adapters/postgres/sweep.ts';
import type { Tx } from './adapters/postgres/transaction.ts';
import { asFailure } from './core/failure.ts';
import { reconcile, type ReconcileDeps } from './flows/reconcile.ts';
import { removeDeleted, type RemoveDeps } from './flows/remove-deleted.ts';
import type { Log } from './log.ts';
import { loop } from './loop.ts';
import type { Operations } from './operations.ts';

const PAGE = 500;
const PAUSE_MS = 100;

export interface SweepParts {
  readonly db: Knex;
  readonly orthanc: Orthanc;
  readonly operations: Operations;
  /** Takes what it can of these instances and sets the others aside. */
  readonly takeApart: (orthancIds: readonly string[]) => Promise<number>;
  readonly removal: RemoveDeps<Tx>;
  readonly now: () => Date;
  readonly random: () => number;
  readonly log: Log;
  readonly stop: AbortSignal;
  readonly maxLossPercent: number;
}

function sweepDeps({ db, orthanc, operations, takeApart, removal, stop, maxLossPercent }: SweepParts): ReconcileDeps {
  return {
    ...sweepStatements(db),
    orthanc,
    take: takeApart,
    removeDeleted: (orthancIds) => removeDeleted(removal, orthancIds),
    labelFacts: (dicomStudyIds) => loadLabelFacts(db, dicomStudyIds),
    addLabelJobs: (dicomStudyIds) => operations.transaction((tx) => tx.addLabelJobs(dicomStudyIds, [])),
    requeueUnfinished: () => requeueUnfinished(db),
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
export async function sweepUntilStopped(
  parts: SweepParts,
  intervalMs: number,
  wanted: () => AbortSignal,
): Promise<void> {
  const { db, now, random, log, stop } = parts;
  const [deps, failures] = [sweepDeps(parts), failureStatements(db)];
  const sweep = async (): Promise<'wait'> => {
    try {
      log.info(await reconcile(deps), 'swept');
      await failures.clear('sweep', ['orthanc']);
    } catch (error) {
      const failure = asFailure(error);
      if (failure.code !== 'orthanc-lost-most') throw failure;
      await failures.save('sweep', 'orthanc', failure, now());
      log.error({ code: failure.code }, failure.message);
    }
    return 'wait';
  };
  await loop(sweep, {
    stop,
    waitMs: intervalMs,
    random,
    wanted,
    onFailure: (error, times) => {
      const { code, kind } = asFailure(error);
      log.warn({ code, kind, times }, 'the sweep failed and is tried again');
    },
  });
}
