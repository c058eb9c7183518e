import { expect } from 'chai';
import { Failure } from '../../../platform/rules/failure.ts';
import { followChanges, type FeedTx } from '../../../images/flows/follow.ts';

describe('following a feed that ends before its cursor', () => {
  it('wants the sweep before the cursor moves, so that none is missed where that move’s end is unknown', async () => {
    let wanted = 0;
    const following = followChanges<FeedTx>({
      feed: {
        serverId: () => Promise.resolve('one'),
        changes: (since) => Promise.resolve({ changes: [], last: since, done: true }),
        lastSeq: () => Promise.resolve(7),
        readInstances: () => Promise.resolve({ instances: [], series: [], studies: [] }),
      },
      readCursor: () => Promise.resolve({ serverId: 'one', seq: 9 }),
      transaction: () => Promise.reject(new Failure('ambiguous', 'postgres-connection', 'the connection was lost')),
      take: () => Promise.resolve(0),
      takeApart: () => Promise.resolve(0),
      believesEnd: true,
      onOverlooked: () => {
        wanted += 1;
      },
      batchSize: 10,
      now: () => new Date(0),
    });
    const failure: unknown = await following.then(
      () => null,
      (error: unknown) => error,
    );
    expect(failure).to.be.instanceOf(Failure);
    expect(wanted).to.equal(1);
  });
});
