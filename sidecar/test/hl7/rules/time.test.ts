import { expect } from 'chai';
import fc from 'fast-check';
import { latestMeant, parseHl7Time } from '../../../hl7/rules/time.ts';

const MELBOURNE = 'Australia/Melbourne';
const instant = (text: string, zone = MELBOURNE): string | undefined => parseHl7Time(text, zone)?.instant.toISOString();

describe('HL7 times', () => {
  for (const [text, expected, what] of [
    ['20260115093000', '2026-01-14T22:30:00.000Z', 'in summer'],
    ['20260715093000', '2026-07-14T23:30:00.000Z', 'in winter'],
    ['20260715', '2026-07-14T14:00:00.000Z', 'of a day alone, at its midnight'],
    ['2026071509', '2026-07-14T23:00:00.000Z', 'to the hour'],
    ['202607150930', '2026-07-14T23:30:00.000Z', 'to the minute'],
    ['20260715093000.1234', '2026-07-14T23:30:00.000Z', 'with fractions, which are left out'],
    ['20260715093000123', '2026-07-14T23:30:00.000Z', 'with milliseconds that no point parts'],
    ['20260715093000.123456789', '2026-07-14T23:30:00.000Z', 'with more digits than the standard has'],
    ['20260405', '2026-04-04T13:00:00.000Z', 'of the day on which summer time ends'],
    ['202604050159', '2026-04-04T14:59:00.000Z', 'before the hour that is repeated'],
    ['202604050230', '2026-04-04T15:30:00.000Z', 'in the hour that is repeated, the first'],
    ['202604050300', '2026-04-04T17:00:00.000Z', 'after the hour that is repeated'],
    ['202610040159', '2026-10-03T15:59:00.000Z', 'before the hour that is skipped'],
    ['202610040230', '2026-10-03T16:30:00.000Z', 'in the hour that is skipped, the one after'],
    ['202610040300', '2026-10-03T16:00:00.000Z', 'after the hour that is skipped'],
  ] as const) {
    it(`are Melbourne’s where no offset is given: ${text}, ${what}`, () => {
      expect(instant(text)).to.equal(expected);
      const day = text.slice(0, 8).replace(/^(....)(..)(..)$/, '$1-$2-$3');
      expect(parseHl7Time(text, MELBOURNE)?.localDate).to.equal(day);
    });
  }

  it('are of their own offset in whichever way it is written', () => {
    for (const offset of ['+0000', '+00:00', '-0000', 'Z']) {
      expect(instant(`20260715093000${offset}`), offset).to.equal('2026-07-15T09:30:00.000Z');
    }
    expect(instant('202607150930+05:30')).to.equal('2026-07-15T04:00:00.000Z');
  });

  it('are of their own offset where one is given, on the day that it was in the practice', () => {
    expect(parseHl7Time('20260714200000+0000', MELBOURNE)).to.deep.equal({
      instant: new Date('2026-07-14T20:00:00Z'),
      localDate: '2026-07-15',
    });
    expect(instant('20260715093000+1000')).to.equal('2026-07-14T23:30:00.000Z');
    expect(instant('20260714193000-0330')).to.equal('2026-07-14T23:00:00.000Z');
  });

  it('are read in any zone', () => {
    expect(instant('20260115093000', 'Australia/Brisbane')).to.equal('2026-01-14T23:30:00.000Z');
    expect(instant('20260115093000', 'UTC')).to.equal('2026-01-15T09:30:00.000Z');
  });

  for (const text of [
    '',
    'now',
    '2026',
    '202607',
    '20260230',
    '20261301',
    '2026-07-15',
    '2026071524',
    '2026071509600',
    '20260715096000',
    '00000000',
    '00010101',
    '99991231',
    '""',
  ]) {
    it(`are not what ${JSON.stringify(text)} says`, () => {
      expect(parseHl7Time(text, MELBOURNE)).to.equal(null);
    });
  }

  it('give back every moment written in local time, but for the hour that is repeated', () => {
    const moments = fc.date({ min: new Date('1990-01-01'), max: new Date('2040-01-01'), noInvalidDate: true });
    const wall = new Intl.DateTimeFormat('sv-SE', { timeZone: MELBOURNE, dateStyle: 'short', timeStyle: 'medium' });
    fc.assert(
      fc.property(moments, (moment) => {
        const text = wall.format(moment).replace(/\D/g, '');
        const read = parseHl7Time(text, MELBOURNE);
        expect(read && wall.format(read.instant)).to.equal(wall.format(moment));
        expect(read?.localDate).to.equal(wall.format(moment).slice(0, 10));
      }),
      { numRuns: 500 },
    );
  });

  it('are times with a calendar day, or none, for any text', () => {
    const digits = fc.string({ unit: fc.constantFrom('0', '1', '2', '9', '+', '-', '.'), maxLength: 24 });
    fc.assert(
      fc.property(digits, (text) => {
        const read = parseHl7Time(text, MELBOURNE);
        if (read === null) return;
        expect(read.localDate).to.match(/^\d{4}-\d\d-\d\d$/);
        expect(Number.isNaN(read.instant.getTime())).to.equal(false);
      }),
      { numRuns: 2000, examples: [['99991231230000-1200'], ['18510101000000+1400']] },
    );
  });
});

