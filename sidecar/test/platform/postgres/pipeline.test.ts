import { expect } from 'chai';
import type { Knex } from 'knex';
import { z } from 'zod';
import { openDatabase } from '../../../platform/postgres/database.ts';
import { execute, query } from '../../../platform/postgres/query.ts';
import { asFailure } from '../../../platform/rules/failure.ts';
import { startTcpProxy, type TcpProxy } from '../../../dev/tcp-proxy.ts';
import { pause } from '../../support/mllp-sender.ts';
import { postgres } from '../../support/services.ts';

interface Piped extends AsyncDisposable {
  readonly db: Knex;
  readonly proxy: TcpProxy;
  /** Every statement that was sent. */
  readonly sent: readonly string[];
  /** What the table holds. */
  rows(): Promise<number[]>;
}

const INSERT = 'INSERT INTO piped (id) VALUES (:id)';
const insert = (trx: Knex, id: number): Promise<void> => execute(trx, INSERT, { id });

/** A pool of one connection, so that what one transaction leaves of it is what the next one gets. */
async function piped(): Promise<Piped> {
  await using stack = new AsyncDisposableStack();
  const url = new URL(await (await postgres()).createDatabase());
  const proxy = stack.use(await startTcpProxy({ port: Number(url.port) }));
  url.port = String(proxy.port);
  const db = stack.adopt(openDatabase(url.href, 1), (pool) => pool.destroy());
  await db.raw('CREATE TABLE piped (id integer PRIMARY KEY)');
  const sent: string[] = [];
  db.on('query', ({ sql }: { sql: string }) => sent.push(sql));
  const running = stack.move();
  return {
    ...{ db, proxy, sent },
    rows: async () =>
      (await query(db, 'SELECT id FROM piped ORDER BY id', {}, z.object({ id: z.number() }))).map(({ id }) => id),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

const failureOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => `${asFailure(error).kind} ${asFailure(error).code}`,
  );

describe('statements of a transaction that are sent at once', () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  before(() => process.on('unhandledRejection', note));
  after(() => process.off('unhandledRejection', note));
  afterEach(async () => {
    await pause(20);
    expect(unhandled.splice(0)).to.deep.equal([]);
  });

  it('are done in their order and committed together', async () => {
    await using all = await piped();
    const counted = 'SELECT CAST(count(*) AS integer) AS id FROM piped';
    const [, first, , second] = await all.db.transaction((trx) =>
      Promise.all([
        insert(trx, 1),
        query(trx, counted, {}, z.object({ id: z.number() })),
        insert(trx, 2),
        query(trx, counted, {}, z.object({ id: z.number() })),
      ]),
    );
    expect([first, second]).to.deep.equal([[{ id: 1 }], [{ id: 2 }]]);
    expect(await all.rows()).to.deep.equal([1, 2]);
  });

  it('come to nothing where one of them fails: no COMMIT is sent, and the first failure is what is told', async () => {
    await using all = await piped();
    const deep = async (trx: Knex, id: number): Promise<void> => {
      await Promise.all([(async () => Promise.all([insert(trx, id), insert(trx, id)]))()]);
    };
    const chained = async (trx: Knex): Promise<void> => {
      await insert(trx, 4);
      await insert(trx, 5);
      await insert(trx, 6);
    };
    const failing = all.db.transaction((trx) =>
      Promise.all([insert(trx, 1), deep(trx, 2), insert(trx, 3), chained(trx)]),
    );
    expect(await failureOf(failing)).to.equal('permanent postgres-23505');
    expect(all.sent).to.include('ROLLBACK').and.not.include('COMMIT;');
    expect(await all.rows()).to.deep.equal([]);
    await all.db.transaction((trx) => Promise.all([insert(trx, 1), insert(trx, 2)]));
    expect(await all.rows()).to.deep.equal([1, 2]);
  });

  it('come to nothing where the work fails while they are out', async () => {
    await using all = await piped();
    const failing = all.db.transaction((trx) =>
      Promise.all([insert(trx, 1), insert(trx, 2), Promise.reject(new Error('the work itself'))]),
    );
    expect(await failureOf(failing)).to.equal('transient unexpected');
    expect(all.sent).to.include('ROLLBACK').and.not.include('COMMIT;');
    expect(await all.rows()).to.deep.equal([]);
  });

  it('come to nothing where a value cannot be sent', async () => {
    await using all = await piped();
    const unsendable = {
      toPostgres: () => {
        throw new Error('no such value');
      },
    };
    const failing = all.db.transaction((trx) =>
      Promise.all([insert(trx, 1), trx.raw('INSERT INTO piped (id) VALUES (?)', [unsendable]), insert(trx, 2)]),
    );
    expect(await failureOf(failing)).to.equal('transient unexpected');
    expect(all.sent).to.include('ROLLBACK').and.not.include('COMMIT;');
    expect(await all.rows()).to.deep.equal([]);
    await all.db.transaction((trx) => insert(trx, 3));
    expect(await all.rows()).to.deep.equal([3]);
  });

  it('fail together where the connection is cut, and another is opened', async () => {
    await using all = await piped();
    const outcomes: string[] = [];
    const failing = all.db.transaction((trx) => {
      const out = [insert(trx, 1), execute(trx, 'SELECT pg_sleep(30)', {}), insert(trx, 2)];
      for (const one of out) void failureOf(one).then((outcome) => outcomes.push(outcome));
      return Promise.all(out);
    });
    failing.catch(() => undefined);
    while (outcomes.length === 0) await pause(5);
    all.proxy.cut();
    expect(await failureOf(failing)).to.match(/^transient /);
    expect(outcomes.slice(0, 1)).to.deep.equal(['none']);
    expect(outcomes).to.have.length(3);
    for (const outcome of outcomes.slice(1)) expect(outcome).to.match(/^transient /);
    expect(all.sent).to.not.include('COMMIT;');
    expect(await all.rows()).to.deep.equal([]);
    await all.db.transaction((trx) => insert(trx, 3));
    expect(await all.rows()).to.deep.equal([3]);
  });
});
