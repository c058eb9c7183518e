import { expect } from 'chai';
import fc from 'fast-check';
import { failed, mayPass, OPEN, passed, undecided, type Gate } from '../../../platform/rules/gate.ts';

const LONGEST_REST_MS = 300_000;

const restingSince = (times: number, now: number, random = 1): Gate => {
  let gate = OPEN;
  for (let time = 0; time < times; time += 1) gate = failed(passed(gate), now, random);
  return gate;
};

describe('the gate before a service that much work waits for', () => {
  it('lets all through while it works, and through one or two failures', () => {
    expect([0, 1, 2].map((times) => mayPass(restingSince(times, 0), 0))).to.deep.equal([true, true, true]);
  });

  it('closes after the third failure in a row, ever longer, five minutes at most', () => {
    const rests = [3, 4, 5, 6, 11, 12, 13, 1000].map((times) => restingSince(times, 0).restsUntil);
    expect(rests).to.deep.equal([1000, 2000, 4000, 8000, 256_000, 300_000, 300_000, 300_000]);
    expect(restingSince(3, 0, 0).restsUntil).to.equal(500);
  });

  it('then lets one through to see, and all others only once that one has seen', () => {
    const resting = restingSince(3, 0);
    expect([999, 1000].map((now) => mayPass(resting, now))).to.deep.equal([false, true]);
    const seeing = passed(resting);
    expect(mayPass(seeing, 1_000_000)).to.equal(false);
    expect(mayPass(undecided(seeing), 1_000_000)).to.equal(true);
    expect(mayPass(failed(seeing, 5000, 1), 6999)).to.equal(false);
    expect(mayPass(failed(seeing, 5000, 1), 7000)).to.equal(true);
  });

  it('rests no longer for failures of calls that were out already', () => {
    const resting = restingSince(3, 0);
    expect(failed(failed(resting, 900, 1), 950, 1)).to.equal(resting);
  });

  it('never has two out to see at once, and never rests for ever, whatever happens', () => {
    const step = fc.record({
      kind: fc.constantFrom('call', 'works', 'fails', 'says nothing'),
      after: fc.integer({ min: 0, max: 400_000 }),
      random: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let [gate, now, probes] = [OPEN, 0, 0];
        for (const { kind, after, random } of steps) {
          now += after;
          if (kind === 'call' && mayPass(gate, now)) {
            if (gate.restsUntil !== null) probes += 1;
            gate = passed(gate);
          }
          if (kind === 'works') [gate, probes] = [OPEN, 0];
          if (kind === 'fails') [gate, probes] = [failed(gate, now, random), gate.probing ? 0 : probes];
          if (kind === 'says nothing') [gate, probes] = [undecided(gate), 0];
          expect(probes).to.be.at.most(1);
          expect(gate.probing).to.equal(probes === 1);
          if (!gate.probing) expect(mayPass(gate, now + LONGEST_REST_MS)).to.equal(true);
        }
      }),
    );
  });
});
