import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { emptyTables, EPISODE, isOfOneFeed, playEvent, tables, withVersionsInOrder } from '../support/episode.ts';

const FIXTURES = new URL('../fixtures/episodes/', import.meta.url);

const episodes = readdirSync(FIXTURES)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((name) => ({
    name: name.replace('.json', ''),
    ...EPISODE.parse(JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8'))),
  }));

/** Orders of events tried beside the recorded one and its reverse. */
const SHUFFLES = 5;

describe('recorded episodes', () => {
  let test: TestDatabase;
  let second: TestDatabase;
  before(async () => {
    test = await startDatabase();
    second = await startDatabase(test.url);
  });
  after(async () => {
    await second[Symbol.asyncDispose]();
    await test[Symbol.asyncDispose]();
  });

  const play = async (episode: (typeof episodes)[number], order: readonly number[]): Promise<string[]> => {
    await emptyTables(test.db);
    const operations = test.operationsWith(episode.settings ?? {});
    for (const index of order) await playEvent(test.db, operations, episode, index);
    return tables(test.db);
  };

  for (const episode of episodes) {
    const recorded = episode.events.map((_, index) => index);

    it(`${episode.name}: ${episode.why}`, async () => {
      expect(await play(episode, recorded)).to.deep.equal(episode.expected);
    });

    if (episode.orderMatters !== undefined) continue;
    it(`${episode.name}, in any order`, async () => {
      const reversed = withVersionsInOrder(episode, recorded.toReversed());
      expect(await play(episode, reversed), 'reversed').to.deep.equal(episode.expected);
      const order = fc.shuffledSubarray(recorded, { minLength: recorded.length, maxLength: recorded.length });
      await fc.assert(
        fc.asyncProperty(order, async (shuffled) => {
          expect(await play(episode, withVersionsInOrder(episode, shuffled))).to.deep.equal(episode.expected);
        }),
        { numRuns: SHUFFLES },
      );
    });

    if (isOfOneFeed(episode)) continue;
    it(`${episode.name}, all at once and each twice, by two sidecars`, async () => {
      await emptyTables(test.db);
      const played = recorded.flatMap((index) =>
        [test, second].map(({ db, operationsWith }) =>
          playEvent(db, operationsWith(episode.settings ?? {}), episode, index),
        ),
      );
      await Promise.all(played);
      expect(await tables(test.db)).to.deep.equal(episode.expected);
    });
  }
});
