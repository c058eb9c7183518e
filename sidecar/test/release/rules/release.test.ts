import { expect } from 'chai';
import fc from 'fast-check';
import { parseDelays } from '../../../release/rules/delay.ts';
import { decideRelease, type ReleaseFacts } from '../../../release/rules/release.ts';
import type { ReportVersion } from '../../../release/rules/standing-report.ts';

const NOW = new Date('2026-04-08T00:00:00Z');
const hoursAgo = (hours: number): Date => new Date(NOW.getTime() - hours * 3_600_000);

/** The first came ten hours ago, each of the others an hour after the one before. */
const versions = (...said: (ReportVersion['status'] | Partial<ReportVersion>)[]): ReportVersion[] =>
  said.map((one, index) => ({
    ...{ id: String(index + 1), messageId: String(index + 1), status: 'final', withheld: null, empty: false },
    ...{ cameAt: hoursAgo(10 - index), toldAt: hoursAgo(10 - index) },
    ...(typeof one === 'string' ? { status: one } : one),
  }));
const facts = (changed: Partial<ReleaseFacts> = {}): ReleaseFacts => ({
  modality: 'CT',
  procedureCode: 'CTHEAD',
  reports: versions('final'),
  claims: [],
  deceased: false,
  studyHeld: false,
  patientHeld: false,
  ...changed,
});
const release = (changed: Partial<ReleaseFacts>, delay = '') =>
  decideRelease(facts(changed), parseDelays(delay) ?? new Map(), NOW);

const ANOTHER = { withheld: 'patient-differs' };

/** What was said, the earliest first, and the version that stands or why none does. */
const STANDS: readonly [string, ReportVersion[], number | string][] = [
  ['nothing', [], 'no-report'],
  ['a preliminary one', versions('preliminary'), 'report-preliminary'],
  ['a final one', versions('final'), 1],
  ['a final one after a preliminary one', versions('preliminary', 'final'), 2],
  ['a corrected one after the final one', versions('final', 'corrected'), 2],
  ['a draft addendum after the final one', versions('final', 'preliminary'), 1],
  ['several drafts after a corrected one', versions('final', 'corrected', 'preliminary', 'preliminary'), 2],
  ['a withdrawal after the final one', versions('final', 'cancelled'), 'report-cancelled'],
  ['a draft after a withdrawal', versions('final', 'cancelled', 'preliminary'), 'report-preliminary'],
  ['a withdrawal after a draft addendum', versions('final', 'preliminary', 'cancelled'), 'report-cancelled'],
  ['a final one after a withdrawal', versions('final', 'cancelled', 'final'), 3],
  ['a withdrawal alone', versions('cancelled'), 'report-cancelled'],
  ['another patient’s alone', versions(ANOTHER), 'report-patient-differs'],
  ['another patient’s after the final one', versions('final', ANOTHER), 1],
  ['another patient’s withdrawal', versions('final', { ...ANOTHER, status: 'cancelled' }), 1],
  ['another patient’s draft', versions('final', { ...ANOTHER, status: 'preliminary' }), 1],
  ['another patient’s before a draft', versions(ANOTHER, 'preliminary'), 'report-preliminary'],
];

/** What keeps a report back that stands. */
const KEEPS: readonly [string, Partial<ReleaseFacts>][] = [
  ['patient-deceased', { deceased: true }],
  ['patient-held', { patientHeld: true }],
  ['study-held', { studyHeld: true }],
  ['study-in-review', { claims: ['linked', 'review'] }],
  ['study-contested', { claims: ['contested'] }],
  ['report-empty', { reports: versions({ empty: true }) }],
];

