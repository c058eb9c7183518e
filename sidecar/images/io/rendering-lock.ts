import pg from 'pg';
import pLimit from 'p-limit';
import { Failure } from '../../platform/rules/failure.ts';
import { postgresFailure } from '../../platform/postgres/query.ts';

/** Who renders, in whichever process on this database, holds it: shared, or by itself to be alone. */
const RENDERING_LOCK = 4_721_590_003;

// A host that is gone without a word must not hold it for hours.
const KEEPALIVE = '-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3';

export interface RenderingLock extends AsyncDisposable {
  /**
   * Runs `work` while others render, or `alone` while no other rendering runs. Waits in turn, so that neither kind
   * starves the other. What `work` throws comes out as it was.
   * @throws Failure transient when the wait is longer than its limit, `stop` ends it, or Postgres is away.
   */
  readonly run: <T>(alone: boolean, stop: AbortSignal, work: () => Promise<T>) => Promise<T>;
}

/** The lock as one session holds it or waits for it, for one or several renderings. */
interface Hold {
  /** Settles when it is held. */
  readonly held: Promise<void>;
  /** Gives it back, or no longer waits for it. Never rejects. */
  readonly end: () => Promise<void>;
  /** Those that wait or render under it. */
  users: number;
  /** Until when others may render under it too (milliseconds of the process); then their turn is the next hold's. */
  joinedUntil: number;
}

const stopped = (): Failure =>
  new Failure('transient', 'render-stopped', 'the image was not drawn: the sidecar is stopping');

/**
 * The lock of sessions: a process that dies frees what it held. Renderings that begin within `togetherMs` share a hold,
 * which spares each its way to Postgres; who waits to be alone waits that much longer. It has connections for `size` such
 * holds and for one who is alone: the others here who are to be alone come after one another.
 */
export function createRenderingLock(
  databaseUrl: string,
  options: { readonly size: number; readonly waitMs: number; readonly togetherMs: number },
): RenderingLock {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: options.size + 1,
    application_name: 'axis-sidecar-rendering',
    connectionTimeoutMillis: 5_000,
    lock_timeout: options.waitMs,
    // Of a server that keeps that limit, so long is silence.
    query_timeout: options.waitMs + 5_000,
    options: KEEPALIVE,
    keepAlive: true,
  });
  // What goes wrong with a connection fails what uses it, or is found at its next use.
  pool.on('error', () => undefined);
  // One may end in the moment that it is given out, when nobody can listen yet.
  pool.on('connect', (client) => client.on('error', () => undefined));

  const take = (alone: boolean): Hold => {
    const closed = (): void => {
      hold.joinedUntil = 0;
    };
    const taking = async (): Promise<pg.PoolClient> => {
      const client = await pool.connect();
      client.on('error', closed);
      abandon = () => {
        // The server may go on waiting for it until its limit, but finds nobody there then.
        void client.end();
      };
      try {
        if (hold.users === 0) throw stopped();
        await client.query(`SELECT pg_advisory_lock${alone ? '' : '_shared'}($1)`, [RENDERING_LOCK]);
        return client;
      } catch (error) {
        closed();
        client.release(true);
        throw error;
      } finally {
        abandon = () => undefined;
      }
    };
    let abandon = (): void => undefined;
    const end = async (): Promise<void> => {
      closed();
      abandon();
      const client = await taken.catch(() => null);
      await client?.query('SELECT pg_advisory_unlock_all()').then(
        () => {
          client.off('error', closed);
          client.release();
        },
        () => {
          client.release(true);
        },
      );
    };
    const joinedUntil = alone ? 0 : performance.now() + options.togetherMs;
    const taken = Promise.resolve().then(taking);
    const hold: Hold = { held: taken.then(() => undefined), end, users: 0, joinedUntil };
    return hold;
  };

  let shared: Hold | undefined;
  const join = (alone: boolean): Hold => {
    if (alone) return take(true);
    if (shared === undefined || shared.joinedUntil <= performance.now()) shared = take(false);
    return shared;
  };

  const runNow: RenderingLock['run'] = async (alone, stop, work) => {
    if (stop.aborted) throw stopped();
    const hold = join(alone);
    hold.users += 1;
    const leave = async (): Promise<void> => {
      hold.users -= 1;
      if (hold.users === 0) await hold.end();
    };
    const { promise: stopping, reject } = Promise.withResolvers<never>();
    const stopIt = (): void => {
      reject(stopped());
    };
    stop.addEventListener('abort', stopIt, { once: true });
    try {
      await Promise.race([hold.held, stopping]);
    } catch (error) {
      await leave();
      throw postgresFailure(error);
    } finally {
      stop.removeEventListener('abort', stopIt);
    }
    try {
      return await work();
    } finally {
      await leave();
    }
  };
  const oneByOne = pLimit(1);
  return {
    run: async (alone, stop, work) => {
      if (!alone) return runNow(false, stop, work);
      const until = performance.now() + options.waitMs;
      return oneByOne(() => {
        if (performance.now() > until)
          throw new Failure('transient', 'render-turn', 'others were drawn alone for too long');
        return runNow(true, stop, work);
      });
    },
    [Symbol.asyncDispose]: () => pool.end(),
  };
}
