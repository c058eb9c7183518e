import { expect } from 'chai';
import fc from 'fast-check';
import { isBarring, phonePieces } from '../../../ris/rules/phone-note.ts';
import { mobilesIn, phoneCandidates } from '../../../ris/rules/phone.ts';
import { readPatient } from '../../../ris/rules/patient-update.ts';
import { parseHl7 } from '../../../hl7/rules/parse.ts';
import { hl7, seg, SETTINGS } from '../../support/hl7-messages.ts';

const choose = (text: string) => {
  const { number, problem } = mobilesIn([{ text, use: '', equipment: '' }], 'AU');
  return number ?? problem;
};
const MOBILE = '+61491570156';

describe('several numbers in one phone field', () => {
  for (const text of [
    '0398765432 0491570156',
    '0491570156 0398765432',
    '03 9876 5432 0491 570 156',
    '9876 5432 0491 570 156',
    '0398765432/0491570156',
    '0398765432, 0491570156',
    '0398765432;0491 570 156',
    '03 9876 5432 or 0491 570 156',
    '+61 3 9876 5432 +61 491 570 156',
    '0398765432-0491570156',
    '1300 975 707 0491 570 156',
  ]) {
    it(`are told apart in ${text}`, () => {
      expect(choose(text)).to.equal(MOBILE);
    });
  }

  it('are none where digits are left over', () => {
    for (const text of ['0491 570 156 999', '0491 570 156 0491', '12 0491 570 156', '0398765432 0491570']) {
      expect(choose(text), text).to.equal('unusable-number');
    }
  });

  it('are the first of two mobiles', () => {
    expect(choose('0491 570 156 0491 570 157')).to.equal(MOBILE);
  });
});

describe('the ranges of Australian mobiles', () => {
  it('are all of 04, those too that no library knows yet', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99_999_999 }), (rest) => {
        const digits = String(rest).padStart(8, '0');
        expect(choose(`04${digits}`)).to.equal(`+614${digits}`);
        expect(choose(`+61 4${digits}`)).to.equal(`+614${digits}`);
      }),
      { numRuns: 500, examples: [[41_123_456], [46_123_456], [53_123_456], [71_123_456]] },
    );
  });
});

describe('a note beside a number', () => {
  for (const text of [
    '0491 570 156 (wife)',
    '0491 570 156 (Wife’s)',
    "mum's 0491 570 156",
    'Mother: 0491570156',
    '0491570156 - husband',
    '0491570156 NOK',
    '0491570156 c/o daughter',
    '0491570156 next of kin',
    'carer 0491 570 156',
    '0491 570 156 mother in-law',
    '0491570156 (nursing home)',
    'Emergency 0491570156',
    'do not call 0491 570 156',
    "0491570156 don't ring",
    '0491570156 DNC',
    '0491 570 156 no sms',
    '0491570156 wrong number',
    '0491570156 (old)',
    '0491570156 no longer in use',
    '0491570156 work only',
    '0491570156 voice only',
    'wife, 0491570156',
    '0491570156, wife',
    '(partner) 0491570156',
  ]) {
    it(`bars ${text}`, () => {
      expect(choose(text)).to.equal('no-mobile');
    });
  }

  for (const text of [
    '0491 570 156 / 0491 570 157 (wife)',
    'Mob 0491 570 156',
    'M: 0491570156 H: 03 9876 5432',
    '0491 570 156 (own)',
    '0491 570 156 Jason',
    '0491570156 sms ok',
    '0491570156 after 5pm',
    'text 0491570156',
    '0491570157 mum / 0491570156 self',
    '0491570157 work, 0491570156',
  ]) {
    it(`leaves a number to use in ${text}`, () => {
      expect(choose(text)).to.equal(MOBILE);
    });
  }

  it('counts in the field beside the number too: XTN-9, and words in place of a code', () => {
    const of = (field: string) => {
      const pid = parseHl7(`MSH|^~\\&|RIS\rPID|${'|'.repeat(11)}|${field}\r`).segments[1];
      const { number, problem } = mobilesIn(pid === undefined ? [] : phoneCandidates(pid, 13), 'AU');
      return number ?? problem;
    };
    for (const field of [
      '0491570156^PRN^CP^^^^^^husband',
      '0491570156^wife',
      '0491570156^PRN^mothers',
      '^PRN^CP^^61^^491570156^^mum',
    ])
      // prettier-ignore
      expect(of(field), field).to.equal('no-mobile');
    expect(of('0491570156^PRN^CP^^^^^^mobile')).to.equal(MOBILE);
    const read = readPatient(
      hl7('ADT^A08', seg('PID', { 3: 'P1', 13: '0491570157 (son)', 14: '0491570156' })),
      SETTINGS,
    );
    expect(read).to.include({ phoneNumber: MOBILE, phoneProblem: null });
  });

  it('is read of any text, and bars all or some of the pieces that have digits', () => {
    const word = fc.constantFrom(
      'wife',
      '0491570156',
      '(',
      ')',
      '/',
      ',',
      'mum',
      ' ',
      'do not call',
      'M',
      '(04)',
      '\u0000',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.string({ maxLength: 4 })), { maxLength: 12 }), (words) => {
        const text = words.join(' ');
        const pieces = phonePieces(text);
        for (const piece of pieces) expect(piece.text).to.match(/\d/);
        if (!text.includes('(') && pieces.length === 1 && isBarring(text.replace(/[,;/|\\\n]/g, ' ')))
          expect(pieces[0]?.barred).to.equal(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('takes no longer the longer it is', () => {
    const started = performance.now();
    for (const text of [
      'wife '.repeat(200_000),
      '(a'.repeat(500_000),
      'do not '.repeat(100_000),
      '04 '.repeat(300_000),
    ]) {
      choose(text);
    }
    expect(performance.now() - started).to.be.lessThan(500);
  });
});
