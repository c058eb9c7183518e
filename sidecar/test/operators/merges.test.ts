import { expect } from 'chai';
import { readFrame } from '../../hl7/io/frame.ts';
import { merge, orm, type RisPatient } from '../../dev/ris-messages.ts';
import { asFailure } from '../../platform/rules/failure.ts';
import { NOW, tables } from '../support/episode.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { orderOf, person } from '../support/people.ts';

const BY = { who: 'Ann', why: 'two patients' };

describe('a merge that a person takes back', () => {
  let database: TestDatabase;
  let said = 0;
  before(async () => {
    database = await startDatabase();
  });
  after(() => database[Symbol.asyncDispose]());

  const head = () => ({ now: new Date(NOW.getTime() - 3_600_000 + (said += 60_000)), controlId: `W${said}` });
  const receive = async (text: string): Promise<void> => {
    const raw = Buffer.from(`${text}\r`);
    const answer = await database.operations.receive({ raw, ...readFrame(raw), remoteAddress: '127.0.0.1' });
    expect(answer).to.contain('MSA|AA|');
  };
  const order = (patient: RisPatient, accession: string) => receive(orm(head(), patient, orderOf(accession)));
  const ownerOf = async (accession: string): Promise<string | undefined> =>
    (await tables(database.db))
      .map((line) => /^study (\S+) of (\S+):/.exec(line))
      .find((found) => found?.[1] === accession)?.[2];

  it('leaves each its own studies, until a merge comes again', async () => {
    const [anna, bob] = [person('M1'), person('M2', { name: 'SMITH^Robert', birthDate: '19750505' })];
    await order(anna, 'A1');
    await order(bob, 'A2');
    await receive(merge(head(), bob, { id: 'M1', issuer: '' }));
    expect(await ownerOf('A1')).to.equal('M2@AXIS');
    await database.operations.withdrawMerge('m1@axis', 'M2', BY);
    expect([await ownerOf('A1'), await ownerOf('A2')]).to.deep.equal(['M1@AXIS', 'M2@AXIS']);
    await order(anna, 'A3');
    expect(await ownerOf('A3')).to.equal('M1@AXIS');

    const again = await database.operations.withdrawMerge('M1@AXIS', 'M2', BY).then(() => null, asFailure);
    expect(again?.code).to.equal('merge-unknown');
    await receive(merge(head(), bob, anna));
    expect([await ownerOf('A1'), await ownerOf('A3')]).to.deep.equal(['M2@AXIS', 'M2@AXIS']);
  });

  it('is not made again by messages that give both numbers', async () => {
    const both = person('M3', { identifiers: 'M3^^^AXIS^MR~H3^^^HOSP^MR' });
    await order(both, 'B1');
    await order(person('H3', { issuer: 'HOSP' }), 'B2');
    expect(await ownerOf('B2')).to.equal('M3@AXIS');
    const other = await database.operations.withdrawMerge('H3@ELSE', 'M3', BY).then(() => null, asFailure);
    expect(other?.code).to.equal('merge-unknown');
    await database.operations.withdrawMerge('M3', 'H3@HOSP', BY);
    expect([await ownerOf('B1'), await ownerOf('B2')]).to.deep.equal(['M3@AXIS', 'H3@HOSP']);
    await order(both, 'B3');
    expect([await ownerOf('B2'), await ownerOf('B3')]).to.deep.equal(['H3@HOSP', 'M3@AXIS']);
  });

  it('needs who and why', async () => {
    const failed = await database.operations
      .withdrawMerge('M1', 'M2', { who: ' ', why: 'x' })
      .then(() => null, asFailure);
    expect(failed?.code).to.equal('who-missing');
  });
});
