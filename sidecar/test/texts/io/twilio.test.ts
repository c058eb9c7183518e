import { createServer } from 'node:net';
import { once } from 'node:events';
import { expect } from 'chai';
import { startSmsSandbox, type SandboxBehaviour, type SmsSandbox } from '../../../texts/io/sandbox.ts';
import { createTwilio, type SmsGateway } from '../../../texts/io/twilio.ts';
import { Failure } from '../../../platform/rules/failure.ts';

const TO = '+61412345678';
const NOW = new Date('2026-04-01T02:00:00.900Z');
const ACCOUNT = { accountSid: `AC${'0'.repeat(32)}`, authToken: 'secret-token', from: '+61400000000' };

async function failureOf(call: Promise<unknown>): Promise<Failure> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('did not fail');
}

describe('Twilio, by its own SDK against the sandbox', () => {
  let sandbox: SmsSandbox;
  let gateway: SmsGateway;

  beforeEach(async () => {
    sandbox = await startSmsSandbox({ host: '127.0.0.1', port: 0, now: () => NOW });
    gateway = createTwilio({ ...ACCOUNT, apiUrl: sandbox.url, timeoutMs: 300 });
  });
  afterEach(async () => {
    await sandbox[Symbol.asyncDispose]();
  });

  const sent = (body = 'Ready'): Promise<{ sid: string }> => gateway.send({ to: TO, body });

  it('sends a text and gives its SID', async () => {
    const { sid } = await sent('Zoë’s results & more');
    expect(sandbox.messages).to.deep.equal([{ sid, to: TO, body: 'Zoë’s results & more', at: NOW }]);
  });

  const refused = (status: number, code: number): SandboxBehaviour => ({ kind: 'refuse', status, code });
  for (const [what, behaviour, kind, code] of [
    ['too many requests', refused(429, 20429), 'transient', 'twilio-20429'],
    ['a full queue', refused(400, 21611), 'transient', 'twilio-21611'],
    ['wrong credentials', refused(401, 20003), 'transient', 'twilio-20003'],
    ['a suspended account', refused(403, 20005), 'transient', 'twilio-20005'],
    ['a number that is none', refused(400, 21211), 'permanent', 'twilio-21211'],
    ['a recipient who said STOP', refused(400, 21610), 'permanent', 'twilio-21610'],
    ['a landline', refused(400, 21614), 'permanent', 'twilio-21614'],
    ['an error of its own', refused(500, 20500), 'ambiguous', 'twilio-20500'],
    ['its being overloaded', refused(503, 20503), 'ambiguous', 'twilio-20503'],
    ['a connection that breaks', { kind: 'reset', afterTaking: false }, 'ambiguous', 'twilio-ECONNRESET'],
    ['a page that is no answer of Twilio’s', { kind: 'nonsense', afterTaking: false }, 'ambiguous', undefined],
  ] satisfies readonly (readonly [string, SandboxBehaviour, Failure['kind'], string | undefined])[]) {
    it(`calls ${what} ${kind}, and does not try again by itself`, async () => {
      sandbox.behave(behaviour);
      const failure = await failureOf(sent());
      expect(failure.kind).to.equal(kind);
      if (code !== undefined) expect(failure.code).to.equal(code);
      expect(failure.code).to.match(/^twilio-/);
      expect(sandbox.messages).to.deep.equal([]);
      await sent();
      expect(sandbox.messages).to.have.length(1);
    });
  }

  it('calls a call that gets no answer ambiguous, within the time it may take', async () => {
    sandbox.behave({ kind: 'hang', afterTaking: true });
    const started = performance.now();
    const failure = await failureOf(sent());
    expect(performance.now() - started).to.be.within(250, 1500);
    expect(failure).to.include({ kind: 'ambiguous' });
    expect(sandbox.messages).to.have.length(1);
  });

  it('calls a refused connection transient: nothing was sent', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const address = closed.address();
    const port = address === null || typeof address === 'string' ? 0 : address.port;
    closed.close();
    await once(closed, 'close');
    const nowhere = createTwilio({ ...ACCOUNT, apiUrl: `http://127.0.0.1:${port}`, timeoutMs: 1000 });
    expect(await failureOf(nowhere.send({ to: TO, body: 'Ready' }))).to.include({
      kind: 'transient',
      code: 'twilio-ECONNREFUSED',
    });
  });

  it('says nothing of the recipient, the text or the token in a failure', async () => {
    for (const behaviour of [refused(400, 21211), refused(500, 1), { kind: 'reset', afterTaking: false } as const]) {
      sandbox.behave(behaviour);
      const { message, code } = await failureOf(sent('PRIVATE'));
      expect(`${message} ${code}`).not.to.match(/PRIVATE|61412345678|secret-token/);
    }
  });

  describe('receipts', () => {
    const CALLBACK = 'http://127.0.0.1:1/api/sms/status';
    let asking: SmsGateway;
    beforeEach(() => {
      asking = createTwilio({ ...ACCOUNT, apiUrl: sandbox.url, statusCallback: CALLBACK, timeoutMs: 300 });
    });

    it('are asked for where there is an address for them only', async () => {
      await sent();
      expect(sandbox.posted).to.have.length(0);
      sandbox.deliver({ receipts: [{ status: 'delivered' }], beforeAnswer: true });
      const { sid } = await asking.send({ to: TO, body: 'Ready' });
      expect(sandbox.posted).to.deep.equal([{ sid, status: 'delivered', answer: null }]);
    });

    it('are done without where Twilio refuses their address: the text is sent, once', async () => {
      sandbox.behave(refused(400, 21609));
      sandbox.deliver({ receipts: [{ status: 'delivered' }], beforeAnswer: true });
      const { sid } = await asking.send({ to: TO, body: 'Ready' });
      expect(sandbox.messages.map((message) => message.sid)).to.deep.equal([sid]);
      expect(sandbox.posted).to.have.length(0);
    });

    it('do not make any other refusal be tried again', async () => {
      for (const behaviour of [refused(400, 21610), { kind: 'reset', afterTaking: true } as const]) {
        sandbox.behave(behaviour);
        await failureOf(asking.send({ to: TO, body: 'Ready' }));
      }
      expect(sandbox.messages).to.have.length(1);
    });

    it('leave the refusal of the text itself as it is', async () => {
      sandbox.behave(refused(400, 21609), refused(400, 21211));
      expect((await failureOf(asking.send({ to: TO, body: 'Ready' }))).code).to.equal('twilio-21211');
      expect(sandbox.messages).to.have.length(0);
    });
  });

  describe('settling an unclear end', () => {
    const find = (body: string, since: Date, to = TO) => gateway.find({ to, body, since });

    for (const kind of ['hang', 'reset', 'nonsense'] as const) {
      it(`finds a text that was taken before a ${kind}`, async () => {
        sandbox.behave({ kind, afterTaking: true });
        await failureOf(sent());
        expect(await find('Ready', NOW)).to.deep.equal({ sid: sandbox.messages[0]?.sid });
      });

      it(`does not find a text that was not taken before a ${kind}`, async () => {
        sandbox.behave({ kind, afterTaking: false });
        await failureOf(sent());
        expect(await find('Ready', NOW)).to.equal(null);
      });
    }

    it('finds neither another text, nor another number’s, nor one of an earlier attempt', async () => {
      await sent();
      expect(await find('Ready!', NOW)).to.equal(null);
      expect(await find('Ready', NOW, '+61498765432')).to.equal(null);
      expect(await find('Ready', new Date(NOW.getTime() + 120_000))).to.equal(null);
    });

    it('allows for clocks that differ by less than a minute', async () => {
      const { sid } = await sent();
      expect(await find('Ready', new Date(NOW.getTime() + 50_000))).to.deep.equal({ sid });
    });

    it('calls a list that cannot be read transient: it may be asked again', async () => {
      await sandbox[Symbol.asyncDispose]();
      expect(await failureOf(find('Ready', NOW))).to.include({ kind: 'transient' });
      sandbox = await startSmsSandbox({ host: '127.0.0.1', port: 0, now: () => NOW });
    });
  });

  it('sends by the messaging service where one is set', async () => {
    const service = createTwilio({
      ...ACCOUNT,
      from: undefined,
      messagingServiceSid: 'MG1',
      apiUrl: sandbox.url,
      timeoutMs: 1000,
    });
    await service.send({ to: TO, body: 'Ready' });
    expect(sandbox.messages).to.have.length(1);
  });
});
