import { setTimeout as sleep } from 'node:timers/promises';
import { hostname } from 'node:os';
import type { Knex } from 'knex';
import { appendAudit, readAudit, readAuditCursor, saveAuditCursor } from './io/rows.ts';
import { createSyslog } from './io/syslog.ts';
import type { AuditSettings } from './settings.ts';
import { syslogMessage } from './rules/dicom-message.ts';
import type { AuditEntry } from './rules/entry.ts';
import { asFailure, Failure, retryDelayMs } from '../platform/rules/failure.ts';
import { createRefusalCounts, type CountedRefusal, type Refusal } from './rules/refusal-counts.ts';
import { createAuditExport } from './flows/export.ts';
import type { Log } from '../platform/log.ts';
import { settledWithin } from '../platform/time-limit.ts';
import { loop, warning } from '../platform/loop.ts';

const MAX_KEPT = 10_000;
const BATCH = 100;
/** How long whoever acts waits for the row. */
const PATIENCE_MS = 2_000;
const REFUSALS = { windowMs: 60_000, maxSources: 100 };
const LOOK_AT_REFUSALS_MS = 5_000;
/** How long an entry may wait before it counts as one that cannot be written. */
const LATE_MS = 5_000;
const CLOSE_PATIENCE_MS = 2_000;

const EXPORT_WAIT_MS = 1_000;
const SYSLOG_TIMEOUT_MS = 15_000;

export interface AuditTrail extends AsyncDisposable {
  /**
   * Writes the entries. Resolves once they are written, or, when that takes too long, are kept to be written as soon as
   * they can be. Never rejects: it is for what has happened already, such as an image that is stored.
   */
  readonly note: (...entries: readonly AuditEntry[]) => Promise<void>;
  /** Writes that somebody was not let in, a few rows a minute at most, however often it is called. */
  readonly refused: (refusal: Refusal) => void;
  /** @throws Failure transient while not all was written, or some was lost. */
  readonly check: () => Promise<void>;
}

interface Kept {
  readonly since: number;
  readonly entry: AuditEntry;
  readonly written: () => void;
}

const refusalEntry = ({ what, from, code, count }: CountedRefusal, at: Date): AuditEntry => ({
  at,
  event: what.startsWith('hl7') ? 'hl7-refused-sender' : 'access-refused',
  who: '',
  source: from,
  what,
  outcome: 'refused',
  detail: { code, count },
});

/**
 * The audit log for what has no transaction of its own. Entries that cannot be written are kept in memory, the newest
 * are let go when there are too many, and a row says afterwards how many. Disposing of it writes `stopped`.
 */
