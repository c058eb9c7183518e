import { expect } from 'chai';
import fc from 'fast-check';
import type { Release } from '../../../release/rules/release.ts';
import type { ReportVersion } from '../../../release/rules/standing-report.ts';
import {
  decideSms,
  decideTogether,
  MAX_HOLD_MS,
  shownSince,
  type SmsFacts,
  type SmsPlan,
} from '../../../texts/rules/hold.ts';

const NOW = new Date('2026-04-08T00:00:00Z');
const CAME = new Date('2026-04-07T23:00:00Z');
const before = (date: Date, ms: number): Date => new Date(date.getTime() - ms);
const report = (changed: Partial<ReportVersion> = {}): ReportVersion => ({
  ...{ id: '7', messageId: '3', status: 'final', withheld: null, empty: false, cameAt: CAME, toldAt: CAME },
  ...changed,
});
const released = (changed: Partial<ReportVersion> = {}): Release => ({
  released: true,
  report: report(changed),
  since: CAME,
});
const keptBack = (reason: string): Release => ({ released: false, reason, report: report(), until: null });
const delayed = (until: Date): Release => ({ released: false, reason: 'release-delay', report: report(), until });

const facts = (changed: Partial<SmsFacts> = {}): SmsFacts => ({
  release: released(),
  shownAt: CAME,
  phoneNumber: '+61412345678',
  phoneProblem: null,
  numberDiffers: false,
  optedOut: false,
  ordered: true,
  imagesTaken: false,
  imagesDeleted: false,
  approved: false,
  ...changed,
});
const plan = (changed: Partial<SmsFacts>) => decideSms(facts(changed), NOW);
const QUEUED = { state: 'queued', to: '+61412345678', from: null } as const;

describe('planning a text', () => {
  it('queues it for a report that is released', () => {
    expect(plan({})).to.deep.equal(QUEUED);
  });

  it('holds it for what keeps the report back, with that reason, whatever a person said', () => {
    for (const reason of [
      'report-preliminary',
      'report-cancelled',
      'study-in-review',
      'patient-deceased',
      'report-empty',
    ]) {
      for (const approved of [false, true]) {
        expect(plan({ release: keptBack(reason), shownAt: null, approved })).to.deep.equal({ state: 'held', reason });
      }
    }
  });

  it('has it wait for the delay of a release', () => {
    const until = new Date('2026-04-10T00:00:00Z');
    expect(plan({ release: delayed(until), shownAt: until })).to.deep.equal({ ...QUEUED, from: until });
  });

  it('holds it while whose images were read is not known', () => {
    expect(plan({ imagesTaken: true })).to.deep.equal({ state: 'held', reason: 'images-taken-away' });
    expect(plan({ imagesDeleted: true })).to.deep.equal({ state: 'held', reason: 'images-deleted' });
  });

  it('holds it for a report that was older than seven days when it came, or of unknown age', () => {
    expect(plan({ release: released({ toldAt: before(CAME, MAX_HOLD_MS) }) })).to.deep.equal(QUEUED);
    const old = released({ toldAt: before(CAME, MAX_HOLD_MS + 1) });
    expect(plan({ release: old })).to.deep.equal({ state: 'held', reason: 'report-old' });
    expect(plan({ release: released({ toldAt: null }) })).to.deep.equal({ state: 'held', reason: 'report-undated' });
  });

  it('holds it for a study that no order tells of', () => {
    expect(plan({ ordered: false })).to.deep.equal({ state: 'held', reason: 'no-order' });
  });

  it('holds it where a report said another number, except where none is known', () => {
    expect(plan({ numberDiffers: true })).to.deep.equal({ state: 'held', reason: 'number-differs' });
    expect(plan({ numberDiffers: true, phoneNumber: null })).to.deep.equal({ state: 'held', reason: 'no-number' });
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
    const aged = (ms: number) => plan({ shownAt: before(NOW, ms) });
    expect(aged(MAX_HOLD_MS)).to.include({ state: 'queued' });
    expect(aged(MAX_HOLD_MS + 1)).to.deep.equal({ state: 'failed', reason: 'held-too-long' });
  });

  it('lets a person overrule doubts and age, and nothing else', () => {
    const doubts = { ordered: false, imagesTaken: true, imagesDeleted: true, numberDiffers: true };
    const old = { release: released({ toldAt: null }), shownAt: before(NOW, 9 * MAX_HOLD_MS) };
    expect(plan({ ...doubts, ...old, approved: true })).to.deep.equal(QUEUED);
    expect(plan({ approved: true, optedOut: true })).to.deep.equal({ state: 'held', reason: 'opted-out' });
    expect(plan({ approved: true, phoneNumber: null })).to.deep.equal({ state: 'held', reason: 'no-number' });
  });

  it('queues only what is released, not doubted, recent and has a number that takes texts, for any facts', () => {
    const any: fc.Arbitrary<SmsFacts> = fc.record({
      release: fc.constantFrom(released(), keptBack('study-in-review'), keptBack('report-cancelled')),
      shownAt: fc.option(fc.date({ min: new Date('2026-03-20'), max: NOW, noInvalidDate: true })),
      phoneNumber: fc.constantFrom(null, '+61412345678'),
      phoneProblem: fc.constantFrom(null, 'no-mobile'),
      numberDiffers: fc.boolean(),
      optedOut: fc.boolean(),
      ordered: fc.boolean(),
      imagesTaken: fc.boolean(),
      imagesDeleted: fc.boolean(),
      approved: fc.constant(false),
    });
    fc.assert(
      fc.property(any, (given) => {
        const fit =
          given.release.released &&
          given.ordered &&
          !given.imagesTaken &&
          !given.imagesDeleted &&
          given.phoneNumber !== null &&
          !given.numberDiffers &&
          !given.optedOut &&
          NOW.getTime() - (given.shownAt ?? NOW).getTime() <= MAX_HOLD_MS;
        expect(decideSms(given, NOW).state === 'queued').to.equal(fit);
      }),
    );
  });
});

