import { expect } from 'chai';
import { loadConfig } from '../../app/config.ts';
import { createOperations, type Operations } from '../../app/operations.ts';
import { orm, oru } from '../../dev/ris-messages.ts';
import { readFrame } from '../../hl7/io/listener.ts';
import { workText } from '../../operators/text.ts';
import { asFailure } from '../../platform/rules/failure.ts';
import { environmentOf, startDatabase, type TestDatabase } from '../support/database.ts';
import { NOW } from '../support/episode.ts';
import { orderOf, person, reportOf } from '../support/people.ts';

const VIEWER = { who: 'Ann', from: 'desk' };
const codeOf = (act: Promise<unknown>): Promise<string> =>
  act.then(
    () => 'done',
    (error: unknown) => asFailure(error).code,
  );
const BY = { who: 'Ann', why: 'spoke with the RIS' };

describe('work that a person has seen to', () => {
  let test: TestDatabase;
  let operations: Operations;
  let now = NOW;
  let controlIds = 0;
  before(async () => {
    test = await startDatabase();
    operations = createOperations({
      ...{ config: loadConfig(environmentOf(test.url)), db: test.db, now: () => now },
      onRefused: () => undefined,
    });
  });
  after(() => test[Symbol.asyncDispose]());
  beforeEach(() => {
    now = new Date(now.getTime() + 60_000);
  });

  const say = async (message: (head: { now: Date; controlId: string }) => string): Promise<string> => {
    const raw = Buffer.from(message({ now, controlId: `D${(controlIds += 1)}` }));
    return operations.receive({ raw, ...readFrame(raw), remoteAddress: '127.0.0.1' });
  };
  const listed = async (kind: string) => (await operations.work(1, VIEWER)).filter((item) => item.kind === kind);
  const [anna, bob] = [person('M1'), person('M2', { name: 'SMITH^Robert', birthDate: '19750505', sex: 'M' })];

  it('names of a withheld report the patient that it is of, and what to do about it, in the practice’s time', async () => {
    await say((head) => orm(head, anna, orderOf('W1', 'CT')));
    await say((head) => oru(head, bob, reportOf('W1', 'F', 'CT')));
    const [item, ...others] = await listed('report-withheld');
    expect(others).to.deep.equal([]);
    expect(item).to.include({
      subject: 'W1',
      patient: 'SMITH^Robert',
      reason: 'patient-differs: the study is of NGUYEN^PersonM1',
      sinceLocal: '2026-07-14 22:01',
    });
    expect(item?.next).to.contain('axis show W1').and.to.contain('axis done W1');
  });

  it('is listed no more, until something new of its kind comes', async () => {
    expect(await operations.endWork('W1', BY)).to.deep.equal(['report-withheld']);
    expect(await listed('report-withheld')).to.deep.equal([]);
    now = new Date(now.getTime() + 60_000);
    await say((head) => oru(head, bob, reportOf('W1', 'C', 'CT')));
    expect((await listed('report-withheld')).map(({ subject }) => subject)).to.deep.equal(['W1']);
    expect(await operations.endWork('W1', BY)).to.deep.equal(['report-withheld']);
    expect(await listed('report-withheld')).to.deep.equal([]);
  });

  it('is one refused message and no other', async () => {
    for (let at = 0; at < 2; at += 1)
      expect(await say((head) => orm(head, anna, orderOf('none')))).to.contain('MSA|AR');
    const [newest, older] = await listed('message-refused');
    expect(await operations.endWork(newest?.subject ?? '', BY)).to.deep.equal(['message-refused']);
    expect((await listed('message-refused')).map(({ subject }) => subject)).to.deep.equal([older?.subject]);
  });

  it('is never a text or a review, which are decided, nor what is not listed, nor done by nobody', async () => {
    expect((await listed('text-held')).map(({ subject }) => subject)).to.deep.equal(['W1']);
    await test.db.raw('DELETE FROM reports');
    for (const subject of ['W1', '2.25.1', '1', '99999999999999999999', "'; --", ''])
      expect(await codeOf(operations.endWork(subject, BY)), subject).to.equal('nothing-to-end');
    expect(await codeOf(operations.endWork('W1', { ...BY, who: ' ' }))).to.equal('who-missing');
  });

  it('is in the audit log', async () => {
    const rows: unknown = await test.db('audit_log').where({ what: 'work-done', outcome: 'ok' }).count('id AS count');
    expect(rows).to.deep.equal([{ count: '3' }]);
  });
});

describe('the list as it is printed', () => {
  const item = (kind: 'review' | 'text-held', subject: string, more = 0) => ({
    ...{ kind, subject, patient: null, accessionNumber: null, reason: 'why', next: 'next' },
    ...{ since: '2026-07-14T12:00:00Z', sinceLocal: '2026-07-14 22:00', more },
  });

  it('begins with how many there are of each kind', () => {
    const printed = workText([item('review', '2.25.1'), item('text-held', 'A1'), item('text-held', 'A2')]).split('\n');
    expect(printed.slice(0, 2)).to.deep.equal(['3 to see to: 1 review, 2 text-held.', '']);
    expect(printed[2]?.split(/  +/)[0]).to.equal('WHAT');
    expect(printed).to.have.length(7);
    expect(workText([])).to.equal('nothing needs a person\n');
  });

  it('says how many are not listed, and how to see them', () => {
    const cut = workText([item('review', '2.25.1'), item('review', '', 41)]);
    expect(cut.split('\n')[0]).to.equal(
      '42 to see to: 42 review. The newest 1 are listed; axis list --all lists more.',
    );
  });
});
