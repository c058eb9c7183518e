import { expect } from 'chai';
import { z } from 'zod';
import { readFrame } from '../../hl7/io/listener.ts';
import { query } from '../../platform/postgres/query.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { emptyTables, EPISODE, playEvent, tables } from '../support/episode.ts';
import { seg } from '../support/hl7-messages.ts';

const PID = seg('PID', { 3: 'S100^^^CLINIC^MR', 5: 'QUIRK^NOLA', 7: '19650301', 8: 'F', 13: '0491570156' });
const NUMBERS = { 2: 'PL10', 3: 'FI10', 24: 'CT' };
const text = (line: string) => seg('OBX', { 2: 'TX', 5: line, 11: 'F' });
let count = 0;
const message = (type: string, hour: number, ...segments: string[]): string => {
  count += 1;
  const at = `202607140${hour}0000`;
  return [`MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|${at}||${type}|N${count}|P|2.4`, PID, ...segments].join('\r');
};
const order = (hour: number, obr: Readonly<Record<number, string>>): string =>
  message('ORM^O01', hour, 'ORC|NW', seg('OBR', { ...NUMBERS, ...obr }));
const report = (hour: number, body: string, obr: Readonly<Record<number, string>> = {}): string =>
  message('ORU^R01', hour, seg('OBR', { ...NUMBERS, 25: 'F', ...obr }), text(body));

const KNOWN = 'study M1010 of S100@CLINIC: CT, active';
const TEXT = 'text queued to +61491570156';

