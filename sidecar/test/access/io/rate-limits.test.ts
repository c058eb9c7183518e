import { expect } from 'chai';
import { createRateLimits, type RateLimit } from '../../../access/io/rate-limits.ts';
import { openDatabase } from '../../../platform/postgres/database.ts';
import { startDatabase } from '../../support/database.ts';

async function takes(limit: RateLimit, key: string, times: number): Promise<number[]> {
  const told: number[] = [];
  for (let time = 0; time < times; time += 1) told.push(await limit.take(key));
  return told;
}
const within = (times: number): number[] => Array.from({ length: times }, () => 0);

describe('limits of an address', () => {
  it('hold for several processes together, each address and each limit for itself', async () => {
    await using database = await startDatabase();
    const [one, other] = [createRateLimits(database.db), createRateLimits(database.db)];
    expect(await takes(one.failures, '10.0.0.1', 20)).to.deep.equal(within(20));
    expect(await takes(other.failures, '10.0.0.1', 10)).to.deep.equal(within(10));
    for (const { failures } of [one, other]) {
      const [wait = 0] = await takes(failures, '10.0.0.1', 1);
      expect(wait).to.be.within(1, 60);
    }
    expect(await takes(other.failures, '10.0.0.2', 1)).to.deep.equal([0]);
    expect(await takes(one.requests, '10.0.0.1', 1)).to.deep.equal([0]);
  });

  it('hold in each process for itself while Postgres does not answer', async () => {
    const db = openDatabase('postgres://nobody@127.0.0.1:1/none', 1);
    try {
      const { failures } = createRateLimits(db);
      expect(await takes(failures, '10.0.0.1', 30)).to.deep.equal(within(30));
      expect(await failures.take('10.0.0.1')).to.be.greaterThan(0);
    } finally {
      await db.destroy();
    }
  });
});
