import type { Knex } from 'knex';
import type { Orthanc } from '../images/io/orthanc.ts';
import { pingDatabase } from '../platform/postgres/database.ts';
import { feedReadAt } from '../images/io/feed-rows.ts';
import type { MonitoringSettings } from './settings.ts';
import { asFailure, Failure } from '../platform/rules/failure.ts';
import { within } from '../platform/time-limit.ts';

const CHECK_TIMEOUT_MS = 2_000;

async function checked(name: string, check: () => Promise<unknown>): Promise<PartReadiness> {
  try {
    await within(check(), CHECK_TIMEOUT_MS);
    return { name, ok: true };
  } catch (error) {
    return { name, ok: false, detail: asFailure(error).message };
  }
}

/**
 * Asks every part whether it works, all at once, each within two seconds. The feed counts as read by whichever process
 * follows it, and from this one's start on.
 */
export function createReadiness(parts: {
  readonly config: Pick<MonitoringSettings, 'FEED_MAX_LAG_SECONDS'>;
  readonly db: Knex;
  readonly orthanc: Pick<Orthanc, 'system'>;
  readonly blobs: { readonly ping: () => Promise<unknown> };
  readonly hl7: { readonly listening: boolean };
  readonly audit: { readonly check: () => Promise<unknown> };
  readonly now: () => Date;
}): () => Promise<PartReadiness[]> {
  const { config, db, orthanc, blobs, hl7, audit, now } = parts;
  const startedAt = now().getTime();
  return () =>
    Promise.all([
      checked('orthanc', () => orthanc.system()),
      checked('postgres', () => pingDatabase(db)),
      checked('audit', () => audit.check()),
      checked('blob', () => blobs.ping()),
      checked('hl7', () =>
        hl7.listening ? Promise.resolve() : Promise.reject(new Failure('permanent', 'closed', 'not listening')),
      ),
      checked('feed', async () => {
        const readAt = Math.max(startedAt, (await feedReadAt(db))?.getTime() ?? 0);
        const lagSeconds = Math.round((now().getTime() - readAt) / 1000);
        if (lagSeconds <= config.FEED_MAX_LAG_SECONDS) return;
        throw new Failure('transient', 'feed-lag', `not read to its end for ${lagSeconds} s`);
      }),
    ]);
}

/** Whether one part works; `detail` is for an operator, without secrets. */
export interface PartReadiness {
  readonly name: string;
  readonly ok: boolean;
  readonly detail?: string;
}