export function startAudit(parts: {
  readonly append: (entries: readonly AuditEntry[]) => Promise<void>;
  readonly now: () => Date;
  readonly random: () => number;
  readonly log: {
    readonly warn: (fields: object, message: string) => void;
    readonly error: (fields: object, message: string) => void;
  };
}): AuditTrail {
  const { append, now, random, log } = parts;
  const queue: Kept[] = [];
  const counts = createRefusalCounts(REFUSALS);
  const stop = new AbortController();
  let [lost, failures] = [0, 0];
  let pumping: Promise<void> | undefined;
  const own = (event: 'started' | 'stopped' | 'audit-lost', detail = {}): AuditEntry => ({
    at: now(),
    event,
    who: 'sidecar',
    source: hostname(),
    what: 'sidecar',
    outcome: event === 'audit-lost' ? 'failed' : 'ok',
    detail,
  });

  const done = (count: number): void => {
    for (const { written } of queue.splice(0, count)) written();
  };
  /** One try; gives whether to wait before the next. */
  const write = async (size: number): Promise<boolean> => {
    const batch = queue.slice(0, size);
    try {
      await append(batch.map(({ entry }) => entry));
      failures = 0;
      done(batch.length);
      if (lost === 0) return false;
      const entries = lost;
      await append([own('audit-lost', { entries })]);
      lost -= entries;
      return false;
    } catch (error) {
      const { kind, code } = asFailure(error);
      if (kind !== 'permanent' || batch.length === 0) {
        failures += 1;
        if (failures === 1) log.warn({ code, waiting: queue.length }, 'the audit log cannot be written and will be');
        return true;
      }
      if (batch.length > 1) return write(1);
      log.error({ code, event: batch[0]?.entry.event }, 'an entry of the audit log can never be written');
      lost += 1;
      done(1);
      return false;
    }
  };
  /** Gives whether it gave up what is left, since it was to stop. */
  const pump = async (): Promise<boolean> => {
    while (queue.length > 0 || lost > 0) {
      if (!(await write(BATCH))) continue;
      if (stop.signal.aborted) return true;
      await sleep(retryDelayMs(failures, random()), undefined, { signal: stop.signal }).catch(() => undefined);
    }
    return false;
  };
  const begin = (): void => {
    pumping ??= pump().then((gaveUp) => {
      pumping = undefined;
      // One that was added after its last look.
      if (queue.length > 0 && !gaveUp) begin();
    });
  };
  const add = (entry: AuditEntry): Promise<void> => {
    if (queue.length >= MAX_KEPT) {
      lost += 1;
      return Promise.resolve();
    }
    const { promise, resolve } = Promise.withResolvers<undefined>();
    queue.push({
      since: now().getTime(),
      entry,
      written: () => {
        resolve(undefined);
      },
    });
    begin();
    return promise;
  };
  const tellDue = (all = false): Promise<unknown> =>
    Promise.all(counts.due(now(), all).map((counted) => add(refusalEntry(counted, now()))));
  const looking = setInterval(() => {
    void tellDue();
  }, LOOK_AT_REFUSALS_MS).unref();

  void add(own('started'));
  return {
    note: (...entries) => settledWithin(Promise.all(entries.map(add)), PATIENCE_MS),
    refused(refusal) {
      const at = now();
      const counted = counts.take(refusal, at);
      if (counted !== null) void add(refusalEntry(counted, at));
    },
    check() {
      const late = now().getTime() - (queue[0]?.since ?? Infinity) > LATE_MS;
      if (lost === 0 && failures === 0 && !late) return Promise.resolve();
      const text = `${queue.length} entries cannot be written and are kept, ${lost} were lost`;
      return Promise.reject(new Failure('transient', 'audit', text));
    },
    async [Symbol.asyncDispose]() {
      clearInterval(looking);
      stop.abort();
      await settledWithin(Promise.all([tellDue(true), add(own('stopped'))]), CLOSE_PATIENCE_MS);
      if (queue.length > 0) log.error({ entries: queue.length }, 'entries of the audit log were not written');
    },
  };
}

/** The audit log in the database, with what this process has to say. */
export const startAuditTrail = (db: Knex, parts: Omit<Parameters<typeof startAudit>[0], 'append'>): AuditTrail =>
  startAudit({ ...parts, append: (entries) => appendAudit(db, entries) });

/** Sends the audit log to the syslog server, where one is set, until `over`. */
export async function exportAudit(
  parts: { readonly db: Knex; readonly now: () => Date; readonly random: () => number; readonly log: Log },
  target: AuditSettings,
  over: AbortSignal,
): Promise<void> {
  const { db, now, random, log } = parts;
  if (target.AUDIT_SYSLOG === undefined) return;
  const syslog = createSyslog({
    ...target.AUDIT_SYSLOG,
    ca: target.AUDIT_SYSLOG_CA,
    certificate: target.AUDIT_SYSLOG_CERTIFICATE,
    key: target.AUDIT_SYSLOG_KEY,
    timeoutMs: SYSLOG_TIMEOUT_MS,
  });
  const source = { application: 'axis-portal-sidecar', host: hostname(), processId: String(process.pid) };
  const step = createAuditExport({
    readCursor: () => readAuditCursor(db),
    saveCursor: (id, at) => saveAuditCursor(db, id, at),
    read: (after, limit) => readAudit(db, after, limit),
    send: (rows) => syslog.send(rows.map((row) => syslogMessage(row, source))),
    now,
  });
  await loop(step, {
    stop: over,
    waitMs: EXPORT_WAIT_MS,
    random,
    onFailure: warning(log, 'the audit log could not be sent and will be'),
  });
}
