import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import pino from 'pino';
import twilio from 'twilio';
import { z } from 'zod';
import { newApiKey } from '../../adapters/api-keys.ts';
import type { SandboxDelivery } from '../../adapters/sms-sandbox.ts';
import { loadConfig } from '../../config.ts';
import { freePort } from '../../dev/child.ts';
import { adt, orm, oru } from '../../dev/ris-messages.ts';
import { startSidecar } from '../../sidecar.ts';
import { orderOf, person, reportOf } from '../support/people.ts';
import { eventually, startRig, type Rig } from '../support/rig.ts';
import { postCallback, type CallbackAnswer } from '../support/twilio-callbacks.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const TEXT = z.object({
  state: z.string(),
  reason: z.string().nullable(),
  delivery: z.string().nullable(),
  error: z.number().nullable(),
});
const WORK = z.array(z.object({ kind: z.string(), subject: z.string(), reason: z.string().nullable() }));
const newSid = (): string => `SM${randomBytes(16).toString('hex')}`;

/** Each with a number of its own. */
const patientOf = (number: number) => {
  const digits = `0412 340 ${String(number).padStart(3, '0')}`;
  return {
    who: person(`C${number}`, { phone: `${digits}^PRN^CP` }),
    mobile: `+61${digits.slice(1).replaceAll(' ', '')}`,
  };
};

const taken = async (rig: Rig, message: string) => {
  expect(await rig.ris.send(message)).to.contain('MSA|AA|');
};
const textOf = async (rig: Rig, accession: string) =>
  (
    await rig.rows(
      `SELECT m.state, m.reason, r.status AS delivery, r.error_code AS error
       FROM sms_messages m JOIN studies s ON s.id = m.study_id LEFT JOIN sms_receipts r ON r.twilio_sid = m.twilio_sid
       WHERE s.accession_number = $1`,
      TEXT,
      [accession],
    )
  )[0];
const textsTo = (rig: Rig, mobile: string) => rig.sandbox.messages.filter(({ to }) => to === mobile);
const kept = async (rig: Rig) => {
  const counted = await rig.rows(
    'SELECT (SELECT count(*) FROM sms_receipts) + (SELECT count(*) FROM sms_opt_outs) AS count',
    z.object({ count: z.coerce.number() }),
  );
  return counted[0]?.count;
};

