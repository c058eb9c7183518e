import { expect } from 'chai';
import fc from 'fast-check';
import { FIRST_PORTION, nextPortion } from '../../../images/rules/portion.ts';

describe('how many resources are asked for at once', () => {
  it('comes to what takes a second, whatever one of them costs, and back', () => {
    const settled = (size: number, msEach: number): number => {
      let now = size;
      for (let turn = 0; turn < 12; turn += 1) now = nextPortion(now, { count: now, ms: now * msEach });
      return now;
    };
    fc.assert(
      fc.property(fc.double({ min: 1, max: 900, noNaN: true }), (msEach) => {
        const size = settled(FIRST_PORTION, msEach);
        expect(size).to.be.closeTo(1000 / msEach, 1);
        expect(settled(size, 0.1)).to.equal(1000);
      }),
    );
  });

  it('is halved by each failure, and never less than one', () => {
    let size = 1000;
    for (let turn = 0; turn < 20; turn += 1) {
      const next = nextPortion(size, 'failed');
      expect(next).to.equal(Math.max(1, Math.round(size / 2)));
      size = next;
    }
    expect(size).to.equal(1);
  });
});
