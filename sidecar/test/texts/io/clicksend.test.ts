import { expect } from 'chai';
import { z } from 'zod';
import { Failure } from '../../../platform/rules/failure.ts';
import { query } from '../../../platform/postgres/query.ts';
import { FIRST_LOOK_MS, LAST_LOOK_MS, sendSms } from '../../../texts/flows/send.ts';
import { createTextGateway, openTextGateway } from '../../../texts/gateway.ts';
import { Refusal, type RefusalMeaning, type TextGateway } from '../../../texts/rules/vendor.ts';
import { sendingBy } from '../../../texts/sending.ts';
import { TEXTS_SETTINGS } from '../../../texts/settings.ts';
import { startDatabase, type TestDatabase } from '../../support/database.ts';
import { startClickSendStandIn, type ClickSendEnd, type ClickSendStandIn } from './clicksend-stand-in.ts';
import { clickSendVendor, createClickSend } from './clicksend.ts';

const TO = '+61412345678';
const START = new Date('2026-04-01T02:00:00Z'); // 13:00 in Melbourne
const ACCOUNT = { username: 'axis', apiKey: 'secret-key' };
const SETTINGS = TEXTS_SETTINGS.parse({
  PORTAL_URL: 'https://portal.example',
  SMS_TEMPLATE: '{practice}: your {modality} results are ready! View: {url}',
  PRACTICE_NAME: 'Axis',
});
const ROW = z.object({ state: z.string(), reason: z.string().nullable(), id: z.string().nullable() });

const failureOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => new Error('did not fail'),
    (error: unknown) => error,
  );

