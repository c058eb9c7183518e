import { expect } from 'chai';
import fc from 'fast-check';
import { Failure } from '../../../platform/rules/failure.ts';
import type { PutOff } from '../../../platform/rules/put-off.ts';
import { CALL_WITHIN_MS, FIRST_LOOK_MS, LAST_LOOK_MS, sendSms, type SendSmsDeps } from '../../../texts/flows/send.ts';
import { createTextGates } from '../../../texts/gates.ts';
import { Refusal, type RefusalMeaning } from '../../../texts/rules/vendor.ts';

const START = new Date('2026-04-01T02:00:00Z'); // 13:00 in Melbourne

interface Row {
  state: 'queued' | 'sending' | 'sent' | 'failed';
  attempts: number;
  notBefore: Date;
  since: Date | null;
  sid: string | null;
  reason: string | null;
  optedOut?: boolean;
}

/** What Twilio does with the next call. */
type End =
  | 'account'
  | 'country'
  | 'away'
  | 'takes'
  | 'takes-then-silent'
  | 'silent'
  | 'refuses'
  | 'busy'
  | 'taken-then-crash'
  | 'crash';

/** One row that obeys the claim's contract, a Twilio that does as told, and a clock that only moves when it is told to. */
class Desk {
  now = START;
  readonly row: Row = { state: 'queued', attempts: 0, notBefore: START, since: null, sid: null, reason: null };
  readonly taken: string[] = [];
  readonly alarms = new Set<string>();
  calls = 0;
  looks = 0;
  ends: End[] = [];
  lookFrom: Date | null = null;
  hours = { from: 480, to: 1200 };

  readonly deps: SendSmsDeps = {
    claim: (_, now, mayBegin) => Promise.resolve(this.claim(now, mayBegin)),
    markSent: (_, since, sid) => this.change(since, { state: 'sent', sid }),
    markFailed: (_, since, reason) => this.change(since, { state: 'failed', reason }),
    markOptedOut: (_, since, reason) => this.change(since, { state: 'failed', reason, optedOut: true }),
    requeue: (_, since, reason, notBefore, _now, isCounted) =>
      this.change(since, {
        ...{ state: 'queued', reason, notBefore, since: null },
        attempts: this.row.attempts - (isCounted ? 0 : 1),
      }),
    isSending: (_, since) =>
      Promise.resolve(this.row.state === 'sending' && this.row.since?.getTime() === since.getTime()),
    gates: {
      waits: (to) => this.gates.waits(to),
      begins: (to) => {
        this.gates.begins(to);
      },
      ended: (to, failure) => this.gates.ended(to, failure),
    },
    send: () => this.send(),
    find: () => {
      this.looks += 1;
      return Promise.resolve(this.taken[0] === undefined ? null : { vendorId: this.taken[0] });
    },
    now: () => this.now,
    random: () => 0.5,
    hours: { from: 480, to: 1200 },
    timeZone: 'Australia/Melbourne',
    hearsStart: true,
  };

  /** Of one process: a crash forgets them. */
  private readonly newGates = () =>
    createTextGates({
      failures: {
        save: (subject) => Promise.resolve(void this.alarms.add(subject)),
        clear: (subject) => Promise.resolve(void this.alarms.delete(subject)),
      },
      now: () => this.now,
      random: () => 0.5,
    });
  private gates = this.newGates();

  private claim(now: Date, mayBegin: Date): Awaited<ReturnType<SendSmsDeps['claim']>> {
    const { row } = this;
    if (row.state === 'sent' || row.state === 'failed') return { state: 'done' };
    const text = { to: '+61412345678', body: 'Ready' };
    if (row.state === 'sending' && row.since !== null) return { state: 'settle', ...text, since: row.since };
    const due = new Date(Math.max(row.notBefore.getTime(), mayBegin.getTime()));
    if (due > now) return { state: 'later', at: due };
    Object.assign(row, { state: 'sending', since: now, attempts: row.attempts + 1 });
    return { state: 'send', ...text, since: now, attempt: row.attempts, lookFrom: this.lookFrom };
  }

  private change(since: Date, changed: Partial<Row>): Promise<void> {
    if (this.row.state === 'sending' && this.row.since?.getTime() === since.getTime()) Object.assign(this.row, changed);
    return Promise.resolve();
  }

