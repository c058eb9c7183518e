import { expect } from 'chai';
import pg from 'pg';
import { createJobPool } from '../../adapters/postgres/job-pool.ts';
import { postgres } from '../support/services.ts';

/** Gives a connection back twice, as the job queue does where a stop and a lost connection meet. */
function giveBackTwice(pool: pg.Pool): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  pool.connect((error, client, done) => {
    if (client === undefined) {
      resolve(error?.message ?? 'no connection');
      return;
    }
    try {
      done();
      done();
      resolve('done');
    } catch (thrown) {
      resolve(thrown instanceof Error ? thrown.message : 'thrown');
    }
  });
  return promise;
}

describe('the connections of the job queue', () => {
  it('may be given back twice, which pg takes for an error', async () => {
    const url = await (await postgres()).createDatabase();
    const plain = new pg.Pool({ connectionString: url, max: 1 });
    expect(await giveBackTwice(plain)).to.match(/already been released/);
    await plain.end();
    const pool = createJobPool(url, 1);
    expect(await giveBackTwice(pool)).to.equal('done');
    expect([pool.totalCount, pool.idleCount]).to.deep.equal([1, 1]);
    const { rows } = await pool.query<{ synchronous_commit: string }>('SHOW synchronous_commit');
    expect(rows).to.deep.equal([{ synchronous_commit: 'off' }]);
    await pool.end();
  });

  it('tell why there is none', async () => {
    const url = new URL(await (await postgres()).createDatabase());
    url.pathname = '/not-there';
    const pool = createJobPool(url.href, 1);
    expect(await giveBackTwice(pool)).to.contain('not-there');
    await pool.end();
  });
});