describe('Twilio’s callbacks', () => {
  const { key, entry } = newApiKey('desk', randomBytes(32));
  let rig: Rig;
  let port: number;
  let publicUrl: string;
  before(async () => {
    port = await freePort();
    publicUrl = `http://localhost:${port}`;
    // The slash at the end must not count.
    rig = await startRig({ HTTP_PORT: String(port), PUBLIC_URL: `${publicUrl}/`, OPERATOR_API_KEYS: entry });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const post = (
    path: string,
    fields: Record<string, string>,
    over: Partial<Parameters<typeof postCallback>[0]> = {},
  ): Promise<CallbackAnswer> => postCallback({ port, path, signedUrl: `${publicUrl}${path}`, fields, ...over });
  const status = (sid: string, said: string, errorCode?: string) =>
    post('/api/sms/status', {
      MessageSid: sid,
      MessageStatus: said,
      AccountSid: `AC${'0'.repeat(32)}`,
      ...(errorCode !== undefined && { ErrorCode: errorCode }),
    });
  const inbound = async (From: string, Body: string, MessageSid = newSid(), more: Record<string, string> = {}) => {
    const answer = await post('/api/sms/inbound', {
      MessageSid,
      From,
      To: '+61480000000',
      Body,
      FromCity: '',
      ...more,
    });
    expect(answer.status).to.equal(200);
    return answer;
  };
  /** Orders and reports an examination, and waits until its text needs nothing more. */
  const reported = async (number: number, delivery?: SandboxDelivery) => {
    const { who, mobile } = patientOf(number);
    const accession = `T${number}`;
    if (delivery !== undefined) rig.sandbox.deliver(delivery);
    await taken(rig, orm(rig.head(), who, orderOf(accession)));
    await taken(rig, oru(rig.head(), who, reportOf(accession, 'F')));
    await rig.settled();
    return { who, mobile, accession };
  };
  /** Waits until the sandbox has told all it was to tell of the only text to that number, and had it all taken. */
  const told = async (mobile: string, count: number) => {
    const [message] = textsTo(rig, mobile);
    const receipts = () => rig.sandbox.posted.filter(({ sid }) => sid === message?.sid);
    await eventually(`${count} receipts`, () => Promise.resolve(receipts().length === count));
    expect(receipts().map(({ answer }) => answer)).to.deep.equal(Array<number>(count).fill(204));
  };
  const listed = async (accession: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/api/operator/work`, {
      headers: { Authorization: `Bearer ${key}` },
    });
    return WORK.parse(await response.json()).filter(({ subject }) => subject === accession);
  };

  describe('of what became of a text', () => {
    it('are asked for and kept: delivered', async () => {
      const { mobile, accession } = await reported(1);
      await told(mobile, 2);
      expect(await textOf(rig, accession)).to.deep.equal({
        state: 'sent',
        reason: null,
        delivery: 'delivered',
        error: null,
      });
      expect(await listed(accession)).to.deep.equal([]);
    });

    it('show a person what was not delivered, with Twilio’s code, and no second text is sent', async () => {
      const receipts = [{ status: 'sent' }, { status: 'undelivered', errorCode: 30003 }];
      const { who, mobile, accession } = await reported(2, { receipts });
      await told(mobile, 2);
      const shown = [{ kind: 'text-undelivered', subject: accession, reason: 'undelivered: twilio-30003' }];
      expect(await listed(accession)).to.deep.equal(shown);
      const { out } = await new Promise<{ out: string }>((resolve) => {
        const env = { ...rig.environment, PATH: '/usr/local/bin:/usr/bin:/bin', HOME: process.env.HOME };
        execFile(process.execPath, ['sidecar/cli.ts', 'list'], { cwd: ROOT, env }, (_error, stdout) => {
          resolve({ out: stdout });
        });
      });
      expect(out).to.match(/text-undelivered +T2 +T2 .*undelivered: twilio-30003/);
      await taken(rig, oru(rig.head(), who, reportOf(accession, 'C')));
      await taken(rig, adt('A08', rig.head(), who));
      await rig.settled();
      expect(textsTo(rig, mobile)).to.have.length(1);
    });

    it('hold the end in whatever order and however often they come', async () => {
      const end = { status: 'undelivered', errorCode: 30005 };
      const receipts = [end, { status: 'sent' }, end, { status: 'queued' }, { status: 'sending' }];
      const { mobile, accession } = await reported(3, { receipts });
      await told(mobile, receipts.length);
      expect(await textOf(rig, accession)).to.include({ state: 'sent', delivery: 'undelivered', error: 30005 });
    });

    it('are not lost where they come before Twilio’s answer, when the text’s SID is not known yet', async () => {
      const delivery = { receipts: [{ status: 'delivered' }], beforeAnswer: true };
      const { mobile, accession } = await reported(4, delivery);
      await told(mobile, 1);
      expect(await textOf(rig, accession)).to.include({ state: 'sent', delivery: 'delivered' });
    });

    it('are taken where they say nothing known, and of a message that is nobody’s', async () => {
      const sid = newSid();
      expect((await status(sid, 'delivered')).status).to.equal(204);
      expect((await status(sid, 'teleported')).status).to.equal(204);
      expect((await status('SM1', 'delivered')).status).to.equal(204);
      const rows = await rig.rows('SELECT status FROM sms_receipts WHERE twilio_sid = $1', z.unknown(), [sid]);
      expect(rows).to.deep.equal([{ status: 'delivered' }]);
    });
  });

  describe('that are not Twilio’s', () => {
    const path = '/api/sms/status';
    const refusals: Readonly<Record<string, (fields: Record<string, string>) => Promise<CallbackAnswer>>> = {
      'without a signature': (fields) => post(path, fields, { signature: null }),
      'with an empty one': (fields) => post(path, fields, { signature: '' }),
      'with a wrong one': (fields) => post(path, fields, { signature: 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }),
      'signed with another token': (fields) => post(path, fields, { authToken: 'another' }),
      'signed for another address': (fields) => post(path, fields, { signedUrl: `https://elsewhere.example${path}` }),
      'signed for the address of the Host header': (fields) =>
        post(path, fields, {
          signedUrl: `https://elsewhere.example${path}`,
          headers: { Host: 'elsewhere.example', 'X-Forwarded-Host': 'elsewhere.example', 'X-Forwarded-Proto': 'https' },
        }),
      'signed for the other route': (fields) => post(path, fields, { signedUrl: `${publicUrl}/api/sms/inbound` }),
      'signed for a query that came with it': (fields) =>
        post(`${path}?a=1`, fields, { signedUrl: `${publicUrl}${path}?a=1` }),
      'as JSON': (fields) => post(path, fields, { headers: { 'Content-Type': 'application/json' } }),
    };
    for (const [what, send] of Object.entries(refusals)) {
      it(`are refused ${what}, nothing is kept and nothing said back`, async () => {
        const before = await kept(rig);
        const answer = await send({ MessageSid: newSid(), MessageStatus: 'delivered', Echo: '<script>PRIVATE' });
        expect(answer.status).to.equal(403);
        expect(answer.body).not.to.match(/PRIVATE|localhost|sandbox/);
        expect(await kept(rig)).to.equal(before);
      });
    }

    it('are refused where a field was changed, added or taken away since', async () => {
      const before = await kept(rig);
      const fields = { MessageSid: newSid(), MessageStatus: 'failed' };
      const signature = twilio.getExpectedTwilioSignature('sandbox', `${publicUrl}${path}`, fields);
      for (const changed of [
        { ...fields, MessageStatus: 'delivered' },
        { ...fields, ErrorCode: '1' },
        { MessageSid: fields.MessageSid },
      ]) {
        const { status: answered } = await post(path, changed, { signature });
        expect(answered).to.equal(403);
      }
      expect(await kept(rig)).to.equal(before);
    });

    it('are refused to messages too: nobody else can stop a patient’s texts', async () => {
      const before = await kept(rig);
      const fields = { MessageSid: newSid(), From: patientOf(5).mobile, Body: 'STOP' };
      const { status: answered } = await post('/api/sms/inbound', fields, { authToken: '' });
      expect(answered).to.equal(403);
      expect(await kept(rig)).to.equal(before);
    });

    it('are refused above a size, a number of fields, packed, and by another method', async () => {
      const sid = newSid();
      const large = await post(path, { MessageSid: sid, MessageStatus: 'sent', Filler: 'PRIVATE'.repeat(3000) });
      expect(large.status).to.equal(413);
      expect(large.body).not.to.contain('PRIVATE');
      const many = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`F${at}`, '1']));
      expect((await post(path, { MessageSid: sid, MessageStatus: 'sent', ...many })).status).to.equal(413);
      const packed = { headers: { 'Content-Encoding': 'gzip' } };
      expect((await post(path, { MessageSid: sid, MessageStatus: 'sent' }, packed)).status).to.equal(415);
      expect((await fetch(`http://127.0.0.1:${port}${path}`)).status).to.equal(405);
      expect(await rig.rows('SELECT 1 FROM sms_receipts WHERE twilio_sid = $1', z.unknown(), [sid])).to.have.length(0);
    });
  });

  describe('of messages to us', () => {
    it('keep STOP: no text goes to that number, and a person sees why', async () => {
      const { mobile } = patientOf(10);
      const answer = await inbound(mobile, 'Stop');
      expect(answer.type).to.match(/^text\/xml/);
      expect(answer.body).to.equal('<?xml version="1.0" encoding="UTF-8"?><Response/>');
      const { accession } = await reported(10);
      expect(textsTo(rig, mobile)).to.have.length(0);
      expect(await listed(accession)).to.deep.equal([{ kind: 'text-held', subject: accession, reason: 'opted-out' }]);
    });

    it('keep START, which lets the held text go, once', async () => {
      const { mobile } = patientOf(11);
      await inbound(mobile, 'STOP');
      const { accession } = await reported(11);
      expect(await textOf(rig, accession)).to.include({ state: 'held', reason: 'opted-out' });
      for (const said of ['START', 'YES']) await inbound(mobile, said);
      await rig.settled();
      expect(textsTo(rig, mobile)).to.have.length(1);
      expect(await textOf(rig, accession)).to.include({ state: 'sent', reason: null });
    });

    it('that come again change nothing: neither STOP after START nor START after STOP', async () => {
      const [one, two] = [patientOf(12), patientOf(13)];
      const [stop, start] = [newSid(), newSid()];
      await inbound(one.mobile, 'STOP', stop);
      await inbound(one.mobile, 'START');
      for (let time = 0; time < 3; time += 1) await inbound(one.mobile, 'STOP', stop);
      await inbound(two.mobile, 'START', start);
      await inbound(two.mobile, 'STOP');
      await Promise.all(Array.from({ length: 3 }, () => inbound(two.mobile, 'START', start)));
      await reported(12);
      await reported(13);
      expect([textsTo(rig, one.mobile).length, textsTo(rig, two.mobile).length]).to.deep.equal([1, 0]);
    });

    it('that say HELP or anything else change nothing', async () => {
      const { mobile } = patientOf(14);
      const before = await kept(rig);
      for (const said of ['HELP', 'thank you', 'please stop by', '']) await inbound(mobile, said);
      await inbound(mobile, 'STOP', newSid(), { OptOutType: 'HELP' });
      await inbound('AXIS', 'STOP');
      expect(await kept(rig)).to.equal(before);
      await reported(14);
      expect(textsTo(rig, mobile)).to.have.length(1);
    });

    it('that Advanced Opt-Out marks count by its mark', async () => {
      const { mobile } = patientOf(15);
      await inbound(mobile, 'keine mehr', newSid(), { OptOutType: 'STOP' });
      await reported(15);
      expect(textsTo(rig, mobile)).to.have.length(0);
    });

    it('stop no text of a patient’s other number', async () => {
      const { mobile } = patientOf(16);
      await inbound(mobile, 'STOP');
      const { who } = await reported(16);
      expect(textsTo(rig, mobile)).to.have.length(0);
      await taken(rig, adt('A08', rig.head(), { ...who, phone: '0412 349 999^PRN^CP' }));
      await rig.settled();
      expect(textsTo(rig, '+61412349999')).to.have.length(1);
    });

    it('are not needed where Twilio itself refuses the number: the next text waits for START', async () => {
      const { mobile } = patientOf(17);
      rig.sandbox.behave({ kind: 'refuse', status: 400, code: 21610 });
      const { who, accession } = await reported(17);
      expect(await textOf(rig, accession)).to.include({ state: 'failed', reason: 'twilio-21610' });
      await taken(rig, orm(rig.head(), who, orderOf('T17B')));
      await taken(rig, oru(rig.head(), who, reportOf('T17B', 'F')));
      expect(await textOf(rig, 'T17B')).to.include({ state: 'held', reason: 'opted-out' });
      await inbound(mobile, 'UNSTOP');
      await rig.settled();
      expect(textsTo(rig, mobile).map(({ body }) => body.split('ref=')[1])).to.deep.equal(['T17B']);
    });

    it('log and keep nothing of what messages say, and log no number', async () => {
      await inbound(patientOf(18).mobile, 'my PRIVATE matter');
      await inbound(patientOf(18).mobile, 'quit', newSid(), { ProfileName: 'PRIVATE' });
      for (const line of rig.logged) expect(line).not.to.match(/PRIVATE|41234|nguyen|thank you/i);
      const rows = await rig.rows('SELECT to_jsonb(o)::text AS row FROM sms_opt_outs o', z.object({ row: z.string() }));
      expect(rows.length).to.be.greaterThan(5);
      for (const { row } of rows) expect(row).not.to.match(/PRIVATE|stop|quit/i);
    });
  });
});

