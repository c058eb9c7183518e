import { expect } from 'chai';
import { createTextGateway, openTextGateway, type TextVendors } from '../../texts/gateway.ts';
import { smsCallbacks } from '../../texts/callbacks.ts';
import { twilioCallbacks } from '../../texts/io/twilio-callbacks.ts';
import type { TextGateway } from '../../texts/rules/vendor.ts';
import { sendingBy } from '../../texts/sending.ts';
import { TEXTS_SETTINGS } from '../../texts/settings.ts';
import { openDatabase } from '../../platform/postgres/database.ts';

const never = () => Promise.reject(new Error('not here'));
const gateway: TextGateway = { send: never, find: never, check: never, callbacks: null };
const parse = (more: Record<string, string> = {}) =>
  TEXTS_SETTINGS.parse({ PORTAL_URL: 'https://portal.example', ...more });

/** Where the words of a log go. */
const listening = () => {
  const said: string[] = [];
  return { said, warn: (...words: readonly unknown[]) => void said.push(words.map(String).join(' ')) };
};

describe('the gateway of texts', () => {
  it('is that of the first vendor that the settings name an account of, and of none without', () => {
    const asked: string[] = [];
    const vendors: TextVendors = {
      One: () => (asked.push('One'), null),
      Two: (_settings, { statusCallback, timeoutMs }) => {
        asked.push(`Two ${String(statusCallback)} ${timeoutMs}`);
        return gateway;
      },
    };
    const settings = parse({ PUBLIC_URL: 'https://axis.example' });
    expect(createTextGateway(settings, { vendors, timeoutMs: 7 })).to.equal(gateway);
    expect(asked).to.deep.equal(['One', 'Two https://axis.example/api/sms/status 7']);
    expect(createTextGateway(settings, { vendors: { One: () => null } })).to.equal(null);
  });

  it('is Twilio’s where the settings have its credentials', () => {
    const credentials = { TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`, TWILIO_AUTH_TOKEN: 'token' };
    expect(createTextGateway(parse(credentials))?.callbacks?.vendor).to.equal('Twilio');
    expect(createTextGateway(parse({ TWILIO_AUTH_TOKEN: 'token' }))).to.equal(null);
    expect(createTextGateway(parse())).to.equal(null);
  });

  it('is a sandbox where there are no credentials, which it says loudly', async () => {
    const log = listening();
    await using opened = await openTextGateway(parse(), { now: () => new Date(), log });
    expect(log.said).to.deep.equal([
      'texts do not say who sends them. Put {practice} into SMS_TEMPLATE, and set PRACTICE_NAME.',
      'NO TEXT WILL BE SENT: there are no Twilio credentials, so a sandbox takes the messages',
    ]);
    const text = { to: '+61412345678', body: 'Ready' };
    const { vendorId } = await opened.send(text);
    expect(await opened.find({ ...text, since: new Date(Date.now() - 1000) })).to.deep.equal({ vendorId });
  });

  it('has no routes for callbacks that nobody signs', async () => {
    const log = listening();
    const db = openDatabase('postgres://nobody@127.0.0.1:1/none', 1);
    const parts = { db, recordOptChoice: never, onRefused: () => undefined, now: () => new Date(), random: () => 0 };
    const publicUrl = 'https://axis.example';
    expect(smsCallbacks({ ...parts, log, publicUrl, callbacks: null })).to.equal(undefined);
    expect(log.said.join()).to.contain('callbacks are closed');
    await db.destroy();
  });

  it('is heard of a START only where it signs its callbacks and reaches this server', async () => {
    const db = openDatabase('postgres://nobody@127.0.0.1:1/none', 1);
    const heard = (callbacks: TextGateway['callbacks'], more: Record<string, string>): boolean =>
      sendingBy(
        { ...parse(more), timeZone: 'Australia/Melbourne' },
        { db, gateway: { ...gateway, callbacks }, now: () => new Date(), random: () => 0 },
      ).hearsStart;
    const reached = { PUBLIC_URL: 'https://axis.example' };
    expect(heard(twilioCallbacks('token'), reached)).to.equal(true);
    expect(heard(twilioCallbacks('token'), {})).to.equal(false);
    expect(heard(null, reached)).to.equal(false);
    await db.destroy();
  });
});
