import { expect } from 'chai';
import { asFailure } from '../../platform/rules/failure.ts';
import { orderFor, pidOf, reportFor, startTextDesk, type TextDesk } from '../support/text-desk.ts';

const BY = { who: 'Ann', why: 'asked the patient' };
const VIEWER = { who: 'Ann', from: '' };
const MOBILE = '0412100001';
const HOUR_MS = 3_600_000;

describe('texts that persons decide about', () => {
  let desk: TextDesk;
  beforeEach(async () => {
    desk = await startTextDesk();
  });
  afterEach(() => desk[Symbol.asyncDispose]());

  const pid = (phone = MOBILE, more = {}) => pidOf('p1', 'ALDER^ANNA', phone, more);
  const order = (accession = 'A1') => desk.hear('ORM^O01', '20261201100000', pid(), ...orderFor(accession));
  const report = (...how: Parameters<typeof reportFor>) =>
    desk.hear('ORU^R01', '20261201101000', pid(''), ...reportFor(...how));
  const code = async (act: Promise<void>): Promise<string> =>
    act.then(
      () => 'done',
      (error: unknown) => asFailure(error).code,
    );
  const decide = (kind: 'send' | 'done', again = false, accession = 'A1') =>
    code(desk.operations.decideText(accession, kind === 'send' ? { kind, again } : { kind }, BY));
  const work = async () =>
    (await desk.operations.work(0, VIEWER)).map(({ kind, subject, reason }) => [kind, subject, reason]);

  it('are listed with their reason and the next step in words', async () => {
    await order();
    await report('A1', 'F', { words: '' });
    const [item] = await desk.operations.work(0, VIEWER);
    expect(item).to.include({ kind: 'text-held', subject: 'A1', reason: 'report-empty' });
    expect(item?.next).to.contain('with its words');
    expect(await desk.operations.showText('a1', VIEWER)).to.include({ state: 'held', known: '001', to: null });
  });

  it('without an order are listed after an hour, sent by one act, and let go by the order', async () => {
    await report('A1', 'F');
    expect(await desk.texts()).to.deep.equal(['A1: held no-order']);
    expect(await work()).to.deep.equal([]);
    desk.now = new Date(desk.now.getTime() + HOUR_MS);
    expect(await work()).to.deep.equal([['text-held', 'A1', 'no-order']]);
    await desk.hear('ADT^A08', '20261201102000', pid());
    expect(await decide('send')).to.equal('done');
    expect(await desk.texts()).to.deep.equal(['A1: queued to +61412100001']);
    await report('A2', 'F');
    await order('A2');
    expect(await desk.texts()).to.include('A2: queued to +61412100001');
  });

  it('of reports that were old when they came wait for a person', async () => {
    await order();
    await report('A1', 'F', { at: '20261101' });
    expect(await desk.texts()).to.deep.equal(['A1: held report-old']);
    expect(await decide('send')).to.equal('done');
    expect(await decide('send')).to.equal('text-under-way');
    expect(await desk.texts()).to.deep.equal(['A1: queued to +61412100001']);
  });

  it('are not sent against the rule of release, STOP or without a number', async () => {
    await order();
    await report('A1', 'F', { words: '' });
    expect(await decide('send')).to.equal('text-not-possible');
    expect(await desk.texts()).to.deep.equal(['A1: held report-empty']);
    await report('A1', 'F', { at: '20261101' });
    await desk.operations.recordOptChoice({ vendorId: 'SM1', number: '+61412100001', optedOut: true });
    expect(await decide('send')).to.equal('text-not-possible');
    expect(await decide('send', false, 'A9')).to.equal('text-unknown');
  });

  it('that are ended are never sent, and leave the list', async () => {
    await order();
    await report('A1', 'F', { words: '' });
    expect(await decide('done')).to.equal('done');
    expect(await decide('done')).to.equal('nothing-to-end');
    await report('A1', 'C');
    expect(await desk.texts()).to.deep.equal(['A1: failed ended']);
    expect(await work()).to.deep.equal([]);
  });

  it('of patients who have died are held, and let go where that was a mistake', async () => {
    await order();
    await desk.hear('ADT^A08', '20261201100500', pid(MOBILE, { 29: '20261128', 30: 'Y' }));
    await report('A1', 'F');
    expect(await desk.texts()).to.deep.equal(['A1: held patient-deceased']);
    await desk.hear('ADT^A08', '20261201102000', pid(MOBILE, { 30: 'N' }));
    expect(await desk.texts()).to.deep.equal(['A1: queued to +61412100001']);
    await desk.hear('ADT^A08', '20261201102500', pid(MOBILE, { 29: '20261128' }));
    expect(await desk.texts()).to.deep.equal(['A1: held patient-deceased']);
  });

  it('wait while their study or patient is held, whatever number the patient had', async () => {
    await order();
    await report('A1', 'F');
    const study = { kind: 'study', accessionNumber: 'a1' } as const;
    const patient = { kind: 'patient', patientId: 'P1', issuer: null } as const;
    await desk.operations.hold('hold', study, BY);
    expect(await desk.texts()).to.deep.equal(['A1: held study-held']);
    expect(await code(desk.operations.hold('hold', study, BY))).to.equal('held-already');
    await desk.operations.hold('hold', patient, BY);
    await desk.operations.hold('unhold', study, BY);
    expect(await desk.texts()).to.deep.equal(['A1: held patient-held']);
    expect(await work()).to.deep.include(['held', 'p1', 'asked the patient']);
    await desk.hear('ADT^A40', '20261201103000', pidOf('p2', 'ALDER^ANNA', MOBILE), 'MRG|p1^^^^MR');
    expect(await desk.texts()).to.deep.equal(['A1: held patient-held']);
    await desk.operations.hold('unhold', patient, BY);
    expect(await desk.texts()).to.deep.equal(['A1: queued to +61412100001']);
    expect(await code(desk.operations.hold('unhold', patient, BY))).to.equal('not-held');
  });

  it('that were sent are listed when their report is withdrawn or corrected, until it is seen to', async () => {
    await order();
    await report('A1', 'F');
    const sent = `UPDATE sms_messages SET state = 'sent', sending_since = '2026-12-01T00:00:00Z', sent_at = '2026-12-01T00:00:01Z'`;
    await desk.db.raw(sent);
    desk.now = new Date(desk.now.getTime() + HOUR_MS);
    await report('A1', 'P');
    expect(await work()).to.deep.equal([]);
    await report('A1', 'C');
    expect(await work()).to.deep.equal([['text-seen-to', 'A1', 'report-corrected']]);
    await report('A1', 'X');
    expect(await work()).to.deep.equal([['text-seen-to', 'A1', 'report-withdrawn']]);
    desk.now = new Date(desk.now.getTime() + HOUR_MS);
    expect(await decide('done')).to.equal('done');
    expect(await work()).to.deep.equal([]);
    desk.now = new Date(desk.now.getTime() + HOUR_MS);
    await report('A1', 'F');
    await report('A1', 'X');
    expect(await work()).to.deep.equal([['text-seen-to', 'A1', 'report-withdrawn']]);
    expect(await decide('send')).to.equal('text-sent');
    expect(await decide('send', true)).to.equal('text-not-possible');
    await report('A1', 'F');
    expect(await decide('send', true)).to.equal('done');
    expect(await desk.texts()).to.deep.equal(['A1: queued to +61412100001']);
  });

  it('that went to the patient whose study it was before are listed (an order after a report of another patient)', async () => {
    desk = await startTextDesk({ TEXT_WITHOUT_ORDER: 'true' });
    await desk.hear('ORU^R01', '20261201010000', pid(), ...reportFor('A1'));
    await desk.db.raw(`UPDATE sms_messages SET state = 'sent', sending_since = now(), sent_at = now()`);
    const bob = (phone: string) => pidOf('b1', 'BIRCH^BOB', phone, { 7: '19600606' });
    await desk.hear('ORM^O01', '20261201020000', bob('0412100021'), ...orderFor('A1'));
    await desk.hear('ORU^R01', '20261201030000', bob(''), ...reportFor('A1', 'C'));
    expect(await work()).to.deep.include(['text-seen-to', 'A1', 'text-to-former-patient']);
    expect(await decide('send', true)).to.equal('done');
    expect(await desk.texts()).to.deep.equal(['A1: queued to +61412100021']);
  });
});