describe('another vendor of texts, by one file and its registration', () => {
  let database: TestDatabase;
  let standIn: ClickSendStandIn;
  let gateway: TextGateway & AsyncDisposable;
  let now: Date;
  let texts = 0;
  before(async () => {
    database = await startDatabase();
  });
  after(async () => {
    await database[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    now = START;
    standIn = await startClickSendStandIn({ ...ACCOUNT, now: () => now });
    gateway = await openTextGateway(SETTINGS, {
      now: () => now,
      log: { warn: () => expect.fail('a sandbox') },
      vendors: clickSendVendor({ ...ACCOUNT, apiUrl: standIn.url }),
    });
  });
  afterEach(async () => {
    await gateway[Symbol.asyncDispose]();
    await standIn[Symbol.asyncDispose]();
  });

  /** A text that waits in the database, and the real flow for it. */
  const waiting = async () => {
    const name = `CS${(texts += 1)}`;
    const [row] = await query(
      database.db,
      `WITH p AS (INSERT INTO patients (source, external_id, phone_number) VALUES ('ris', :name, :to) RETURNING id),
            s AS (INSERT INTO studies (patient_id, source, accession_number, accession_key) SELECT id, 'ris', :name, :name FROM p RETURNING id)
       INSERT INTO sms_messages (study_id, state, to_number, body, created_at, updated_at)
       SELECT id, 'queued', :to, 'Ready ' || :name, :now, :now FROM s RETURNING id`,
      { name, to: TO, now },
      z.object({ id: z.string() }),
    );
    const id = row!.id;
    const settings = { ...SETTINGS, timeZone: 'Australia/Melbourne' };
    const sending = sendingBy(settings, { db: database.db, gateway, now: () => now, random: () => 0.5 });
    const select = 'SELECT state, reason, twilio_sid AS id FROM sms_messages WHERE id = :id';
    return {
      send: () => sendSms(sending, id),
      stands: async () => (await query(database.db, select, { id }, ROW))[0],
    };
  };
  const pass = (ms: number): void => {
    now = new Date(now.getTime() + ms);
  };

  it('sends a text once', async () => {
    const { send, stands } = await waiting();
    expect(await send()).to.equal(null);
    expect(await send()).to.equal(null);
    expect(standIn.taken.map(({ to }) => to)).to.deep.equal([TO]);
    expect(await stands()).to.deep.equal({ state: 'sent', reason: null, id: standIn.taken[0]?.message_id });
  });

  it('gives up a number that is refused, with the vendor’s code, and does not ask again', async () => {
    standIn.ends.push('INVALID_RECIPIENT');
    const { send, stands } = await waiting();
    expect(await send()).to.equal(null);
    expect(await send()).to.equal(null);
    expect(await stands()).to.deep.equal({ state: 'failed', reason: 'clicksend-INVALID_RECIPIENT', id: null });
    expect(standIn.asked()).to.equal(1);
  });

  it('puts a text off while the account is out of credit, and sends it once there is some', async () => {
    standIn.ends.push('INSUFFICIENT_CREDIT');
    const { send, stands } = await waiting();
    expect(await send()).to.deep.equal({ again: new Date(START.getTime() + 46_500) });
    expect(await stands()).to.deep.equal({ state: 'queued', reason: 'clicksend-INSUFFICIENT_CREDIT', id: null });
    pass(46_500);
    expect(await send()).to.equal(null);
    expect(standIn.taken).to.have.length(1);
    expect(await stands()).to.include({ state: 'sent', id: standIn.taken[0]?.message_id });
  });

  it('settles an unclear end by the history: what is shown there is not sent again', async () => {
    standIn.ends.push('SUCCESS', { silent: 'taken' });
    await (await waiting()).send();
    const { send, stands } = await waiting();
    expect(await send()).to.deep.equal({ again: new Date(START.getTime() + FIRST_LOOK_MS) });
    expect(await stands()).to.include({ state: 'sending' });
    pass(FIRST_LOOK_MS);
    expect(await send()).to.equal(null);
    expect(standIn.taken).to.have.length(2);
    expect(await stands()).to.deep.equal({ state: 'sent', reason: null, id: standIn.taken[1]?.message_id });
  });

  it('sends again what the history has long not shown', async () => {
    standIn.ends.push({ silent: 'not-taken' });
    const { send, stands } = await waiting();
    await send();
    pass(LAST_LOOK_MS);
    expect(await send()).to.deep.equal({ again: now });
    expect(await send()).to.equal(null);
    expect(standIn.taken).to.have.length(1);
    expect(await stands()).to.include({ state: 'sent', id: standIn.taken[0]?.message_id });
  });

  for (const [end, meaning] of [
    ['INVALID_RECIPIENT', 'this-number'],
    ['COUNTRY_NOT_ENABLED', 'this-country'],
    ['INSUFFICIENT_CREDIT', 'this-account'],
    [403, 'this-account'],
    ['THROTTLED', 'later'],
    [429, 'later'],
    ['EMPTY_MESSAGE', 'permanent'],
    [400, 'permanent'],
  ] satisfies readonly (readonly [ClickSendEnd, RefusalMeaning])[]) {
    it(`takes ${end} for: ${meaning}`, async () => {
      standIn.ends.push(end);
      const failure = await failureOf(gateway.send({ to: TO, body: 'Ready' }));
      expect(failure).to.be.instanceOf(Refusal);
      expect(failure).to.include({ meaning, code: `clicksend-${end}` });
    });
  }

  it('takes for no refusal what may have been taken', async () => {
    for (const end of [500, 'A_NEW_WORD', { silent: 'taken' }] as const) {
      standIn.ends.push(end);
      const failure = await failureOf(gateway.send({ to: TO, body: 'Ready' }));
      expect(failure).to.be.instanceOf(Failure).and.not.instanceOf(Refusal);
      expect(failure).to.include({ kind: 'ambiguous' });
    }
  });

  it('says whether the account works', async () => {
    expect(await gateway.check()).to.deep.equal({ active: true, status: 'active', trial: false });
    const stranger = createClickSend({ ...ACCOUNT, apiKey: 'another', apiUrl: standIn.url, timeoutMs: 1000 });
    expect(await failureOf(stranger.check())).to.include({ meaning: 'this-account', code: 'clicksend-401' });
  });

  it('is no vendor of production', () => {
    const settings = { ...SETTINGS, CLICKSEND_USERNAME: 'axis', CLICKSEND_API_KEY: 'secret-key' };
    expect(createTextGateway(settings)).to.equal(null);
  });
});
