import { expect } from 'chai';
import fc from 'fast-check';
import { z } from 'zod';
import { listWork } from '../../operators/io/work-rows.ts';
import { query } from '../../platform/postgres/query.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { NOW } from '../support/episode.ts';
import { listen } from '../support/hl7-listener.ts';
import { connectSender, type MllpSender } from '../support/mllp-sender.ts';
import { mllpFrame } from '../../hl7/rules/mllp.ts';

const RUNS = Number(process.env['FIELD_RUNS'] ?? 150);
const verdict = (ack = ''): string => /\rMSA\|(\w\w)/.exec(ack)?.[1] ?? 'none';

describe('messages of the field, to the listener and the database', () => {
  const started = new AsyncDisposableStack();
  let test: TestDatabase;
  let sender: MllpSender;
  let answered = 0;
  before(async () => {
    test = started.use(await startDatabase());
    const { receive } = test.operations;
    const { port } = started.use(await listen({ handle: receive, answerTimeoutMs: 20_000 }));
    sender = started.use(await connectSender(port));
  });
  after(() => started.disposeAsync());

  const send = async (bytes: Buffer | string): Promise<string> => {
    await sender.write(mllpFrame(Buffer.from(bytes)));
    return (await sender.answers((answered += 1), 30_000)).at(-1) ?? '';
  };
  const msh = (type: string, controlId: string, more = '', from = 'RIS') =>
    `MSH|^~\\&|${from}|CLINIC|AXIS|AXIS|20260401120000||${type}|${controlId}|P|2.4${more}\r`;
  const PID = 'PID|1||P1^^^CLINIC^MR||Doe^Jane||19800203|F\r';

  it('take an order whose OBR-13 has line ends, which stay in that field', async () => {
    const order = `${msh('ORM^O01', 'H01')}${PID}ORC|NW|P1|F1\rOBR|1|P1|F1|CTCH^CT Chest|||20260401||||||Cough\rEx-smoker, ?mass|||||ACC7|ACC7|||||CT\r`;
    expect(verdict(await send(order))).to.equal('AA');
    const ROW = z.object({ accession_number: z.string(), modality: z.string() });
    expect(await query(test.db, 'SELECT accession_number, modality FROM studies', {}, ROW)).to.deep.equal([
      { accession_number: 'ACC7', modality: 'CT' },
    ]);
  });

  it('refuse an accession number that is too long or has what nobody sees, with the reason, and alter none', async () => {
    const order = (accession: string, controlId: string) =>
      `${msh('ORM^O01', controlId, '||||||UNICODE UTF-8')}${PID}ORC|NW\rOBR|1${'|'.repeat(17)}${accession}|\r`;
    const bad = [`${'A'.repeat(64)}1`, 'A\u200B1', 'A\u202E1', '\u2066A1', 'A\t1', 'A\\X07\\1', 'A\n1', 'A\u00AD1'];
    for (const [index, accession] of bad.entries()) {
      const ack = await send(order(accession, `AX${index}`));
      expect(ack, JSON.stringify(accession)).to.match(
        /\rMSA\|AR\|AX\d\|the accession number (is longer|has a control)/,
      );
      expect(ack)
        .to.match(/\rERR\|OBR\^1\^18\^102/)
        .and.to.include('HL7_ACCESSION_FIELDS');
    }
    const good = [`${'A'.repeat(63)}1`, 'A/1&x=é %', ' B 1^^'];
    for (const [index, accession] of good.entries()) {
      expect(verdict(await send(order(accession.replace('&', '\\T\\'), `AY${index}`)))).to.equal('AA');
    }
    const ROW = z.object({ accession_number: z.string() });
    const rows = await query(test.db, 'SELECT accession_number FROM studies ORDER BY id OFFSET 1', {}, ROW);
    expect(rows.map((row) => row.accession_number)).to.deep.equal([`${'A'.repeat(63)}1`, 'A/1&x=é %', 'B 1']);
  });

  it('acknowledge what nobody asked for, keep it, count it by type and sender, and take its merges', async () => {
    expect(verdict(await send(`${msh('ADT^A03', 'H25')}EVN|A03\r${PID}`))).to.equal('AA');
    expect(verdict(await send(`${msh('ADT^A03', 'H26')}EVN|A03\r`))).to.equal('AA');
    expect(verdict(await send(`${msh('SIU^S14', 'H27', '', 'BOOKING')}SCH|1\r`))).to.equal('AA');
    expect(verdict(await send(`${msh('ADT^A06', 'H28')}${PID}MRG|OLD^^^CLINIC^MR\r`))).to.equal('AA');
    const ROW = z.object({ type: z.string(), sender: z.string(), count: z.number() });
    const sql = `SELECT message_type AS type, sending_application AS sender, count(*)::int AS count
                 FROM hl7_messages WHERE ignored GROUP BY 1, 2 ORDER BY 1`;
    expect(await query(test.db, sql, {}, ROW)).to.deep.equal([
      { type: 'ADT^A03', sender: 'RIS', count: 2 },
      { type: 'ADT^A06', sender: 'RIS', count: 1 },
      { type: 'SIU^S14', sender: 'BOOKING', count: 1 },
    ]);
    const MERGED = z.object({ external_id: z.string(), name: z.string().nullable() });
    const merged = `SELECT s.external_id, s.name FROM patients p JOIN patients s ON s.id = p.merged_into WHERE p.external_id = 'OLD'`;
    expect(await query(test.db, merged, {}, MERGED)).to.deep.equal([{ external_id: 'P1', name: 'Doe^Jane' }]);
  });

  it('are one line of work a type and sender where nobody takes their type, newest first, cut with a word', async () => {
    await test.db.raw('DELETE FROM hl7_messages WHERE answer = ?', ['AR']);
    for (let at = 0; at < 5; at += 1) expect(verdict(await send(msh('MDM^T02', `W${at}`)))).to.equal('AR');
    expect(verdict(await send(msh('MDM^T02', 'V1', '', 'OTHER')))).to.equal('AR');
    for (let at = 0; at < 3; at += 1) expect(verdict(await send(msh('ADT^A08', `U${at}`)))).to.equal('AR');
    await test.db.raw("UPDATE hl7_messages SET received_at = received_at + id * interval '1 second'");
    const refused = async (limit?: number) =>
      (
        await listWork(test.db, {
          provisionalBefore: NOW,
          orderlessBefore: NOW,
          timeZone: 'Australia/Melbourne',
          limit,
        })
      ).filter(({ kind }) => kind === 'message-refused');
    const [u2, u1, u0, other, ris] = await refused();
    expect([u2, u1, u0].map((one) => one?.reason)).to.deep.equal(Array(3).fill('ADT^A08: PID segment missing'));
    expect(other?.reason).to.equal('MDM^T02: this message type is not taken (1 message of OTHER|CLINIC)');
    expect(ris?.reason).to.equal('MDM^T02: this message type is not taken (5 messages of RIS|CLINIC)');
    expect(Number(u2?.subject)).to.be.greaterThan(Number(u1?.subject));
    expect((await refused(2)).map(({ subject, reason }) => [subject === '', reason])).to.deep.equal([
      [false, 'ADT^A08: PID segment missing'],
      [false, 'ADT^A08: PID segment missing'],
      [true, '3 more, which are older'],
    ]);
  });

  it('are AA or AR, never AE, whatever bytes any field of MSH holds', async () => {
    const bytes = fc.uint8Array({ maxLength: 40 }).map((some) => Buffer.from(some).toString('latin1'));
    const usual = fc.constantFrom(
      'RIS',
      'ADT^A08',
      'ORM^O01',
      'ADT^A03',
      'T',
      'P',
      '2.1',
      '2.5.1',
      'AL',
      'UNICODE UTF-8',
    );
    const odd = fc.constantFrom(
      'constructor',
      '__proto__^toString',
      '\\X00\\',
      '\\XFF\\',
      'é'.repeat(300),
      '"".',
      '𝔘'.repeat(150),
    );
    const field = fc.oneof(bytes, usual, odd, fc.constant(''));
    const fields = fc.array(field, { minLength: 10, maxLength: 18 });
    const apart = ({ values, at, value }: { values: string[]; at: number; value: string }) =>
      values.map((one, index) => (index === at ? value : one));
    const good = [
      '^~\\&',
      'RIS',
      'CLINIC',
      'AXIS',
      'AXIS',
      '20260401',
      '',
      'ADT^A08',
      '42',
      'P',
      '2.5.1',
      '',
      '',
      '',
      '',
      '',
      '',
      '',
    ];
    const one = fc.record({ values: fc.constant(good), at: fc.nat(17), value: field }).map(apart);
    await fc.assert(
      fc.asyncProperty(fc.oneof(fields, one), fc.constantFrom('latin1', 'utf8'), async (values, encoding) => {
        const clean = values.map((value) =>
          value
            .replaceAll('\x0b', '')
            .replaceAll('\x1c', '')
            .replace(/^(AL|NE|ER|SU)$/i, ''),
        );
        const text = `MSH|${clean.join('|')}\rPID|||P1\r`;
        expect(verdict(await send(Buffer.from(text, encoding))), JSON.stringify(text)).to.be.oneOf(['AA', 'AR']);
      }),
      { numRuns: RUNS },
    );
  }).timeout(120_000);
});
