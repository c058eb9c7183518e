import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import { checkLabels, type CheckLabelsDeps } from './flows/check-labels.ts';
import { loadLabelFacts, recentStudies } from './io/label-rows.ts';
import type { LinkingTx } from './linking.ts';
import { asFailure } from '../platform/rules/failure.ts';
import type { Log } from '../platform/log.ts';
import { loop } from '../platform/loop.ts';

/** Of studies that were seen or decided lately so many are looked at each time; of all others the sweep looks. */
const RECENT = 500;

export interface LabelCheckParts<Tx> {
  readonly db: Knex;
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  readonly labels: CheckLabelsDeps['labels'];
}

export const labelChecks = <Tx extends Pick<LinkingTx, 'addLabelJobs'>>(
  parts: LabelCheckParts<Tx>,
): CheckLabelsDeps => ({
  labelFacts: (dicomStudyIds) => loadLabelFacts(parts.db, dicomStudyIds),
  labels: parts.labels,
  addLabelJobs: (dicomStudyIds) => parts.transaction((tx) => tx.addLabelJobs(dicomStudyIds, [])),
});

/** Has the labels of what was lately seen or decided made right every `waitMs`, until stopped. */
export async function checkLabelsUntilStopped<Tx extends Pick<LinkingTx, 'addLabelJobs'>>(
  parts: LabelCheckParts<Tx> & { readonly random: () => number; readonly log: Log },
  waitMs: number,
  stop: AbortSignal,
): Promise<void> {
  const { db, random, log } = parts;
  // At the start the sweep looks.
  await sleep(waitMs, undefined, { signal: stop }).catch(() => undefined);
  const step = async (): Promise<'wait'> => {
    const relabelled = await checkLabels(labelChecks(parts), await recentStudies(db, RECENT));
    if (relabelled > 0) log.info({ relabelled }, 'labels that somebody changed are put right');
    return 'wait';
  };
  await loop(step, {
    stop,
    waitMs,
    random,
    onFailure: (error, times) => {
      const { code, kind } = asFailure(error);
      log.warn({ code, kind, times }, 'labels could not be looked at and will be');
    },
  });
}