describe('Twilio’s callbacks, outside the hours of texts', () => {
  it('keep STOP while a text waits: it is not sent when the hours come, and others are', async () => {
    const hours = new Intl.DateTimeFormat('en-AU', {
      timeZone: 'Australia/Melbourne',
      hourCycle: 'h23',
      hour: '2-digit',
    });
    const later = (Number(hours.format(new Date())) + 6) % 23;
    const port = await freePort();
    const settings = {
      HTTP_PORT: String(port),
      PUBLIC_URL: `http://localhost:${port}`,
      SMS_HOURS: `${String(later).padStart(2, '0')}:00-${String(later + 1).padStart(2, '0')}:00`,
    };
    await using rig = await startRig(settings);
    const [stops, stays] = [patientOf(20), patientOf(21)];
    for (const [{ who }, accession] of [
      [stops, 'N1'],
      [stays, 'N2'],
    ] as const) {
      await taken(rig, orm(rig.head(), who, orderOf(accession)));
      await taken(rig, oru(rig.head(), who, reportOf(accession, 'F')));
      expect(await textOf(rig, accession)).to.include({ state: 'queued' });
    }
    const path = '/api/sms/inbound';
    const fields = { MessageSid: newSid(), From: stops.mobile, Body: 'STOP' };
    const answer = await postCallback({ port, path, signedUrl: `${settings.PUBLIC_URL}${path}`, fields });
    expect(answer.status).to.equal(200);
    expect(await textOf(rig, 'N1')).to.include({ state: 'held', reason: 'opted-out' });
    await rig.stopSidecar();
    const open = loadConfig({ ...rig.environment, SMS_HOURS: '00:00-24:00' });
    await using sidecar = await startSidecar(open, { log: pino({ level: 'silent' }) });
    expect(sidecar.httpPort).to.equal(port);
    await eventually('the other text', async () => (await textOf(rig, 'N2'))?.delivery === 'delivered');
    expect(rig.sandbox.messages.map(({ to }) => to)).to.deep.equal([stays.mobile]);
    expect(await textOf(rig, 'N1')).to.include({ state: 'held', reason: 'opted-out' });
  });
});

