import { expect } from 'chai';
import fc from 'fast-check';
import { cleanTag } from '../../../images/rules/dicom.ts';
import { parseDate } from '../../../platform/rules/date.ts';

describe('DICOM tags', () => {
  it('lose NULs and surrounding blanks, which are padding', () => {
    expect(cleanTag(' Doe^Jane \0')).to.equal('Doe^Jane');
  });

  it('are texts that the database can hold, for any text', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.constant('\uD800'), fc.constant(`${'x'.repeat(1023)}𠮷`)),
        (text) => {
          const clean = cleanTag(text);
          expect(clean.isWellFormed()).to.equal(true);
          expect(clean).not.to.include('\0');
          expect(clean.length).to.be.at.most(1024);
        },
      ),
    );
  });
});

describe('dates', () => {
  for (const [text, date] of [
    ['20260401', '2026-04-01'],
    [' 20260401 ', '2026-04-01'],
    ['2026.04.01', '2026-04-01'],
    ['2026-04-01', '2026-04-01'],
    ['20240229', '2024-02-29'],
    ['18510101', '1851-01-01'],
  ] as const) {
    it(`are read of ${JSON.stringify(text)}`, () => {
      expect(parseDate(text)).to.equal(date);
    });
  }

  for (const text of [
    '',
    '2026',
    '202604',
    '00000000',
    '20230229',
    '20260431',
    '20261301',
    '20260100',
    '18500101',
    '20260401120000',
    '01/04/2026',
    'UNKNOWN',
  ]) {
    it(`are not read of ${JSON.stringify(text)}`, () => {
      expect(parseDate(text)).to.equal(null);
    });
  }

  it('are calendar days or none, for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{8}$/)), (text) => {
        const date = parseDate(text);
        if (date !== null) expect(new Date(date).toISOString().slice(0, 10)).to.equal(date);
      }),
      { numRuns: 1000 },
    );
  });
});
