import { expect } from 'chai';
import fc from 'fast-check';
import { z } from 'zod';
import { BEGIN_SENDING, smsStatements } from '../../../texts/io/text-rows.ts';
import { keepReceipt } from '../../../texts/io/receipt-rows.ts';
import { query } from '../../../platform/postgres/query.ts';
import type { OptChoice } from '../../../texts/rules/opt-out.ts';
import { DELIVERY_STATUSES, standingReceipt, type Receipt } from '../../../texts/rules/receipt.ts';
import { startDatabase, type TestDatabase } from '../../support/database.ts';
import { NOW } from '../../support/episode.ts';

const NUMBER = '+61412345678';
const ROW = z.object({ vendorId: z.string(), status: z.string(), errorCode: z.number().nullable() });
let sids = 0;
const newSid = (): string => `SM${String((sids += 1)).padStart(32, '0')}`;
const later = (ms: number): Date => new Date(NOW.getTime() + ms);

describe('receipts and opt-outs in the database', () => {
  let database: TestDatabase;
  before(async () => {
    database = await startDatabase();
  });
  after(async () => {
    await database[Symbol.asyncDispose]();
  });
  const kept = (sid: string) =>
    query(
      database.db,
      `SELECT twilio_sid AS "vendorId", status, error_code AS "errorCode" FROM sms_receipts WHERE twilio_sid = :sid`,
      { sid },
      ROW,
    );
  const choose = (optedOut: boolean, sid = newSid()): OptChoice => ({ vendorId: sid, number: NUMBER, optedOut });
  const column = async (sql: string) =>
    (await query(database.db, sql, {}, z.object({ value: z.unknown() }))).map(({ value }) => value);

  /** A text of the final report of a patient with that number; its id. */
  const text = async (name: string, state: string): Promise<string> => {
    const [row] = await query(
      database.db,
      `WITH p AS (INSERT INTO patients (source, external_id, phone_number) VALUES ('ris', :name, :number) RETURNING id),
            s AS (INSERT INTO studies (patient_id, source, accession_number, accession_key, order_status)
                  SELECT id, 'ris', :name, :name, 'active' FROM p RETURNING id, patient_id),
            h AS (INSERT INTO hl7_messages (sending_application, sending_facility, control_id, message_type, raw, content_hash,
                                            remote_address, answer, acknowledgment, received_at)
                  VALUES ('RIS', '', :name, 'ORU^R01', '', '', '', 'AA', '', :now) RETURNING id),
            r AS (INSERT INTO reports (study_id, version, status, body, hl7_message_id, said_at, patient_id, created_at)
                  SELECT s.id, 1, 'final', 'Words.', h.id, :now, s.patient_id, :now FROM s, h)
       INSERT INTO sms_messages (study_id, state, to_number, body, sending_since, created_at, updated_at)
       SELECT id, :state, :number, 'Ready', :now, :now, :now FROM s RETURNING id`,
      { name, number: NUMBER, state, now: NOW },
      z.object({ id: z.string() }),
    );
    return row!.id;
  };

  it('hold the receipt that stands, whatever the order, also where they come at once', async () => {
    const one = fc.record({
      status: fc.constantFrom(...DELIVERY_STATUSES),
      errorCode: fc.constantFrom(null, 30003, 30005),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 8 }), fc.boolean(), async (told, atOnce) => {
        const sid = newSid();
        const receipts: Receipt[] = told.map((said) => ({ vendorId: sid, ...said }));
        if (atOnce) await Promise.all(receipts.map((receipt) => keepReceipt(database.db, receipt, NOW)));
        else for (const receipt of receipts) await keepReceipt(database.db, receipt, NOW);
        expect(await kept(sid)).to.deep.equal([receipts.reduce(standingReceipt)]);
      }),
      { numRuns: 60 },
    );
  });

  it('say when the end was told first, however often it comes', async () => {
    const [sid, status, errorCode] = [newSid(), 'delivered', null] as const;
    for (const ms of [0, 1000]) await keepReceipt(database.db, { vendorId: sid, status, errorCode }, later(ms));
    expect(await column(`SELECT received_at AS value FROM sms_receipts WHERE twilio_sid = '${sid}'`)).to.deep.equal([
      NOW,
    ]);
  });

  it('begin no text to a number that said STOP since it was planned', async () => {
    const texts = smsStatements(database.db, () => 'words');
    const id = await text('R1', 'queued');
    await database.operations.recordOptChoice(choose(true));
    await query(
      database.db,
      `UPDATE sms_messages SET state = 'queued', to_number = :number WHERE id = :id`,
      { id, number: NUMBER },
      z.unknown(),
    );
    expect(await texts.claim(id, later(1000), NOW)).to.deep.equal({ state: 'done' });
    expect(await column(`SELECT state || ' ' || reason AS value FROM sms_messages WHERE id = ${id}`)).to.deep.equal([
      'held opted-out',
    ]);
    expect(await texts.claim(id, later(1000), NOW)).to.deep.equal({ state: 'done' });
    await database.operations.recordOptChoice(choose(false));
  });

  it('keep that Twilio refused a number, as of when the call began, and once', async () => {
    const texts = smsStatements(database.db, () => 'words');
    const id = await text('R2', 'sending');
    const last = `SELECT opted_out AS value FROM sms_opt_outs WHERE number = '${NUMBER}' ORDER BY said_at DESC, id DESC LIMIT 1`;
    await texts.markOptedOut(id, later(-1), 'twilio-21610', later(5000));
    expect(await column(`SELECT state AS value FROM sms_messages WHERE id = ${id}`)).to.deep.equal(['sending']);
    for (let time = 0; time < 2; time += 1) await texts.markOptedOut(id, NOW, 'twilio-21610', later(5000));
    expect(await column(`SELECT state || ' ' || reason AS value FROM sms_messages WHERE id = ${id}`)).to.deep.equal([
      'failed twilio-21610',
    ]);
    expect(await column(last)).to.deep.equal([true]);
    expect(await column(`SELECT source AS value FROM sms_opt_outs WHERE source LIKE 'refused%'`)).to.have.length(1);
    await database.operations.recordOptChoice(choose(false));
    expect(await column(last)).to.deep.equal([false]);
  });

  it('show what was not delivered once the text knows its SID, which may come after the receipt', async () => {
    const [id, sid] = [await text('R3', 'sending'), newSid()];
    await keepReceipt(database.db, { vendorId: sid, status: 'undelivered', errorCode: 30003 }, NOW);
    const shown = async () =>
      (await database.operations.work(1, { who: 'test', from: '' })).filter(({ subject }) => subject === 'R3');
    expect(await shown()).to.deep.equal([]);
    await smsStatements(database.db, () => 'words').markSent(id, NOW, sid, later(1000));
    const [item] = await shown();
    expect(item).to.include({ kind: 'text-undelivered', reason: 'undelivered: twilio-30003' });
  });

  it('ask the last word of a number by an index', async () => {
    await query(
      database.db,
      `INSERT INTO sms_opt_outs (source, number, opted_out, said_at)
       SELECT 'x' || n, '+614' || lpad(CAST(n % 9000 AS text), 8, '0'), true, now() FROM generate_series(1, 20000) n`,
      {},
      z.unknown(),
    );
    await query(database.db, 'ANALYZE sms_opt_outs', {}, z.unknown());
    const plan = await query(
      database.db,
      `EXPLAIN ${BEGIN_SENDING}`,
      { smsId: '1', body: '', now: NOW },
      z.object({ 'QUERY PLAN': z.string() }),
    );
    expect(JSON.stringify(plan)).to.contain('sms_opt_outs_number').and.not.to.contain('Seq Scan on sms_opt_outs');
  });
});
