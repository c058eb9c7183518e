import { expect } from 'chai';
import { openDatabase, pingDatabase } from '../../../platform/postgres/database.ts';
import { createJobPool } from '../../../platform/postgres/job-pool.ts';
import { createRenderingLock } from '../../../images/io/rendering-lock.ts';
import { inTransaction } from '../../../app/transaction.ts';
import { startTcpProxy } from '../../../dev/tcp-proxy.ts';
import { pause } from '../../support/mllp-sender.ts';
import { outcome } from '../../support/outcome.ts';
import { postgres } from '../../support/services.ts';

const SILENCE_MS = 400;

async function behindCable() {
  await using stack = new AsyncDisposableStack();
  const url = new URL(await (await postgres()).createDatabase());
  const proxy = stack.use(await startTcpProxy({ port: Number(url.port) }));
  url.port = String(proxy.port);
  const db = stack.adopt(openDatabase(url.href, 2, { statementMs: 60_000, silenceMs: SILENCE_MS }), (pool) =>
    pool.destroy(),
  );
  await pingDatabase(db);
  const running = stack.move();
  return { db, proxy, url: url.href, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

describe('a Postgres that falls silent', () => {
  it('fails what waits for it, once its own limit has long passed, and is connected to anew', async () => {
    await using all = await behindCable();
    all.proxy.silence();
    const begun = performance.now();
    expect(await outcome(pingDatabase(all.db))).to.equal('transient postgres-connection');
    expect(performance.now() - begun).to.be.lessThan(10 * SILENCE_MS);
    expect(await outcome(pingDatabase(all.db))).to.equal('done');
  });

  it('fails a transaction in its midst, and is connected to anew', async () => {
    await using all = await behindCable();
    const work = inTransaction(all.db, async (tx) => {
      await tx.readCursor().catch(() => null);
      all.proxy.silence();
      await tx.lockLinking();
    });
    expect(await outcome(work)).to.match(/^transient /);
    expect(await outcome(pingDatabase(all.db))).to.equal('done');
  });

  it('costs nothing where nobody waits: idle connections are made anew', async () => {
    await using all = await behindCable();
    await pause(3 * SILENCE_MS);
    expect(await outcome(Promise.all([pingDatabase(all.db), pingDatabase(all.db)]))).to.equal('done');
  });

  it('fails what the job queue asks of it, and ends the connection that it listens on', async () => {
    await using all = await behindCable();
    const pool = createJobPool(all.url, 2, SILENCE_MS);
    const listening = await pool.connect();
    const ended = new Promise<Error>((resolve) => listening.on('error', resolve));
    await listening.query('LISTEN jobs');
    const asking = await pool.connect();
    asking.on('error', () => undefined);
    await asking.query('SELECT 1');
    all.proxy.silence();
    expect(await outcome(asking.query('SELECT 1'))).to.not.equal('done');
    expect((await ended).message).to.contain('silent');
    asking.release(true);
    listening.release(true);
    expect(await outcome(pool.query('SELECT 1'))).to.equal('done');
    await pool.end();
  });

  it('lets a rendering end that holds the lock, and the next one begin', async () => {
    await using all = await behindCable();
    await using lock = createRenderingLock(all.url, { size: 2, waitMs: SILENCE_MS, togetherMs: 0 });
    const { signal } = new AbortController();
    const held = lock.run(false, signal, () => {
      all.proxy.silence();
      return Promise.resolve();
    });
    expect(await outcome(held)).to.equal('done');
    expect(await outcome(lock.run(false, signal, () => Promise.resolve()))).to.equal('done');
  });
});