describe('the last moment that a time can mean', () => {
  const meant = (text: string, notAfter: string) => latestMeant(text, MELBOURNE, new Date(notAfter))?.toISOString();

  it('is the end of the day, hour or minute that it names, but none after the moment given', () => {
    const late = '2026-08-01T00:00:00Z';
    expect(meant('20260715', late)).to.equal('2026-07-15T13:59:59.999Z');
    expect(meant('2026071509', late)).to.equal('2026-07-14T23:59:59.999Z');
    expect(meant('202607150930', late)).to.equal('2026-07-14T23:30:59.999Z');
    expect(meant('202607150930+0000', late)).to.equal('2026-07-15T09:30:59.999Z');
    expect(meant('20260715093015', late)).to.equal('2026-07-14T23:30:15.000Z');
    expect(meant('20260715', '2026-07-15T01:02:03Z')).to.equal('2026-07-15T01:02:03.000Z');
    expect(meant('20260716', '2026-07-15T01:02:03Z')).to.equal('2026-07-15T01:02:03.000Z');
    expect(meant('today', late)).to.equal(undefined);
  });

  it('is of the hour that is repeated the later one, unless that has not come yet', () => {
    const [first, second] = ['2026-04-04T15:30:00.000Z', '2026-04-04T16:30:00.000Z'];
    expect(meant('20260405023000', '2026-04-04T15:30:10Z')).to.equal(first);
    expect(meant('20260405023000', '2026-04-04T16:30:10Z')).to.equal(second);
    expect(meant('20260405023000', '2026-04-05T00:00:00Z')).to.equal(second);
    expect(meant('20260405023000+1100', '2026-04-05T00:00:00Z')).to.equal(first);
    expect(meant('20260405', '2026-05-01T00:00:00Z')).to.equal('2026-04-05T13:59:59.999Z');
  });

  it('is never after the moment given, and never before what it can mean at first where that has come', () => {
    const time = fc.date({ min: new Date('2026-01-01'), max: new Date('2027-01-01'), noInvalidDate: true });
    const length = fc.constantFrom(8, 10, 12, 14);
    fc.assert(
      fc.property(time, length, time, (written, digits, notAfter) => {
        const text = written.toISOString().replace(/[-T:]/g, '').slice(0, digits);
        const [first, last] = [parseHl7Time(text, MELBOURNE)?.instant, latestMeant(text, MELBOURNE, notAfter)];
        expect(last?.getTime()).to.be.at.most(notAfter.getTime());
        if (first !== undefined && first <= notAfter) expect(last?.getTime()).to.be.at.least(first.getTime());
      }),
    );
  });
});
