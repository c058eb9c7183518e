import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import { retentionStatements } from './io/retention-rows.ts';
import { forgetOld } from './flows/forget-old.ts';
import { limitedKinds, type RetentionDays } from './rules/retained.ts';
import type { Log } from '../platform/log.ts';
import { loop, warning } from '../platform/loop.ts';

const DAY_MS = 86_400_000;
const PAUSE_MS = 100;

/** At once and then every day lets go of what the settings say is old enough, until stopped; nothing where none says so. */
export async function forgetUntilStopped(
  parts: { readonly db: Knex; readonly now: () => Date; readonly random: () => number; readonly log: Log },
  settings: RetentionDays,
  stop: AbortSignal,
): Promise<void> {
  const { db, now, random, log } = parts;
  if (limitedKinds(settings).length === 0) return;
  const pause = (): Promise<void> => sleep(PAUSE_MS, undefined, { signal: stop }).catch(() => undefined);
  const forget = retentionStatements(db);
  const step = async (): Promise<'wait'> => {
    log.info(await forgetOld({ forget, now, pause, stop }, settings), 'let go of what is old');
    return 'wait';
  };
  await loop(step, {
    stop,
    waitMs: DAY_MS,
    random,
    onFailure: warning(log, 'what is old could not be let go of and will be'),
  });
}
