import { expect } from 'chai';
import pg from 'pg';
import { createJobPool } from '../../../platform/postgres/job-pool.ts';
import { postgres } from '../../support/services.ts';

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

/** Gives back whatever came, a connection or none. */
function giveBackWhatever(pool: pg.Pool): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  pool.connect((_error, _client, done) => {
    try {
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
    const { rows } = await pool.query<{ one: number }>('SELECT 1 AS one');
    expect(rows).to.deep.equal([{ one: 1 }]);
    await pool.end();
  });

  it('tell why there is none', async () => {
    const url = new URL(await (await postgres()).createDatabase());
    url.pathname = '/not-there';
    const pool = createJobPool(url.href, 1);
    expect(await giveBackTwice(pool)).to.contain('not-there');
    await pool.end();
  });

  it('may be given back where there was none, as the job queue does while it stops', async () => {
    const pool = createJobPool(await (await postgres()).createDatabase(), 1);
    await pool.end();
    expect(await giveBackWhatever(pool)).to.equal('done');
  });
});
