import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { z } from 'zod';
import { asFailure, retryDelayMs } from '../rules/failure.ts';
import { postgresFailure } from './query.ts';

// First keys of advisory locks on two keys, a space of their own beside those on one (manual, 9.28.10).
export const LEADER_LOCK = 1_498_370_049;
export const JOB_HOLDER_LOCK = 1_498_370_050;

// A session's second lock of the same key would have to be let go twice: who leads does not ask again.
const BEAT = `
SELECT CASE WHEN $1 THEN true ELSE pg_try_advisory_lock(${LEADER_LOCK}, 1) END AS leads,
       (SELECT count(pg_try_advisory_lock_shared(${JOB_HOLDER_LOCK}, hashtext(name))) FROM unnest($2::text[]) AS name) AS held`;

// A process that hangs, or whose machine is gone without a word, is taken for dead by the server after this.
const SESSION_SETTINGS = `
SET idle_session_timeout = '15s'; SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
SET statement_timeout = '5s'`;

const BEAT_ROW = z.object({ rows: z.tuple([z.object({ leads: z.boolean() })]) });

export interface ReplicaOptions {
  readonly databaseUrl: string;
  /** Between two signs of life, and at most how long after the leader's end another one leads. */
  readonly beatMs: number;
  /**
   * What only one process may do: called each time this one has become the leader, with the signal that it is no longer
   * one. It leads again only once this has settled; another process does not wait for that.
   */
  readonly lead: (over: AbortSignal) => Promise<void>;
  readonly random: () => number;
  readonly log: {
    readonly info: (fields: object, message: string) => void;
    readonly warn: (fields: object, message: string) => void;
  };
}

export interface Replica extends AsyncDisposable {
  /** Ends this process's lead, and with it what only the leader does; what it vouches for stands until it is disposed of. */
  readonly standDown: () => Promise<void>;
  /** Vouches, once it settles and until this process ends, that jobs locked under this name are in work. */
  readonly vouch: (name: string) => Promise<void>;
}

/** One session: from its connection to its loss, or to the stop. */
async function session(
  options: ReplicaOptions,
  rest: (over: AbortSignal) => Promise<void>,
  names: ReadonlyMap<string, PromiseWithResolvers<undefined>>,
  leading: { readonly may: AbortSignal; term: Promise<void> },
  stop: AbortSignal,
): Promise<void> {
  const client = new pg.Client({
    connectionString: options.databaseUrl,
    application_name: 'axis-sidecar-replica',
    connectionTimeoutMillis: 5_000,
    query_timeout: 5_000,
    keepAlive: true,
  });
  const lost = new AbortController();
  client.on('error', () => {
    lost.abort();
  });
  client.on('end', () => {
    lost.abort();
  });
  const over = AbortSignal.any([stop, lost.signal]);
  let leads = false;
  const vouched = new Set<string>();
  try {
    await client.connect();
    await client.query(SESSION_SETTINGS);
    while (!over.aborted) {
      const fresh = [...names.keys()].filter((name) => !vouched.has(name));
      const { rows } = BEAT_ROW.parse(await client.query(BEAT, [leads || leading.may.aborted, fresh]));
      for (const name of fresh) {
        vouched.add(name);
        names.get(name)?.resolve(undefined);
      }
      if (rows[0].leads && !leads && !leading.may.aborted) {
        leads = true;
        options.log.info({}, 'this process follows the feed');
        leading.term = options.lead(AbortSignal.any([over, leading.may]));
      }
      await rest(over);
    }
    if (!stop.aborted) throw new Error('the connection was lost');
  } finally {
    lost.abort();
    // Before the lock is let go, where it is not lost already.
    await leading.term;
    await client.end().catch(() => undefined);
  }
}

/**
 * Makes this process one of any number on the same database, of which one leads: who holds an advisory lock of a
 * session. The lock is gone as soon as the server knows of the process's end: at once for a kill, within 15 s for a
 * machine that is gone. A leader that hung and wakes up may for moments believe that it still is one; what leaders do is
 * idempotent, so that this costs work and nothing else. Needs a connection of its own to the server: not one that
 * a pooler in transaction mode shares out.
 */
export function startReplica(options: ReplicaOptions): Replica {
  const [stop, down] = [new AbortController(), new AbortController()];
  const leading = { may: down.signal, term: Promise.resolve() };
  const names = new Map<string, PromiseWithResolvers<undefined>>();
  let wake = (): void => undefined;
  // Until the next beat, or until there is something to vouch for.
  const rest = async (over: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    wake = () => {
      resolve(undefined);
    };
    await Promise.race([promise, sleep(options.beatMs, undefined, { signal: over }).catch(() => undefined)]);
  };
  const run = async (): Promise<void> => {
    for (let losses = 0; !stop.signal.aborted;) {
      const began = performance.now();
      try {
        await session(options, rest, names, leading, stop.signal);
      } catch (error) {
        losses = performance.now() - began > 60_000 ? 1 : losses + 1;
        const { code } = asFailure(postgresFailure(error));
        options.log.warn({ code, losses }, 'the session that keeps the lead was lost and is opened again');
        const waitMs = retryDelayMs(losses, options.random(), options.beatMs, 10_000);
        await sleep(waitMs, undefined, { signal: stop.signal }).catch(() => undefined);
      }
    }
  };
  const running = run();
  return {
    standDown: async () => {
      down.abort();
      await leading.term;
    },
    vouch: (name) => {
      const vouching = names.get(name) ?? Promise.withResolvers<undefined>();
      names.set(name, vouching);
      wake();
      return vouching.promise;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      for (const { resolve } of names.values()) resolve(undefined);
    },
  };
}
