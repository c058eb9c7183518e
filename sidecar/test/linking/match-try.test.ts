import { expect } from 'chai';
import { matchCommands } from '../../linking/cli.ts';
import { LINKING_SETTINGS } from '../../linking/settings.ts';
import { runCommandLine } from '../../platform/command-line.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { emptyTables, EPISODE, playEvent, tables } from '../support/episode.ts';

const EPISODE_BEFORE = EPISODE.parse({
  why: 'linked by the rules of before',
  settings: { MATCHING: '1' },
  patients: { anna: { id: 'M1', name: 'NGUYEN^Anna', birthDate: '19800102' } },
  events: [
    { order: { patient: 'anna', accession: 'A1' } },
    { order: { patient: 'anna', accession: 'A2' } },
    { images: { study: '2.25.1', from: 'CT1', tags: { AccessionNumber: 'A1' } } },
    { images: { study: '2.25.2', from: 'CT1', tags: { AccessionNumber: 'A2' } } },
    {
      images: {
        study: '2.25.3',
        from: 'MR1',
        tags: { AccessionNumber: 'A2', PatientName: 'SMITH^Joan', PatientBirthDate: '19800102' },
      },
    },
    { images: { study: '2.25.4', from: 'CT1', patient: 'anna', tags: { AccessionNumber: 'A1' } } },
  ],
  expected: [],
});

describe('axis match try', () => {
  let test: TestDatabase;
  before(async () => {
    test = await startDatabase();
    await emptyTables(test.db);
    const operations = test.operationsWith(EPISODE_BEFORE.settings ?? {});
    for (const index of EPISODE_BEFORE.events.keys()) await playEvent(test.db, operations, EPISODE_BEFORE, index);
  });
  after(() => test[Symbol.asyncDispose]());

  const axis = async (settings: Record<string, string>, ...args: string[]): Promise<string> => {
    let out = '';
    const terminal = { environment: {}, now: () => new Date(), out: (text: string) => (out += text), err: () => '' };
    const code = await runCommandLine(
      { name: 'axis', about: '', after: '' },
      [
        (line) => {
          matchCommands(
            line,
            (work) => work(test.db),
            () => LINKING_SETTINGS.parse(settings),
          );
        },
      ],
      terminal,
      ['match', 'try', ...args],
    );
    expect(code).to.equal(0);
    return out;
  };

  it('counts what the strict rules would move, by cause and by who sent it, and changes nothing', async () => {
    const before = await tables(test.db);
    expect(JSON.parse(await axis({ MATCHING: '1' }, '--json'))).to.deep.equal({
      looked: 4,
      moved: [
        { from: 'linked', to: 'review', cause: 'nothing-to-compare', callingAeTitles: 'CT1', studies: 2 },
        { from: 'linked', to: 'review', cause: 'patient-contradicts', callingAeTitles: 'MR1', studies: 1 },
      ],
    });
    expect(await axis({})).to.match(
      /^3 of 4 DICOM studies would be decided otherwise\n\n.*linked +review +nothing-to-compare +CT1 +2\n/s,
    );
    expect(await tables(test.db)).to.deep.equal(before);
  });

  it('knows the programs whose images need no identity', async () => {
    expect(JSON.parse(await axis({ LINK_BY_ACCESSION_ALONE: 'CT1' }, '--json'))).to.have.nested.property(
      'moved.length',
      1,
    );
    expect(await axis({ LINK_BY_ACCESSION_ALONE: 'CT1,MR1' })).to.contain('1 of 4');
  });
});
