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

const anyOrderOf = (events: readonly number[]): fc.Arbitrary<number[]> =>
  fc.shuffledSubarray([...events], { minLength: events.length, maxLength: events.length });

/** What is said and sent, parted where a person does something or images are deleted, which keep their place. */
function factsBetweenActs({ events }: (typeof episodes)[number]): number[][] {
  const parts: number[][] = [[]];
  for (const [index, event] of events.entries()) {
    if ('act' in event || 'deleted' in event) parts.push([index], []);
    else parts.at(-1)?.push(index);
  }
  return parts;
}

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

    const between = factsBetweenActs(episode);
    if (episode.orderMatters !== undefined && between.length > 1) {
      it(`${episode.name}, what is said and sent between a person's acts in any order`, async () => {
        const reversed = between.flatMap((facts) => withVersionsInOrder(episode, facts.toReversed()));
        expect(await play(episode, reversed), 'reversed').to.deep.equal(episode.expected);
        const orders = fc.tuple(...between.map(anyOrderOf));
        await fc.assert(
          fc.asyncProperty(orders, async (parts) => {
            const order = parts.flatMap((facts) => withVersionsInOrder(episode, facts));
            expect(await play(episode, order)).to.deep.equal(episode.expected);
          }),
          { numRuns: SHUFFLES },
        );
      });
    }

    if (episode.orderMatters !== undefined) continue;
    it(`${episode.name}, in any order`, async () => {
      const reversed = withVersionsInOrder(episode, recorded.toReversed());
      expect(await play(episode, reversed), 'reversed').to.deep.equal(episode.expected);
      await fc.assert(
        fc.asyncProperty(anyOrderOf(recorded), async (shuffled) => {
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
