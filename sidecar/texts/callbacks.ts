import type { Knex } from 'knex';
import { STATUS_PATH, type SmsCallbackOptions } from './io/http-callbacks.ts';
import { keepReceipt } from './io/receipt-rows.ts';
import type { Log } from '../platform/log.ts';
import { patiently } from '../platform/loop.ts';
import type { OptChoice } from './rules/opt-out.ts';
import type { TextCallbacks } from './rules/vendor.ts';

/** Twilio waits 15 s for an answer, and a vendor says most things once only. */
const PATIENCE_MS = 8_000;
const BODY_TIMEOUT_MS = 10_000;

/** Where the vendor is to post what becomes of a text; `undefined` where it cannot reach this server. */
export function statusCallback(publicUrl: string | undefined): string | undefined {
  return publicUrl === undefined ? undefined : `${publicUrl}${STATUS_PATH}`;
}

/**
 * What takes the vendor's callbacks, trying for some seconds where the database is away. `undefined`, and a line in the
 * log, where PUBLIC_URL is not set or the vendor's cannot be told from a stranger's: the routes are then not there.
 */
export function smsCallbacks(parts: {
  readonly publicUrl: string | undefined;
  readonly callbacks: TextCallbacks | null;
  readonly db: Knex;
  readonly recordOptChoice: (choice: OptChoice) => Promise<void>;
  readonly now: () => Date;
  readonly random: () => number;
  readonly onRefused: SmsCallbackOptions['onRefused'];
  readonly log: Pick<Log, 'warn'>;
}): SmsCallbackOptions | undefined {
  const { publicUrl, callbacks, db, now, random, onRefused, log } = parts;
  if (callbacks === null) {
    log.warn(
      "the vendor's callbacks are closed: nothing shows who posts them, so neither receipts nor STOP are recorded",
    );
    return undefined;
  }
  const { vendor } = callbacks;
  if (publicUrl === undefined) {
    log.warn(`${vendor}'s callbacks are closed: PUBLIC_URL is not set, so neither receipts nor STOP are recorded`);
    return undefined;
  }
  const kept = (keep: () => Promise<void>): Promise<void> =>
    patiently(keep, {
      limitMs: PATIENCE_MS,
      now,
      random,
      onFailure: (code) => {
        log.warn({ code }, `a callback of ${vendor} waits for the database`);
      },
    });
  return {
    publicUrl,
    callbacks,
    bodyTimeoutMs: BODY_TIMEOUT_MS,
    keepReceipt: (receipt) => kept(() => keepReceipt(db, receipt, now())),
    recordOptChoice: (choice) => kept(() => parts.recordOptChoice(choice)),
    onRefused,
    log,
  };
}
