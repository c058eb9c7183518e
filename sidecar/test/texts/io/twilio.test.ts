import { createServer } from 'node:net';
import { once } from 'node:events';
import { expect } from 'chai';
import { startSmsSandbox, type SandboxBehaviour, type SmsSandbox } from '../../../texts/io/sandbox.ts';
import { createTwilio } from '../../../texts/io/twilio.ts';
import { Refusal, type RefusalMeaning, type TextGateway } from '../../../texts/rules/vendor.ts';
import { Failure } from '../../../platform/rules/failure.ts';

const TO = '+61412345678';
const NOW = new Date('2026-04-01T02:00:00.900Z');
const ACCOUNT = { accountSid: `AC${'0'.repeat(32)}`, authToken: 'secret-token', from: '+61400000000' };

/** Whether it is tried again, as it was before refusals had meanings. */
const KINDS: Readonly<Record<RefusalMeaning, Failure['kind']>> = {
  'this-number': 'permanent',
  'opted-out': 'permanent',
  'this-country': 'transient',
  'this-account': 'transient',
  away: 'transient',
  later: 'transient',
  permanent: 'permanent',
};

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
  let gateway: TextGateway;

  beforeEach(async () => {
    sandbox = await startSmsSandbox({ host: '127.0.0.1', port: 0, now: () => NOW });
    gateway = createTwilio({ ...ACCOUNT, apiUrl: sandbox.url, timeoutMs: 300 });
  });
  afterEach(async () => {
    await sandbox[Symbol.asyncDispose]();
  });

  const sent = (body = 'Ready'): Promise<{ vendorId: string }> => gateway.send({ to: TO, body });

  it('sends a text and gives its SID', async () => {
    const { vendorId: sid } = await sent('Zoë’s results & more');
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

  for (const [status, code, meaning] of [
    [400, 21610, 'opted-out'],
    [400, 21211, 'this-number'],
    [400, 21214, 'this-number'],
    [400, 21217, 'this-number'],
    [400, 21614, 'this-number'],
    [400, 21408, 'this-country'],
    [400, 21606, 'this-country'],
    [400, 21660, 'this-country'],
    [400, 21212, 'this-account'],
    [400, 21703, 'this-account'],
    [404, 20404, 'this-account'],
    [401, 20003, 'this-account'],
    [403, 20005, 'this-account'],
    [400, 20001, 'this-account'],
    [403, 20006, 'this-account'],
    [429, 20429, 'later'],
    [429, 1, 'later'],
    [400, 14107, 'later'],
    [400, 21611, 'later'],
    [400, 30001, 'later'],
    [400, 63018, 'later'],
    [503, 30001, 'later'],
    [400, 21602, 'permanent'],
    [400, 21617, 'permanent'],
    ...[30002, 30003, 30004, 30005, 30006, 30007, 30008].map((one) => [400, one, 'permanent'] as const),
  ] satisfies readonly (readonly [number, number, RefusalMeaning])[]) {
    it(`takes ${status} with code ${code} for: ${meaning}`, async () => {
      sandbox.behave(refused(status, code));
      const failure = await failureOf(sent());
      expect(failure).to.be.instanceOf(Refusal);
      expect(failure).to.include({ meaning, code: `twilio-${code}`, kind: KINDS[meaning] });
    });
  }

  it('takes for no refusal what may have been taken', async () => {
    for (const behaviour of [
      refused(500, 20500),
      refused(502, 21610),
      { kind: 'reset', afterTaking: true },
      { kind: 'hang', afterTaking: true },
      { kind: 'nonsense', afterTaking: true },
    ] satisfies SandboxBehaviour[]) {
      sandbox.behave(behaviour);
      expect(await failureOf(sent())).not.to.be.instanceOf(Refusal);
    }
  });

  it('says whether the account works, without sending', async () => {
    expect(await gateway.check()).to.deep.equal({ active: true, status: 'active', trial: false });
    sandbox.behave(refused(401, 20003));
    expect(await failureOf(gateway.check())).to.include({ meaning: 'this-account', code: 'twilio-20003' });
    expect(sandbox.messages).to.have.length(0);
  });

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
    let asking: TextGateway;
    beforeEach(() => {
      asking = createTwilio({ ...ACCOUNT, apiUrl: sandbox.url, statusCallback: CALLBACK, timeoutMs: 300 });
    });

    it('are asked for where there is an address for them only', async () => {
      await sent();
      expect(sandbox.posted).to.have.length(0);
      sandbox.deliver({ receipts: [{ status: 'delivered' }], beforeAnswer: true });
      const { vendorId: sid } = await asking.send({ to: TO, body: 'Ready' });
      expect(sandbox.posted).to.deep.equal([{ sid, status: 'delivered', answer: null }]);
    });

    it('are done without where Twilio refuses their address: the text is sent, once', async () => {
      sandbox.behave(refused(400, 21609));
      sandbox.deliver({ receipts: [{ status: 'delivered' }], beforeAnswer: true });
      const { vendorId: sid } = await asking.send({ to: TO, body: 'Ready' });
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
        expect(await find('Ready', NOW)).to.deep.equal({ vendorId: sandbox.messages[0]?.sid });
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
      const { vendorId: sid } = await sent();
      expect(await find('Ready', new Date(NOW.getTime() + 50_000))).to.deep.equal({ vendorId: sid });
    });

    it('calls a list that cannot be read transient: it may be asked again', async () => {
      await sandbox[Symbol.asyncDispose]();
      expect(await failureOf(find('Ready', NOW))).to.include({ kind: 'transient' });
      sandbox = await startSmsSandbox({ host: '127.0.0.1', port: 0, now: () => NOW });
    });
  });

  it('meets an account that may not text a country, and others as ever', async () => {
    sandbox.set({ barred: ['+64'] });
    expect(await failureOf(gateway.send({ to: '+64211234567', body: 'Ready' }))).to.include({ code: 'twilio-21408' });
    await sent();
    expect(sandbox.messages.map(({ to }) => to)).to.deep.equal([TO]);
  });

  it('meets a trial account, and knows it before it sends', async () => {
    sandbox.set({ trial: true });
    expect(await gateway.check()).to.include({ active: true, trial: true });
    await sent();
    expect(sandbox.messages).to.have.length(1);
  });

  it('meets a Twilio that is away, and takes nothing for sent or unsent', async () => {
    sandbox.set({ away: true });
    expect(await failureOf(sent())).to.include({ kind: 'ambiguous' });
    expect(await failureOf(gateway.find({ to: TO, body: 'Ready', since: NOW }))).to.include({ kind: 'transient' });
    sandbox.set({});
    await sent();
    expect(sandbox.messages).to.have.length(1);
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
