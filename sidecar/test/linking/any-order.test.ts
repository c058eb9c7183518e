import { expect } from 'chai';
import fc from 'fast-check';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { emptyTables, EPISODE, playEvent, tables, withVersionsInOrder, type Episode } from '../support/episode.ts';

const RUNS = 40;

const anna = { id: 'M1', name: 'NGUYEN^Anna', birthDate: '19800102', phone: '0491 570 006^PRN^CP' };
const bob = { id: 'M2', name: 'BIRCH^Bob', birthDate: '19600606', phone: '0491 570 157^PRN^CP' };

const accession = fc.constantFrom('', 'A1', 'A2', 'A3');
const file = fc.record({
  study: fc.constantFrom('2.25.1', '2.25.2'),
  series: fc.constantFrom('1', '2'),
  first: fc.integer({ min: 1, max: 2 }),
  // As Orthanc's identifiers have it, the Patient ID is of the instance: only the rest is corrected.
  name: fc.constantFrom('', 'NGUYEN^Anna', 'BIRCH^Bob'),
  accession,
  requested: fc.array(fc.constantFrom('A1', 'A2'), { maxLength: 2 }),
  kind: fc.constantFrom('resent', 'storedAnew'),
});

function episodeOf(files: readonly (typeof file extends fc.Arbitrary<infer T> ? T : never)[]): Episode {
  const there = new Set<string>();
  const events = files.map(({ study, series, first, name, accession: number, requested, kind }) => {
    const id = `${study} ${series} ${first}`;
    const image = {
      ...{ study, series, first, requested, patient: 'anna' },
      tags: { AccessionNumber: number, PatientName: name, PatientBirthDate: '' },
    };
    if (there.has(id)) return { [kind]: image };
    there.add(id);
    return { images: image };
  });
  const order = (number: string, patient: string) => ({ order: { accession: number, patient } });
  return EPISODE.parse({
    why: 'drawn',
    patients: { anna, bob },
    events: [order('A1', 'anna'), order('A2', 'bob'), ...events],
    expected: [],
  });
}

describe('images that come, and come again', () => {
  let test: TestDatabase;
  before(async () => {
    test = await startDatabase();
  });
  after(() => test[Symbol.asyncDispose]());

  const play = async (episode: Episode, order: readonly number[]): Promise<string[]> => {
    await emptyTables(test.db);
    for (const index of order) await playEvent(test.db, test.operations, episode, index);
    return tables(test.db);
  };

  it('end the same in any order in which each file comes after the one that it corrects', async function () {
    this.timeout(100_000);
    await fc.assert(
      fc.asyncProperty(
        fc.array(file, { minLength: 2, maxLength: 6 }),
        fc.infiniteStream(fc.nat()),
        async (files, draw) => {
          const episode = episodeOf(files);
          const recorded = episode.events.map((_, index) => index);
          const keys = [...draw.take(recorded.length)];
          const shuffled = recorded.toSorted((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0));
          const expected = await play(episode, recorded);
          expect(await play(episode, withVersionsInOrder(episode, shuffled))).to.deep.equal(expected);
          expect(await play(episode, withVersionsInOrder(episode, recorded.toReversed()))).to.deep.equal(expected);
        },
      ),
      { numRuns: RUNS },
    );
  });
});