  private send(): Promise<{ vendorId: string }> {
    this.calls += 1;
    const sid = `SM${this.calls}`;
    const end = this.ends.shift() ?? 'takes';
    if (end.startsWith('take')) this.taken.push(sid);
    const refuse = (meaning: RefusalMeaning, code: string) => Promise.reject(new Refusal(meaning, code, code));
    switch (end) {
      case 'takes':
        return Promise.resolve({ vendorId: sid });
      case 'takes-then-silent':
      case 'silent':
        return Promise.reject(new Failure('ambiguous', 'twilio-timeout', 'twilio-timeout'));
      case 'refuses':
        return refuse('this-number', 'twilio-21211');
      case 'busy':
        return refuse('later', 'twilio-20429');
      case 'away':
        return refuse('away', 'twilio-ECONNREFUSED');
      case 'account':
        return refuse('this-account', 'twilio-20003');
      case 'country':
        return refuse('this-country', 'twilio-21408');
      case 'taken-then-crash':
      case 'crash':
        this.gates = this.newGates();
        // The process is gone: nothing after the call happens.
        return new Promise(() => undefined);
    }
  }

  run(): Promise<PutOff> {
    return sendSms(this.deps, '1');
  }

  pass(ms: number): void {
    this.now = new Date(this.now.getTime() + ms);
  }

  /** Calls again whenever the flow asks for it; after a crash a minute later. Gives how often it was called. */
  async runToTheEnd(limit = 60): Promise<number> {
    for (let turn = 1; turn <= limit; turn += 1) {
      const crashed = this.ends[0]?.endsWith('crash') === true;
      const outcome = await Promise.race([
        this.run(),
        new Promise<'crashed'>((resolve) => setImmediate(resolve, 'crashed')),
      ]);
      if (outcome === null) return turn;
      if (outcome === 'crashed' && !crashed) throw new Error('hangs');
      this.now =
        outcome === 'crashed'
          ? new Date(this.now.getTime() + 60_000)
          : new Date(Math.max(outcome.again.getTime(), this.now.getTime()));
    }
    throw new Error('does not end');
  }
}

