import { expect } from 'chai';
import { startAudit } from '../../audit/trail.ts';
import type { AuditEntry } from '../../audit/rules/entry.ts';
import { asFailure, Failure } from '../../platform/rules/failure.ts';
import { eventually } from '../support/rig.ts';

const AT = new Date('2026-04-01T02:00:00Z');
const entry = (what: string): AuditEntry => ({
  at: AT,
  event: 'upload',
  who: 'ct',
  source: '10.0.0.7',
  what,
  outcome: 'ok',
});

/** A log that can be away. */
function desk() {
  const rows: AuditEntry[] = [];
  const logged: string[] = [];
  let failure: Failure | null = null;
  let held: Promise<undefined> | null = null;
  let then: (() => Promise<void>) | null = null;
  let now = AT;
  const say = (_fields: object, message: string) => void logged.push(message);
  const trail = startAudit({
    append: async (entries) => {
      await held;
      if (failure !== null) throw failure;
      if (entries.some(({ what }) => what === 'impossible')) {
        throw new Failure('permanent', 'postgres-22P05', 'cannot be written');
      }
      rows.push(...entries);
      const act = then;
      then = null;
      void act?.();
    },
    now: () => now,
    random: () => 0,
    log: { warn: say, error: say },
  });
  const problem = () =>
    trail.check().then(
      () => null,
      (error: unknown) => asFailure(error).message,
    );
  return {
    rows,
    logged,
    trail,
    problem,
    whats: () =>
      rows.map(({ event, what, detail }) => (event === 'upload' ? what : `${event} ${JSON.stringify(detail)}`)),
    hold: (until: Promise<undefined>) => {
      held = until;
    },
    pass: (ms: number) => {
      now = new Date(now.getTime() + ms);
    },
    /** Done once the next entries are written. */
    after: (act: () => Promise<void>) => {
      then = act;
    },
    fail: (with_: Failure | null) => {
      failure = with_;
    },
  };
}

const AWAY = new Failure('transient', 'postgres-08006', 'away');

describe('the audit trail of a process', () => {
  const started: ReturnType<typeof desk>[] = [];
  const start = (): ReturnType<typeof desk> => {
    const one = desk();
    started.push(one);
    return one;
  };
  afterEach(async () => {
    for (const { trail, fail } of started.splice(0)) {
      fail(null);
      await trail[Symbol.asyncDispose]();
    }
  });

  it('writes its start, what is noted in order, and its end', async () => {
    const { trail, whats } = start();
    await trail.note(entry('a'), entry('b'));
    expect(whats()).to.deep.equal(['started {}', 'a', 'b']);
    await trail.note();
    await trail[Symbol.asyncDispose]();
    expect(whats()).to.deep.equal(['started {}', 'a', 'b', 'stopped {}']);
  });

  for (const ticks of [0, 1, 2, 3, 4, 5, 6]) {
    it(`writes at once what comes ${ticks} ticks after the last was written, its end too`, async () => {
      const { trail, whats, rows, after } = desk();
      await eventually('the start', () => Promise.resolve(rows.length === 1));
      const noted = Promise.withResolvers<undefined>();
      after(async () => {
        for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
        void trail.note(entry('late'));
        noted.resolve(undefined);
      });
      await trail.note(entry('first'));
      await noted.promise;
      await eventually('the late one', () => Promise.resolve(whats().includes('late')), 1000);
      await trail[Symbol.asyncDispose]();
      expect(whats()).to.deep.equal(['started {}', 'first', 'late', 'stopped {}']);
    });
  }

  it('does not hold whoever notes for long while the log is away, keeps the entries and says so', async () => {
    const { trail, whats, fail, problem, logged } = start();
    await trail.note(entry('first'));
    fail(AWAY);
    await trail.note(entry('a'));
    await Promise.all([trail.note(entry('b')), trail.note(entry('c'))]);
    expect(whats()).to.deep.equal(['started {}', 'first']);
    expect(await problem()).to.equal('3 entries cannot be written and are kept, 0 were lost');
    fail(null);
    await eventually('the entries', async () => (await problem()) === null);
    expect(whats()).to.deep.equal(['started {}', 'first', 'a', 'b', 'c']);
    expect(logged).to.deep.equal(['the audit log cannot be written and will be']);
    await trail[Symbol.asyncDispose]();
  });

  it('says so too while the log neither takes an entry nor refuses it', async () => {
    const { trail, whats, hold, pass, problem } = start();
    const free = Promise.withResolvers<undefined>();
    await trail.note(entry('first'));
    hold(free.promise);
    await trail.note(entry('a'));
    expect(await problem()).to.equal(null);
    pass(6_000);
    expect(await problem()).to.equal('1 entries cannot be written and are kept, 0 were lost');
    free.resolve(undefined);
    await eventually('the entry', async () => (await problem()) === null);
    expect(whats()).to.deep.equal(['started {}', 'first', 'a']);
  });

  it('keeps a bounded number, and tells how many it had to let go', async () => {
    const { trail, whats, fail, problem } = start();
    await trail.note(entry('first'));
    fail(AWAY);
    await trail.note(...Array.from({ length: 10_100 }, (_, n) => entry(String(n))));
    expect(await problem()).to.equal('10000 entries cannot be written and are kept, 100 were lost');
    fail(null);
    await eventually('the entries', async () => (await problem()) === null);
    const written = whats();
    expect(written.filter((what) => /^\d+$/.test(what))).to.deep.equal(
      Array.from({ length: 10_000 }, (_, n) => String(n)),
    );
    expect(written.filter((what) => what.startsWith('audit-lost'))).to.deep.equal(['audit-lost {"entries":100}']);
    await trail[Symbol.asyncDispose]();
  });

  it('does not let one entry that cannot be written hold up the others', async () => {
    const { trail, whats, logged } = start();
    await trail.note(entry('a'), entry('impossible'), entry('b'));
    await eventually('the loss to be told', () =>
      Promise.resolve(whats().some((what) => what.startsWith('audit-lost'))),
    );
    expect(whats().filter((what) => !what.startsWith('audit-lost'))).to.deep.equal(['started {}', 'a', 'b']);
    expect(logged).to.deep.equal(['an entry of the audit log can never be written']);
    await trail[Symbol.asyncDispose]();
  });

  it('writes two rows of a thousand refusals, the second at the latest when it ends', async () => {
    const { trail, rows } = start();
    for (let n = 0; n < 1000; n += 1) trail.refused({ what: 'operator', from: '10.0.0.9', code: 'unauthorized' });
    trail.refused({ what: 'hl7', from: '10.0.0.9', code: 'sender' });
    await trail[Symbol.asyncDispose]();
    expect(
      rows.map(({ event, source, what, outcome, detail }) => [event, source, what, outcome, detail]).slice(1, -1),
    ).to.deep.equal([
      ['access-refused', '10.0.0.9', 'operator', 'refused', { code: 'unauthorized', count: 1 }],
      ['hl7-refused-sender', '10.0.0.9', 'hl7', 'refused', { code: 'sender', count: 1 }],
      ['access-refused', '10.0.0.9', 'operator', 'refused', { code: 'unauthorized', count: 999 }],
    ]);
    expect(rows.at(-1)).to.include({ event: 'stopped' });
  });

  it('ends within seconds though the log is away', async () => {
    const { trail, fail, logged } = start();
    fail(AWAY);
    await trail.note(entry('a'));
    await trail[Symbol.asyncDispose]();
    expect(logged.at(-1)).to.equal('entries of the audit log were not written');
  });
});