describe('since when a report can be shown', () => {
  const was = (reason: string | null, changed = {}) => ({ reason, reportId: null, shownAt: null, ...changed });

  it('is when it came or its delay ends, and never while it is kept back', () => {
    expect(shownSince(released(), null, NOW)).to.deep.equal(CAME);
    expect(shownSince(delayed(NOW), null, NOW)).to.deep.equal(NOW);
    expect(shownSince(keptBack('study-held'), null, NOW)).to.equal(null);
  });

  it('is when it was found first for the same version, and begins anew with another', () => {
    const earlier = before(CAME, 1000);
    expect(shownSince(released(), was('no-number', { reportId: '7', shownAt: earlier }), NOW)).to.deep.equal(earlier);
    expect(shownSince(released(), was('no-number', { reportId: '6', shownAt: earlier }), NOW)).to.deep.equal(CAME);
  });

  it('is now where it was kept back until now, and its coming where only the text was held', () => {
    for (const reason of ['study-in-review', 'patient-held', 'report-patient-differs']) {
      expect(shownSince(released(), was(reason), NOW), reason).to.deep.equal(NOW);
    }
    for (const reason of ['no-number', 'report-old', 'no-order', null]) {
      expect(shownSince(released(), was(reason), NOW), String(reason)).to.deep.equal(CAME);
    }
  });
});

describe('one text of several studies', () => {
  const held = (reason: string): SmsPlan => ({ state: 'held', reason });
  const failed: SmsPlan = { state: 'failed', reason: 'held-too-long' };
  const from = (date: Date | null): SmsPlan => ({ ...QUEUED, from: date });

  it('waits while one of them is held, in any order', () => {
    const plans = [QUEUED, held('study-in-review'), failed] as const;
    expect(decideTogether([plans[0], plans[1], plans[2]])).to.deep.equal(held('study-in-review'));
    expect(decideTogether([plans[2], plans[1], plans[0]])).to.deep.equal(held('study-in-review'));
    expect(decideTogether([plans[1], plans[0]])).to.deep.equal(held('study-in-review'));
  });

  it('waits for the last of their delays, and fails where one would puzzle', () => {
    expect(decideTogether([from(null), from(NOW), from(CAME)])).to.deep.equal(from(NOW));
    expect(decideTogether([QUEUED, failed])).to.deep.equal(failed);
    expect(decideTogether([failed, QUEUED])).to.deep.equal(failed);
  });
});