describe('texts that are on their way', () => {
  it('are planned anew when they come back, from what became known meanwhile', async () => {
    await using desk = await startTextDesk();
    const pid = (phone: string) => pidOf('p1', 'ALDER^ANNA', phone);
    const begin = async () => {
      await desk.db.raw(
        `UPDATE sms_messages SET state = 'sending', sending_since = '2026-12-01T00:00:00Z', attempts = 1`,
      );
    };
    const back = () =>
      desk.operations.settling.requeue(
        '1',
        { since: new Date('2026-12-01T00:00:00Z'), reason: 'not-taken', notBefore: desk.now, isCounted: true },
        desk.now,
      );
    await desk.hear('ORM^O01', '20261201010000', pid(MOBILE), ...orderFor('A1'));
    await desk.hear('ORU^R01', '20261201011000', pid(''), ...reportFor('A1'));
    await begin();
    await desk.hear('ADT^A08', '20261201020000', pid('0412100003'));
    await back();
    expect(await desk.texts()).to.deep.equal(['A1: queued to +61412100003 not-taken']);
    await begin();
    await desk.hear('ORU^R01', '20261201030000', pid(''), ...reportFor('A1', 'X'));
    await back();
    expect(await desk.texts()).to.deep.equal(['A1: held report-cancelled']);
  });
});
