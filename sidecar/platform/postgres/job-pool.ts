import { Socket } from 'node:net';
import pg from 'pg';
import { endIfSilent } from './database.ts';

type Connected = Parameters<pg.Pool['connect']>[0];

/**
 * Where a stop of the job queue and a lost connection meet, it gives the connection that it listens on back twice, and
 * nobody hears pg's complaint: the process would end. The second time means nothing.
 */
class JobPool extends pg.Pool {
  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<pg.PoolClient> | undefined {
    if (callback === undefined) return super.connect();
    super.connect((error, client, done) => {
      // pg gives none where it waited in vain for a connection, whatever its types say.
      let giveBack: typeof done | undefined = done;
      callback(error, client, (broken?: Error | boolean) => {
        const give = giveBack;
        giveBack = undefined;
        give?.(broken);
      });
    });
    return undefined;
  }
}

/**
 * The pool of the job queue, of at most `size` connections. A server that is silent fails what waits for it after
 * `silenceMs`, and the connection that the queue listens on, which may have nothing to say for so long, is then made anew.
 */
export function createJobPool(databaseUrl: string, size: number, silenceMs?: number): pg.Pool {
  const pool = new JobPool({
    connectionString: databaseUrl,
    max: size,
    application_name: 'axis-sidecar-jobs',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    stream: () => endIfSilent(new Socket(), silenceMs),
  });
  // Of one in use, which it fails: who uses it is told there, but may not listen yet when it is given out.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}