describe('the release of a study', () => {
  for (const [what, reports, stands] of STANDS) {
    it(`of ${what} gives ${typeof stands === 'number' ? `version ${stands}` : stands}`, () => {
      const result = release({ reports });
      if (typeof stands === 'number') expect(result).to.deep.include({ released: true, report: reports[stands - 1] });
      else expect(result).to.deep.equal({ released: false, reason: stands, report: null, until: null });
    });
  }

  for (const [reason, changed] of KEEPS) {
    it(`is kept back for ${reason}, whatever the time`, () => {
      expect(release(changed)).to.deep.include({ released: false, reason, until: null });
    });
  }

  it('is kept back by neither a link nor its absence', () => {
    for (const claims of [[], ['linked'], ['provisional'], ['linked', 'deleted']]) {
      expect(release({ claims }), claims.join()).to.include({ released: true });
    }
  });

  it('counts its time from the version that stands, after a withdrawal too', () => {
    expect(release({})).to.deep.include({ since: hoursAgo(10) });
    expect(release({ reports: versions('final', 'corrected') })).to.deep.include({ since: hoursAgo(9) });
    expect(release({ reports: versions('final', 'cancelled', 'final') })).to.deep.include({ since: hoursAgo(8) });
    expect(release({ reports: versions('final', 'preliminary') })).to.deep.include({ since: hoursAgo(10) });
  });

  it('waits for the delay of its procedure, modality, or every other, and says until when', () => {
    const until = (hours: number) => new Date(hoursAgo(10).getTime() + hours * 3_600_000);
    expect(release({}, 'CT=2d,*=0')).to.deep.include({ reason: 'release-delay', until: until(48) });
    expect(release({ modality: 'US' }, 'CT=2d,*=0')).to.deep.include({ released: true, since: hoursAgo(10) });
    expect(release({}, 'cthead=12h,CT=0')).to.deep.include({ reason: 'release-delay', until: until(12) });
    expect(release({ procedureCode: '', modality: '' }, '*=11h')).to.deep.include({ until: until(11) });
    expect(release({}, 'CT=10h')).to.deep.include({ released: true, since: NOW });
    expect(release({}, 'CT=4h')).to.deep.include({ released: true, since: until(4) });
  });

  it('hides nothing that was shown when a correction comes, and waits anew after a withdrawal', () => {
    expect(release({ reports: versions('final', 'corrected') }, '*=10h')).to.include({ released: true });
    expect(release({ reports: versions('final', 'cancelled', 'final') }, '*=10h')).to.include({
      reason: 'release-delay',
    });
  });

  it('is never of an empty, withheld, withdrawn or draft version, nor of a dead or held patient, for any facts', () => {
    const version = fc.record({
      status: fc.constantFrom<ReportVersion['status']>('preliminary', 'final', 'corrected', 'cancelled'),
      withheld: fc.constantFrom(null, 'patient-differs'),
      empty: fc.boolean(),
    });
    const any = fc.record({
      reports: fc.array(version, { maxLength: 6 }),
      claims: fc.subarray(['linked', 'provisional', 'review', 'contested', 'deleted']),
      deceased: fc.boolean(),
      studyHeld: fc.boolean(),
      patientHeld: fc.boolean(),
    });
    fc.assert(
      fc.property(any, (given) => {
        const result = release({ ...given, reports: versions(...given.reports) });
        if (!result.released) return;
        expect(result.report).to.include({ withheld: null, empty: false });
        expect(result.report.status).to.be.oneOf(['final', 'corrected']);
        expect([given.deceased, given.studyHeld, given.patientHeld]).to.deep.equal([false, false, false]);
        expect(given.claims).not.to.include.members(['review']);
        expect(given.claims).not.to.include.members(['contested']);
      }),
    );
  });
});

describe('the setting of delays', () => {
  it('reads days, hours, minutes and none', () => {
    expect([...(parseDelays(' CT=2d, mr-head=3h,US=15m,*=0 ') ?? [])]).to.deep.equal([
      ['CT', 172_800_000],
      ['MR-HEAD', 10_800_000],
      ['US', 900_000],
      ['*', 0],
    ]);
    expect(parseDelays('')).to.have.property('size', 0);
  });

  it('takes nothing else', () => {
    for (const text of ['CT', 'CT=', 'CT=2', 'CT=-1d', 'CT=2w', 'CT=2d;US=1d', 'CT=1d,ct=2d', '=1d', 'CT=2d,']) {
      expect(parseDelays(text), text).to.equal(null);
    }
  });
});