describe('sending a text', () => {
  it('says sending before it calls Twilio, and sent afterwards', async () => {
    const desk = new Desk();
    const states: string[] = [];
    const deps = {
      ...desk.deps,
      send: (message: { to: string; body: string }) => {
        states.push(desk.row.state);
        return desk.deps.send(message);
      },
    };
    expect(await sendSms(deps, '1')).to.equal(null);
    expect(states).to.deep.equal(['sending']);
    expect(desk.row).to.include({ state: 'sent', sid: 'SM1' });
    expect(await desk.run()).to.equal(null);
    expect(desk.calls).to.equal(1);
  });

  it('sends once where several try at the same moment', async () => {
    const desk = new Desk();
    await Promise.all(Array.from({ length: 10 }, () => desk.run()));
    expect(desk.calls).to.equal(1);
    expect(desk.row.state).to.equal('sent');
  });

  it('waits for the hours of texts', async () => {
    const desk = new Desk();
    desk.now = new Date('2026-04-01T12:00:00Z');
    expect(await desk.run()).to.deep.equal({ again: new Date('2026-04-01T21:00:00Z') });
    expect(desk.calls).to.equal(0);
  });

  it('gives a clear refusal up at once, with its code', async () => {
    const desk = new Desk();
    desk.ends = ['refuses'];
    expect(await desk.run()).to.equal(null);
    expect(desk.row).to.include({ state: 'failed', reason: 'twilio-21211' });
  });

  it('keeps that a number wants no texts where Twilio refuses for that, if a START is heard', async () => {
    const refuses = () => Promise.reject(new Refusal('opted-out', 'twilio-21610', 'refused'));
    for (const hearsStart of [true, false]) {
      const desk = new Desk();
      expect(await sendSms({ ...desk.deps, send: refuses, hearsStart }, '1')).to.equal(null);
      expect(desk.row).to.include({ state: 'failed', reason: 'twilio-21610' });
      expect(desk.row.optedOut === true).to.equal(hearsStart);
    }
  });

  it('tries again later what passes, each time later, and gives up after six times', async () => {
    const desk = new Desk();
    desk.ends = Array.from({ length: 20 }, () => 'busy');
    const first = await desk.run();
    expect(first).to.deep.equal({ again: new Date(START.getTime() + 7500) });
    expect(desk.row).to.include({ state: 'queued', reason: 'twilio-20429' });
    await desk.runToTheEnd();
    expect(desk.calls).to.equal(6);
    expect(desk.row).to.include({ state: 'failed', reason: 'twilio-20429' });
  });

  it('leaves an unclear end as it is, and sends nothing before Twilio’s list was asked', async () => {
    const desk = new Desk();
    desk.ends = ['takes-then-silent'];
    expect(await desk.run()).to.deep.equal({ again: new Date(START.getTime() + FIRST_LOOK_MS) });
    expect(desk.row.state).to.equal('sending');
    desk.pass(FIRST_LOOK_MS - 1);
    expect(await desk.run()).to.deep.equal({ again: new Date(START.getTime() + FIRST_LOOK_MS) });
    expect(desk.looks).to.equal(0);
    desk.pass(1);
    expect(await desk.run()).to.equal(null);
    expect(desk.row).to.include({ state: 'sent', sid: 'SM1' });
    expect(desk.calls).to.equal(1);
  });

  it('sends again what Twilio’s list has long not shown', async () => {
    const desk = new Desk();
    desk.ends = ['silent', 'takes'];
    await desk.runToTheEnd();
    expect(desk.calls).to.equal(2);
    expect(desk.looks).to.be.greaterThan(3);
    expect(desk.now.getTime() - START.getTime()).to.be.at.least(LAST_LOOK_MS);
    expect(desk.row).to.include({ state: 'sent', sid: 'SM2' });
  });

  it('lets a list that cannot be read be asked again, and changes nothing', async () => {
    const desk = new Desk();
    desk.ends = ['silent'];
    await desk.run();
    desk.pass(LAST_LOOK_MS * 2);
    const away = new Failure('transient', 'twilio-timeout', 'no answer');
    const unread = { ...desk.deps, find: () => Promise.reject(away) };
    expect(await sendSms(unread, '1')).to.deep.equal({ again: new Date(desk.now.getTime() + 30_000) });
    expect([desk.row.state, ...desk.alarms]).to.deep.equal(['sending']);
    await sendSms(unread, '1');
    expect([desk.row.state, ...desk.alarms]).to.deep.equal(['sending', 'account']);
    await desk.runToTheEnd();
    expect([desk.calls, desk.row.state, ...desk.alarms]).to.deep.equal([2, 'sent']);
  });

  it('fails as a job where the list comes to nothing that passes', async () => {
    const desk = new Desk();
    desk.ends = ['silent'];
    await desk.run();
    desk.pass(LAST_LOOK_MS * 2);
    const wrong = new Failure('permanent', 'twilio-nonsense', 'no list');
    const failed = await sendSms({ ...desk.deps, find: () => Promise.reject(wrong) }, '1').catch((end: unknown) => end);
    expect(failed).to.equal(wrong);
    expect(desk.row.state).to.equal('sending');
  });

  it('takes a vendor that cannot be reached for away after three calls in a row, and uses up no try', async () => {
    const desk = new Desk();
    desk.hours = { from: 0, to: 1440 };
    desk.ends = Array.from({ length: 20 }, () => 'away');
    await desk.run();
    expect([desk.row.attempts, ...desk.alarms]).to.deep.equal([0]);
    for (let turn = 0; turn < 3; turn += 1) desk.now = (await desk.run())?.again ?? desk.now;
    expect([desk.row.attempts, ...desk.alarms]).to.deep.equal([0, 'account']);
    await desk.runToTheEnd(200);
    expect([desk.row.state, desk.row.attempts, ...desk.alarms]).to.deep.equal(['sent', 1]);
    expect(desk.now.getTime() - START.getTime()).to.be.greaterThan(6 * 3_600_000);
  });

  it('asks Twilio’s list where the text was taken and the row could not be changed', async () => {
    const desk = new Desk();
    const broken = { ...desk.deps, markSent: () => Promise.reject(new Failure('transient', 'database-away', 'away')) };
    expect(await sendSms(broken, '1')).to.deep.equal({ again: new Date(START.getTime() + FIRST_LOOK_MS) });
    await desk.runToTheEnd();
    expect(desk.calls).to.equal(1);
    expect(desk.row).to.include({ state: 'sent', sid: 'SM1' });
  });

  it('after a restore sends nothing that Twilio’s list shows, and what it does not show once', async () => {
    const [known, unknown] = [new Desk(), new Desk()];
    known.lookFrom = unknown.lookFrom = new Date(START.getTime() - 86_400_000);
    known.taken.push('SM0');
    await known.runToTheEnd();
    expect(known.row).to.include({ state: 'sent', sid: 'SM0' });
    expect(known.calls).to.equal(0);
    await unknown.runToTheEnd();
    expect(unknown.row).to.include({ state: 'sent', sid: 'SM1' });
    expect([unknown.looks, unknown.calls]).to.deep.equal([1, 1]);
  });

  it('after a restore sends nothing while Twilio’s list cannot be read', async () => {
    const desk = new Desk();
    desk.lookFrom = START;
    const away = { ...desk.deps, find: () => Promise.reject(new Failure('transient', 'twilio-503', 'away')) };
    expect(await sendSms(away, '1')).to.have.property('again');
    expect(desk.row).to.include({ state: 'queued', reason: 'twilio-503' });
    expect(desk.calls).to.equal(0);
  });

  it('uses up no try for troubles of the account or a country, and goes out once they are mended', async () => {
    for (const [end, subject] of [
      ['account', 'account'],
      ['country', 'country AU'],
    ] as const) {
      const desk = new Desk();
      desk.hours = { from: 0, to: 1440 };
      desk.ends = Array.from({ length: 20 }, () => end);
      await desk.run();
      expect(desk.row, end).to.include({ state: 'queued', attempts: 0 });
      expect([...desk.alarms]).to.deep.equal([subject]);
      await desk.runToTheEnd(200);
      expect(desk.row).to.include({ state: 'sent', attempts: 1 });
      expect([...desk.alarms]).to.deep.equal([]);
    }
  });

  it('does not call while the account rests, and calls as one to see', async () => {
    const [first, second] = [new Desk(), new Desk()];
    const deps = { ...second.deps, gates: first.deps.gates };
    first.ends = ['account'];
    await first.run();
    const claim = (): Promise<never> => Promise.reject(new Error('claimed while the account rests'));
    expect(await sendSms({ ...deps, claim }, '1')).to.have.property('again');
    expect(second.calls).to.equal(0);
    expect(second.row.state).to.equal('queued');
  });

  it('looks before it calls where it stood still after its claim', async () => {
    const desk = new Desk();
    const frozen = {
      ...desk.deps,
      isSending: async (smsId: string, since: Date) => {
        const stands = await desk.deps.isSending(smsId, since);
        desk.pass(CALL_WITHIN_MS + 1);
        return stands;
      },
    };
    expect(await sendSms(frozen, '1')).to.deep.equal({ again: new Date(START.getTime() + FIRST_LOOK_MS) });
    expect([desk.calls, desk.row.state]).to.deep.equal([0, 'sending']);
    await desk.runToTheEnd();
    expect([desk.calls, desk.row.state]).to.deep.equal([1, 'sent']);
  });

  it('does not call for a text that another has settled', async () => {
    const desk = new Desk();
    expect(await sendSms({ ...desk.deps, isSending: () => Promise.resolve(false) }, '1')).to.equal(null);
    expect(desk.calls).to.equal(0);
  });

  it('leaves it to a person where the list shows no bodies', async () => {
    const desk = new Desk();
    desk.ends = ['takes-then-silent'];
    const redacted = { ...desk.deps, find: () => Promise.resolve('unreadable' as const) };
    await sendSms(redacted, '1');
    desk.pass(FIRST_LOOK_MS);
    expect(await sendSms(redacted, '1')).to.equal(null);
    expect(desk.row).to.include({ state: 'failed', reason: 'end-unclear' });
    expect(desk.calls).to.equal(1);
  });

  it('texts a patient once and never twice, whatever ends the calls have, and always comes to an end', async () => {
    const end = fc.constantFrom<End>(
      'takes',
      'takes-then-silent',
      'silent',
      'refuses',
      'busy',
      'taken-then-crash',
      'crash',
      'account',
      'country',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(end, { maxLength: 8 }), async (ends) => {
        const desk = new Desk();
        desk.ends = [...ends];
        await desk.runToTheEnd();
        expect(desk.taken.length).to.be.at.most(1);
        expect(desk.row.state).to.equal(desk.taken.length === 1 ? 'sent' : 'failed');
        expect(desk.row.state === 'sent' ? desk.row.sid : null).to.equal(desk.taken[0] ?? null);
      }),
      { numRuns: 300 },
    );
  });
});
