import pg from 'pg';
import { Failure } from '../../core/failure.ts';
import { postgresFailure } from './query.ts';

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

/** A lock of a session each, on `size` connections at most: a process that dies frees what it held. */
export function createRenderingLock(databaseUrl: string, size: number, waitMs: number): RenderingLock {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: size,
    application_name: 'axis-sidecar-rendering',
    connectionTimeoutMillis: 5_000,
    lock_timeout: waitMs,
    options: KEEPALIVE,
    keepAlive: true,
  });
  // What goes wrong with a connection fails what uses it, or is found at its next use.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));

  const locked = async (alone: boolean, stop: AbortSignal): Promise<pg.PoolClient> => {
    const client = await pool.connect();
    // The server may go on waiting for it until its limit, but finds nobody there then.
    const abandon = (): void => {
      void client.end();
    };
    stop.addEventListener('abort', abandon, { once: true });
    try {
      if (stop.aborted)
        throw new Failure('transient', 'render-stopped', 'the image was not drawn: the sidecar is stopping');
      await client.query(`SELECT pg_advisory_lock${alone ? '' : '_shared'}($1)`, [RENDERING_LOCK]);
      return client;
    } catch (error) {
      client.release(true);
      throw error;
    } finally {
      stop.removeEventListener('abort', abandon);
    }
  };

  return {
    run: async (alone, stop, work) => {
      let client: pg.PoolClient;
      try {
        client = await locked(alone, stop);
      } catch (error) {
        throw postgresFailure(error);
      }
      try {
        return await work();
      } finally {
        await client.query(`SELECT pg_advisory_unlock${alone ? '' : '_shared'}($1)`, [RENDERING_LOCK]).then(
          () => {
            client.release();
          },
          () => {
            client.release(true);
          },
        );
      }
    },
    [Symbol.asyncDispose]: () => pool.end(),
  };
}
