import { expect } from 'chai';
import fc from 'fast-check';
import { createRefusalCounts, type CountedRefusal } from '../../../audit/rules/refusal-counts.ts';

const at = (seconds: number): Date => new Date(Date.UTC(2026, 3, 1) + seconds * 1000);
const OPTIONS = { windowMs: 60_000, maxSources: 5 };
const refusal = (from: string, what = 'upload') => ({ what, from, code: 'unauthorized' });

describe('counting who is refused', () => {
  it('tells the first at once and the others of a minute together', () => {
    const counts = createRefusalCounts(OPTIONS);
    expect(counts.take(refusal('::ffff:10.0.0.1'), at(0))).to.deep.equal({ ...refusal('10.0.0.1'), count: 1 });
    for (let more = 0; more < 1000; more += 1) expect(counts.take(refusal('10.0.0.1'), at(1))).to.equal(null);
    expect(counts.take(refusal('10.0.0.1', 'operator'), at(2))).to.include({ what: 'operator', count: 1 });
    expect(counts.due(at(59))).to.deep.equal([]);
    expect(counts.due(at(60))).to.deep.equal([{ ...refusal('10.0.0.1'), count: 1000 }]);
    expect(counts.due(at(119))).to.deep.equal([]);
    expect(counts.take(refusal('10.0.0.1'), at(119))).to.equal(null);
    expect(counts.due(at(120), true)).to.deep.equal([{ ...refusal('10.0.0.1'), count: 1 }]);
    expect(counts.take(refusal('10.0.0.1'), at(121))).to.include({ count: 1 });
  });

  it('takes the addresses of one IPv6 network for one', () => {
    const counts = createRefusalCounts(OPTIONS);
    expect(counts.take(refusal('2001:db8::1'), at(0))).to.include({ from: '2001:db8::1' });
    for (const same of ['2001:db8::2', '2001:0DB8:0:0:1:2:3:4', '2001:db8:0:0::ffff']) {
      expect(counts.take(refusal(same), at(0)), same).to.equal(null);
    }
    expect(counts.take(refusal('2001:db8:0:1::1'), at(0))).to.include({ count: 1 });
  });

  it('loses none, tells of one source at most once a minute, and never holds more than it may', () => {
    const steps = fc.array(
      fc.record({ from: fc.integer({ min: 1, max: 12 }), seconds: fc.integer({ min: 0, max: 50 }) }),
      { maxLength: 300 },
    );
    fc.assert(
      fc.property(steps, (strangers) => {
        const counts = createRefusalCounts(OPTIONS);
        const told: { refusal: CountedRefusal; second: number }[] = [];
        let second = 0;
        for (const { from, seconds } of strangers) {
          const end = second + seconds;
          for (; second < end; second += 5)
            told.push(...counts.due(at(second)).map((one) => ({ refusal: one, second })));
          second = end;
          const now = counts.take(refusal(`10.0.0.${from}`), at(second));
          if (now !== null) told.push({ refusal: now, second });
        }
        told.push(...counts.due(at(second), true).map((one) => ({ refusal: one, second: Infinity })));
        expect(told.reduce((sum, one) => sum + one.refusal.count, 0)).to.equal(strangers.length);
        for (const some of Map.groupBy(told, (one) => one.refusal.from).values()) {
          some.slice(1).forEach((one, index) => {
            expect(one.second - some[index]!.second).to.be.at.least(60);
          });
        }
        for (let from = 0; from <= second; from += 60) {
          expect(told.filter((one) => one.second >= from && one.second < from + 60).length).to.be.at.most(2 * 6);
        }
      }),
    );
  });
});
