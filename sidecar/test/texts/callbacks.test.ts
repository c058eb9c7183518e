import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import twilio from 'twilio';
import { z } from 'zod';
import { freePort } from '../../dev/child.ts';
import { adt, orm, oru } from '../../dev/ris-messages.ts';
import { orderOf, reportOf } from '../support/people.ts';
import { eventually, startRig, type Rig } from '../support/rig.ts';
import {
  kept,
  newSid,
  patientOf,
  postCallback,
  startDesk,
  taken,
  textOf,
  textsTo,
  type CallbackAnswer,
} from '../support/twilio-callbacks.ts';

type Desk = Awaited<ReturnType<typeof startDesk>>;
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

describe('Twilio’s callbacks', () => {
  let desk: Desk;
  let rig: Rig;
  let port: number;
  let publicUrl: string;
  before(async () => {
    desk = await startDesk();
    ({ rig, port, publicUrl } = desk);
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const status = (sid: string, said: string, errorCode?: string) =>
    desk.post('/api/sms/status', {
      MessageSid: sid,
      MessageStatus: said,
      AccountSid: `AC${'0'.repeat(32)}`,
      ...(errorCode !== undefined && { ErrorCode: errorCode }),
    });
  /** Waits until the sandbox has told all it was to tell of the only text to that number, and had it all taken. */
  const told = async (mobile: string, count: number) => {
    const [message] = textsTo(rig, mobile);
    const receipts = () => rig.sandbox.posted.filter(({ sid }) => sid === message?.sid);
    await eventually(`${count} receipts`, () => Promise.resolve(receipts().length === count));
    expect(receipts().map(({ answer }) => answer)).to.deep.equal(Array<number>(count).fill(204));
  };
  describe('of what became of a text', () => {
    it('are asked for and kept: delivered', async () => {
      const { mobile, accession } = await desk.reported(1);
      await told(mobile, 2);
      expect(await textOf(rig, accession)).to.deep.equal({
        state: 'sent',
        reason: null,
        delivery: 'delivered',
        error: null,
      });
      expect(await desk.listed(accession)).to.deep.equal([]);
    });

    it('show a person what was not delivered, with Twilio’s code, and no second text is sent', async () => {
      const receipts = [{ status: 'sent' }, { status: 'undelivered', errorCode: 30003 }];
      const { who, mobile, accession } = await desk.reported(2, { receipts });
      await told(mobile, 2);
      const shown = [{ kind: 'text-undelivered', subject: accession, reason: 'undelivered: twilio-30003' }];
      expect(await desk.listed(accession)).to.deep.equal(shown);
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
      const { mobile, accession } = await desk.reported(3, { receipts });
      await told(mobile, receipts.length);
      expect(await textOf(rig, accession)).to.include({ state: 'sent', delivery: 'undelivered', error: 30005 });
    });

    it('are not lost where they come before Twilio’s answer, when the text’s SID is not known yet', async () => {
      const delivery = { receipts: [{ status: 'delivered' }], beforeAnswer: true };
      const { mobile, accession } = await desk.reported(4, delivery);
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
      'without a signature': (fields) => desk.post(path, fields, { signature: null }),
      'with an empty one': (fields) => desk.post(path, fields, { signature: '' }),
      'with a wrong one': (fields) => desk.post(path, fields, { signature: 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }),
      'signed with another token': (fields) => desk.post(path, fields, { authToken: 'another' }),
      'signed for another address': (fields) =>
        desk.post(path, fields, { signedUrl: `https://elsewhere.example${path}` }),
      'signed for the address of the Host header': (fields) =>
        desk.post(path, fields, {
          signedUrl: `https://elsewhere.example${path}`,
          headers: { Host: 'elsewhere.example', 'X-Forwarded-Host': 'elsewhere.example', 'X-Forwarded-Proto': 'https' },
        }),
      'signed for the other route': (fields) => desk.post(path, fields, { signedUrl: `${publicUrl}/api/sms/inbound` }),
      'signed for a query that came with it': (fields) =>
        desk.post(`${path}?a=1`, fields, { signedUrl: `${publicUrl}${path}?a=1` }),
      'as JSON': (fields) => desk.post(path, fields, { headers: { 'Content-Type': 'application/json' } }),
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
        const { status: answered } = await desk.post(path, changed, { signature });
        expect(answered).to.equal(403);
      }
      expect(await kept(rig)).to.equal(before);
    });

    it('are refused to messages too: nobody else can stop a patient’s texts', async () => {
      const before = await kept(rig);
      const fields = { MessageSid: newSid(), From: patientOf(5).mobile, Body: 'STOP' };
      const { status: answered } = await desk.post('/api/sms/inbound', fields, { authToken: '' });
      expect(answered).to.equal(403);
      expect(await kept(rig)).to.equal(before);
    });

    it('are refused above a size, a number of fields, packed, and by another method', async () => {
      const sid = newSid();
      const large = await desk.post(path, { MessageSid: sid, MessageStatus: 'sent', Filler: 'PRIVATE'.repeat(3000) });
      expect(large.status).to.equal(413);
      expect(large.body).not.to.contain('PRIVATE');
      const many = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`F${at}`, '1']));
      expect((await desk.post(path, { MessageSid: sid, MessageStatus: 'sent', ...many })).status).to.equal(413);
      const packed = { headers: { 'Content-Encoding': 'gzip' } };
      expect((await desk.post(path, { MessageSid: sid, MessageStatus: 'sent' }, packed)).status).to.equal(415);
      expect((await fetch(`http://127.0.0.1:${port}${path}`)).status).to.equal(405);
      expect(await rig.rows('SELECT 1 FROM sms_receipts WHERE twilio_sid = $1', z.unknown(), [sid])).to.have.length(0);
    });
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
