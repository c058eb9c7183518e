import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect } from 'chai';
import { listen } from '../../../platform/net/listen.ts';
import { openDatabase, pingDatabase } from '../../../platform/postgres/database.ts';
import { createJobPool } from '../../../platform/postgres/job-pool.ts';
import { createRenderingLock } from '../../../images/io/rendering-lock.ts';
import { startReplica } from '../../../platform/postgres/replica.ts';
import { outcome } from '../../support/outcome.ts';
import { postgres } from '../../support/services.ts';
import { eventually } from '../../support/rig.ts';

// PostgreSQL, "Message Formats": ReadyForQuery while idle; ErrorResponse with severity, code and message.
const READY = Buffer.from('Z\0\0\0\x05I', 'latin1');
const FIELDS = Buffer.from(
  'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0',
  'latin1',
);
const ENDING = Buffer.concat([Buffer.from([0x45, 0, 0, 0, FIELDS.length + 4]), FIELDS]);

/** Postgres, as it is while connections are cut: each, but for those after `mend`, ends in the moment it is ready. */
async function endingPostgres() {
  await using stack = new AsyncDisposableStack();
  const url = new URL(await (await postgres()).createDatabase());
  const port = Number(url.port);
  const seen = { ended: 0, mended: false };
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => {
      if (seen.mended || !bytes.subarray(-READY.length).equals(READY)) {
        client.write(bytes);
        return;
      }
      seen.ended += 1;
      client.end(Buffer.concat([bytes, ENDING]));
      upstream.destroy();
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => undefined);
      one.on('close', () => other.destroy());
    }
  });
  url.port = String(await listen(server, 0, '127.0.0.1'));
  stack.defer(async () => {
    server.close();
    await once(server, 'close');
  });
  const running = stack.move();
  const mend = (): void => {
    seen.mended = true;
  };
  return { url: url.href, seen, mend, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

describe('a connection to Postgres that ends in the moment it is ready', () => {
  it('fails what wanted it, and the next one works', async () => {
    await using server = await endingPostgres();
    await using stack = new AsyncDisposableStack();
    const db = stack.adopt(openDatabase(server.url, 2), (pool) => pool.destroy());
    const jobs = stack.adopt(createJobPool(server.url, 2), (pool) => pool.end());
    const lock = stack.use(createRenderingLock(server.url, { size: 2, waitMs: 1000, togetherMs: 0 }));
    const render = (): Promise<unknown> => lock.run(false, new AbortController().signal, () => Promise.resolve());
    const query = (): Promise<unknown> => jobs.query('SELECT 1');
    const listening = async (): Promise<void> => {
      const client = await jobs.connect();
      await client.query('LISTEN jobs').finally(() => {
        client.release(true);
      });
    };
    const uses = [() => pingDatabase(db), render, query, listening];
    for (const use of uses) expect(await outcome(use())).to.not.equal('done');
    expect(server.seen.ended).to.be.at.least(uses.length);
    server.mend();
    for (const use of uses) expect(await outcome(use())).to.equal('done');
  });

  it('is opened again by the process that wants to lead', async () => {
    await using server = await endingPostgres();
    const leading = { times: 0 };
    await using replica = startReplica({
      databaseUrl: server.url,
      beatMs: 20,
      lead: () => {
        leading.times += 1;
        return Promise.resolve();
      },
      random: () => 0.5,
      log: { info: () => undefined, warn: () => undefined },
    });
    await eventually('some to end', () => Promise.resolve(server.seen.ended > 2));
    expect(leading.times).to.equal(0);
    server.mend();
    await replica.vouch('jobs');
    await eventually('it to lead', () => Promise.resolve(leading.times === 1));
  });
});
