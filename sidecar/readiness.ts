import type { Knex } from 'knex';
import type { PartReadiness } from './adapters/http.ts';
import type { Orthanc } from './adapters/orthanc.ts';
import { pingDatabase } from './adapters/postgres/database.ts';
import { feedReadAt } from './adapters/postgres/feed.ts';
import type { Config } from './config.ts';
import { asFailure, Failure } from './core/failure.ts';

const CHECK_TIMEOUT_MS = 2_000;

async function checked(name: string, check: () => Promise<unknown>): Promise<PartReadiness> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new Failure('transient', 'timeout', `no answer within ${CHECK_TIMEOUT_MS} ms`));
  }, CHECK_TIMEOUT_MS);
  try {
    await Promise.race([check(), promise]);
    return { name, ok: true };
  } catch (error) {
    return { name, ok: false, detail: asFailure(error).message };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Asks every part whether it works, all at once, each within two seconds. The feed counts as read by whichever process
 * follows it, and from this one's start on.
 */
export function createReadiness(parts: {
  readonly config: Pick<Config, 'FEED_MAX_LAG_SECONDS'>;
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