describe('a report by the numbers of its order', () => {
  let test: TestDatabase;
  let operations: TestDatabase['operations'];
  before(async () => {
    test = await startDatabase();
    operations = test.operationsWith({ TEXT_WITHOUT_ORDER: 'true' });
  });
  after(() => test[Symbol.asyncDispose]());
  beforeEach(() => emptyTables(test.db));

  const receive = async (...messages: string[]): Promise<void> => {
    for (const one of messages) {
      const raw = Buffer.from(`${one}\r`);
      const ack = await operations.receive({ raw, ...readFrame(raw), remoteAddress: '127.0.0.1' });
      expect(ack).to.include('MSA|AA|');
    }
  };
  const all = async (): Promise<string[]> => (await tables(test.db)).filter((line) => !line.startsWith('patient'));
  const rows = <T>(sql: string, row: z.ZodType<T>): Promise<T[]> => query(test.db, sql, {}, row);
  const sent = () => test.db.raw("UPDATE sms_messages SET state = 'sent', sent_at = now(), twilio_sid = 'SM1'");

  it('takes its text along, one that was sent too, so that there is one', async () => {
    await receive(report(1, 'one'));
    expect(await all()).to.deep.equal([`study FI10 of S100@CLINIC: CT, none, final report, ${TEXT}`]);
    await receive(order(2, { 18: 'M1010' }));
    expect(await all()).to.deep.equal([`${KNOWN}, final report, ${TEXT}`]);

    await emptyTables(test.db);
    await receive(report(1, 'one'));
    await sent();
    await receive(order(2, { 18: 'M1010' }), report(3, 'two', { 18: 'M1010' }));
    expect(await all()).to.deep.equal([`${KNOWN}, final report + final report, text sent to +61491570156`]);
  });

  it('takes along that a text of another study told of it, waiting or sent', async () => {
    const two = [seg('OBR', { 2: 'PL9', 3: 'FI9', 24: 'CT', 25: 'F' }), text('nine')];
    const both = (hour: number) => message('ORU^R01', hour, ...two, seg('OBR', { ...NUMBERS, 25: 'F' }), text('ten'));
    await receive(both(1));
    const told = 'final report, told of with FI9';
    const nine = (state: string) => `study FI9 of S100@CLINIC: CT, none, final report, text ${state} to +61491570156`;
    expect(await all()).to.deep.equal([`study FI10 of S100@CLINIC: CT, none, ${told}`, nine('queued')]);
    await receive(order(2, { 18: 'M1010' }));
    expect((await all()).filter((line) => line.includes('text '))).to.have.length(1);

    await emptyTables(test.db);
    await receive(both(1));
    await sent();
    await receive(order(2, { 18: 'M1010' }));
    expect(await all()).to.deep.equal([nine('sent'), `${KNOWN}, ${told}`]);
  });

  it('takes no second text to a study that waits to send its own', async () => {
    await receive(report(1, 'one', { 2: '', 3: 'OTHER1', 18: 'M1010' }), report(2, 'two'));
    await test.db.raw("UPDATE sms_messages SET state = 'sent' WHERE study_id = (SELECT id FROM studies WHERE accession_key = 'FI10')"); // prettier-ignore
    await receive(order(3, { 18: 'M1010' }));
    expect(await all()).to.deep.equal([`${KNOWN}, final report + final report, text sent to +61491570156`]);
  });

  it('keeps versions, messages and texts of several reports apart', async () => {
    await receive(report(3, 'three', { 18: 'M1010' }), report(1, 'one'), report(2, 'two'), order(4, { 18: 'M1010' }));
    const found = await rows(
      'SELECT r.body, r.version FROM reports r JOIN studies s ON s.id = r.study_id ORDER BY r.said_at',
      z.object({ body: z.string(), version: z.number() }),
    );
    expect(found.map(({ body }) => body)).to.deep.equal(['one', 'two', 'three']);
    expect(new Set(found.map(({ version }) => version)).size).to.equal(3);
  });

  it('goes back with its text where another order has the number too, and comes again where that is corrected', async () => {
    await receive(order(1, { 18: 'M1010' }), report(2, 'one'), order(3, { 18: 'M2020' }));
    expect(await all()).to.deep.equal([
      `study FI10 of S100@CLINIC: CT, none, final report, ${TEXT}`,
      KNOWN,
      'study M2020 of S100@CLINIC: CT, active',
    ]);
    await receive(order(4, { 2: 'PL20', 3: 'FI20', 18: 'M2020' }));
    expect(await all()).to.deep.equal([`${KNOWN}, final report, ${TEXT}`, 'study M2020 of S100@CLINIC: CT, active']);
  });

  it('is read again as what it was', async () => {
    await receive(order(1, { 18: 'M1010' }), report(2, 'one'));
    const before = [await all(), await rows('SELECT id, version, study_id, body FROM reports', z.unknown())];
    for (const { id } of await rows(
      'SELECT CAST(id AS text) AS id FROM hl7_messages ORDER BY id',
      z.object({ id: z.string() }),
    )) {
      await test.operations.replay(id, { who: 'tester', why: 'test' });
    }
    expect([await all(), await rows('SELECT id, version, study_id, body FROM reports', z.unknown())]).to.deep.equal(
      before,
    );
    const [fact] = await rows("SELECT accession_key, said_key FROM study_facts WHERE kind = 'report'", z.unknown());
    expect(fact).to.deep.equal({ accession_key: 'M1010', said_key: 'FI10' });
  });

  it('takes along the images that were under the number that it gave, and the rules decide them anew', async () => {
    const nola = { id: 'S100', issuer: 'CLINIC', name: 'QUIRK^NOLA', birthDate: '19650301' };
    const images = { study: '2.25.7', patient: 'nola', tags: { AccessionNumber: 'FI10', StudyDate: '20260712' } };
    const episode = EPISODE.parse({ why: '', patients: { nola }, events: [{ images }], expected: [] });
    await receive(report(1, 'one'));
    await playEvent(test.db, operations, episode, 0);
    expect((await all())[1]).to.include('images 2.25.7: linked (accession), in FI10');
    await receive(order(2, { 18: 'M1010' }));
    const [study, image] = await all();
    expect(study).to.equal(`${KNOWN}, final report, ${TEXT}`);
    expect(image).to.include('images 2.25.7: provisional (no-order, accession-unknown), in a study of their own');
    expect(await rows("SELECT id FROM studies WHERE accession_key = 'FI10'", z.unknown())).to.deep.equal([]);
  });

  for (const also of ['A2020', 'M2020']) {
    for (const person of [true, false]) {
      const by = person ? 'a person' : 'the rules';
      it(`takes along one of several links by ${by}, beside ${also}`, async () => {
        const nola = { id: 'S100', issuer: 'CLINIC', name: 'QUIRK^NOLA', birthDate: '19650301' };
        const images = { study: '2.25.8', patient: 'nola', tags: { AccessionNumber: `FI10\\${also}` } };
        const episode = EPISODE.parse({ why: '', patients: { nola }, events: [{ images }], expected: [] });
        const other = order(1, { 2: 'PL20', 3: 'FI20', 18: also });
        await receive(other, report(2, 'one'));
        await playEvent(test.db, operations, episode, 0);
        if (person) await test.operations.resolve('2.25.8', { kind: 'confirm' }, { who: 'Ann', why: 'seen' });
        const link = async () => (await all()).find((line) => line.startsWith('images'));
        expect(await link()).to.include(
          `linked (${person ? 'person, seen' : 'accession'}), in ${[also, 'FI10'].sort().join(' and ')},`,
        );
        await receive(order(3, { 18: 'M1010' }));
        expect(await link()).to.include(
          person ? `linked (person, seen), in ${[also, 'M1010'].sort().join(' and ')},` : 'images 2.25.8: ',
        );
        expect(await rows("SELECT id FROM studies WHERE accession_key = 'FI10'", z.unknown())).to.deep.equal([]);
      });
    }
  }
});
