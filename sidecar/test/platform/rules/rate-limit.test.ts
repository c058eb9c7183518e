import { expect } from 'chai';
import { createRateLimit } from '../../../platform/rules/rate-limit.ts';
import { boundedRefusals } from '../../../platform/rules/refused-access.ts';

const at = (seconds: number): Date => new Date(Date.UTC(2026, 3, 1) + seconds * 1000);

describe('a rate limit', () => {
  it('lets each key come so often in its window, and says when it may come again', () => {
    const limit = createRateLimit({ limit: 2, windowMs: 60_000, maxKeys: 10 });
    expect([0, 10, 20, 59, 60].map((seconds) => limit.take('a', at(seconds)))).to.deep.equal([0, 0, 40, 1, 0]);
    expect(limit.take('b', at(61))).to.equal(0);
  });

  it('holds no more keys than it may: those beyond share one count, until there is room', () => {
    const limit = createRateLimit({ limit: 1, windowMs: 60_000, maxKeys: 2 });
    const takes = (seconds: number) => ['a', 'b', 'c', 'd'].map((key) => limit.take(key, at(seconds)) === 0);
    expect(takes(0)).to.deep.equal([true, true, true, false]);
    expect(takes(60)).to.deep.equal([true, true, true, false]);
    expect(takes(119)).to.deep.equal([false, false, false, false]);
  });
});

describe('refusals', () => {
  it('are noted so often of one address, with how many were left out, whatever comes', () => {
    const noted: { from: string; unnoted: number }[] = [];
    let now = at(0);
    const refuse = boundedRefusals(
      ({ from, unnoted }) => void noted.push({ from, unnoted }),
      () => now,
    );
    for (let count = 0; count < 1000; count += 1) refuse({ what: 'http', from: '10.0.0.1', code: 'x' });
    expect(noted).to.have.length(10);
    refuse({ what: 'http', from: '10.0.0.2', code: 'x' });
    expect(noted.at(-1)).to.deep.equal({ from: '10.0.0.2', unnoted: 990 });
    for (let count = 0; count < 100_000; count += 1) refuse({ what: 'http', from: `2001:db8::${count}`, code: 'x' });
    expect(noted).to.have.length(300);
    now = at(60);
    refuse({ what: 'http', from: '10.0.0.1', code: 'x' });
    expect(noted).to.have.length(301);
  });
});
