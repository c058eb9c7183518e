import { expect } from 'chai';
import fc from 'fast-check';
import { MAX_HOLD_MS, decideSms, type SmsFacts } from '../../../texts/rules/hold.ts';

const NOW = new Date('2026-04-08T00:00:00Z');
const facts = (changed: Partial<SmsFacts> = {}): SmsFacts => ({
  reportStatus: 'final',
  firstFinalAt: new Date('2026-04-07T23:00:00Z'),
  phoneNumber: '+61412345678',
  phoneProblem: null,
  numberDiffers: false,
  optedOut: false,
  withheld: null,
  inReview: false,
  imagesTaken: false,
  imagesDeleted: false,
  ...changed,
});
const plan = (changed: Partial<SmsFacts>) => decideSms(facts(changed), NOW);

describe('planning a text', () => {
  it('queues it for a final or a corrected report', () => {
    for (const reportStatus of ['final', 'corrected'] as const) {
      expect(plan({ reportStatus })).to.deep.equal({ state: 'queued', to: '+61412345678' });
    }
  });

  it('holds it while the newest report is preliminary or cancelled', () => {
    expect(plan({ reportStatus: 'preliminary' })).to.deep.equal({ state: 'held', reason: 'report-preliminary' });
    expect(plan({ reportStatus: 'cancelled' })).to.deep.equal({ state: 'held', reason: 'report-cancelled' });
  });

  it('holds it while whose images were read is not known', () => {
    expect(plan({ inReview: true })).to.deep.equal({ state: 'held', reason: 'study-in-review' });
    expect(plan({ imagesTaken: true })).to.deep.equal({ state: 'held', reason: 'images-taken-away' });
    expect(plan({ imagesDeleted: true })).to.deep.equal({ state: 'held', reason: 'images-deleted' });
  });

  it('holds it without a number that takes a text, saying why', () => {
    expect(plan({ phoneNumber: null })).to.deep.equal({ state: 'held', reason: 'no-number' });
    expect(plan({ phoneNumber: null, phoneProblem: 'no-mobile' })).to.deep.equal({
      state: 'held',
      reason: 'no-mobile',
    });
  });

  it('holds it while a report names another number, after the known one', () => {
    expect(plan({ numberDiffers: true })).to.deep.equal({ state: 'held', reason: 'number-differs' });
    expect(plan({ numberDiffers: true, phoneNumber: null })).to.deep.equal({ state: 'held', reason: 'no-number' });
  });

  it('holds it for a number that said STOP, unless it has none', () => {
    expect(plan({ optedOut: true })).to.deep.equal({ state: 'held', reason: 'opted-out' });
    expect(plan({ optedOut: true, phoneNumber: null })).to.deep.equal({ state: 'held', reason: 'no-number' });
  });

  it('fails it once it would only puzzle', () => {
    const aged = (ms: number) => plan({ firstFinalAt: new Date(NOW.getTime() - ms) });
    expect(aged(MAX_HOLD_MS)).to.include({ state: 'queued' });
    expect(aged(MAX_HOLD_MS + 1)).to.deep.equal({ state: 'failed', reason: 'held-too-long' });
  });

  it('queues only what is final, not in review, recent and has a number that takes texts, for any facts', () => {
    const any: fc.Arbitrary<SmsFacts> = fc.record({
      reportStatus: fc.constantFrom('preliminary', 'final', 'corrected', 'cancelled'),
      firstFinalAt: fc.date({ min: new Date('2026-03-20'), max: NOW, noInvalidDate: true }),
      phoneNumber: fc.constantFrom(null, '+61412345678'),
      phoneProblem: fc.constantFrom(null, 'no-mobile'),
      numberDiffers: fc.boolean(),
      optedOut: fc.boolean(),
      withheld: fc.constantFrom(null, 'patient-differs'),
      inReview: fc.boolean(),
      imagesTaken: fc.boolean(),
      imagesDeleted: fc.boolean(),
    });
    fc.assert(
      fc.property(any, (given) => {
        const fit =
          (given.reportStatus === 'final' || given.reportStatus === 'corrected') &&
          given.withheld === null &&
          !given.inReview &&
          !given.imagesTaken &&
          !given.imagesDeleted &&
          given.phoneNumber !== null &&
          !given.numberDiffers &&
          !given.optedOut &&
          NOW.getTime() - given.firstFinalAt.getTime() <= MAX_HOLD_MS;
        expect(decideSms(given, NOW).state === 'queued').to.equal(fit);
      }),
    );
  });
});