describe('Twilio’s callbacks, without Twilio', () => {
  it('are the sandbox’s, by a token that nobody else knows', async () => {
    const port = await freePort();
    const publicUrl = `http://localhost:${port}`;
    const settings = { TWILIO_ACCOUNT_SID: '', TWILIO_AUTH_TOKEN: '', TWILIO_FROM: '', TWILIO_API_URL: '' };
    await using rig = await startRig({ ...settings, HTTP_PORT: String(port), PUBLIC_URL: publicUrl });
    const { who } = patientOf(40);
    await taken(rig, orm(rig.head(), who, orderOf('S1')));
    await taken(rig, oru(rig.head(), who, reportOf('S1', 'F')));
    await eventually('the receipt', async () => (await textOf(rig, 'S1'))?.delivery === 'delivered');
    const path = '/api/sms/inbound';
    const fields = { MessageSid: newSid(), From: patientOf(40).mobile, Body: 'STOP' };
    for (const authToken of ['sandbox', '', 'undefined']) {
      const answer = await postCallback({ port, path, signedUrl: `${publicUrl}${path}`, fields, authToken });
      expect(answer.status).to.equal(403);
    }
  });
});

describe('Twilio’s callbacks, without a public URL', () => {
  it('are not asked for and not there, which the log says', async () => {
    await using rig = await startRig();
    const { who } = patientOf(30);
    await taken(rig, orm(rig.head(), who, orderOf('P1')));
    await taken(rig, oru(rig.head(), who, reportOf('P1', 'F')));
    await rig.settled();
    expect(await textOf(rig, 'P1')).to.include({ state: 'sent', delivery: null });
    expect(rig.sandbox.posted).to.deep.equal([]);
    for (const path of ['/api/sms/status', '/api/sms/inbound']) {
      const port = rig.sidecar.httpPort;
      const fields = { MessageSid: newSid(), MessageStatus: 'sent', From: patientOf(30).mobile, Body: 'STOP' };
      const answer = await postCallback({ port, path, signedUrl: `http://localhost:${port}${path}`, fields });
      expect(answer.status).to.equal(404);
    }
    expect(await kept(rig)).to.equal(0);
    expect(rig.logged.join('')).to.contain('PUBLIC_URL is not set');
  });
});
