import { expect } from 'chai';
import fc from 'fast-check';
import { parsePhoneNumberFromString } from 'libphonenumber-js';
import { parseHl7 } from '../../../hl7/rules/parse.ts';
import { mobilesIn, PHONE_FIELDS, phoneCandidates, toE164, type PhoneCandidate } from '../../../ris/rules/phone.ts';

const candidate = (text: string, equipment = '', use = ''): PhoneCandidate => ({ text, use, equipment });
/** The number that is chosen, or why none is. */
const chooseMobile = (candidates: readonly PhoneCandidate[], region: string) => {
  const { number, problem } = mobilesIn(candidates, region);
  return number === null ? { reason: problem } : { number };
};
const choose = (...candidates: PhoneCandidate[]) => chooseMobile(candidates, 'AU');
const candidatesOf = (fields: string): PhoneCandidate[] => {
  const pid = parseHl7(`MSH|^~\\&|RIS\rPID|${'|'.repeat(11)}|${fields}\r`).segments[1];
  return pid === undefined ? [] : PHONE_FIELDS.flatMap((field) => phoneCandidates(pid, field));
};

describe('phone numbers', () => {
  for (const text of [
    '0412345678',
    '0412 345 678',
    '(04) 1234 5678',
    '0412-345-678',
    '0412.345.678',
    '412345678',
    '+61412345678',
    '+61 (0)412 345 678',
    '+61 0412345678',
    '04 1234 5678',
    '+61 412 345 678',
    '001161412345678',
    '61412345678',
    '0011 61 412 345 678',
    '0061412345678',
    'Mob: 0412 345 678',
    '0412 345 678 w',
    '0412345678 / 0398765432',
    ' 0412345678\t',
  ]) {
    it(`reads ${text} as the Australian mobile it is`, () => {
      expect(choose(candidate(text))).to.deep.equal({ number: '+61412345678' });
    });
  }

  it('reads every mobile written as at home as the library reads the same number from abroad', () => {
    const last = fc.integer({ min: 0, max: 99_999_999 }).map((number) => String(number).padStart(8, '0'));
    fc.assert(
      fc.property(last, fc.constantFrom('04', '614', '+614'), (digits, begin) => {
        expect(toE164(`${begin}${digits}`, 'AU')).to.equal(parsePhoneNumberFromString(`+614${digits}`)?.number);
        expect(choose(candidate(`${begin}${digits}`))).to.deep.equal({ number: `+614${digits}` });
      }),
    );
  });

  it('reads a landline as E.164', () => {
    expect(toE164('(03) 9876 5432', 'AU')).to.equal('+61398765432');
  });

  it('keeps a foreign number that says so', () => {
    expect(choose(candidate('+64 21 123 4567'))).to.deep.equal({ number: '+64211234567' });
  });

  it('reads national numbers by the region', () => {
    expect(toE164('021 123 4567', 'NZ')).to.equal('+64211234567');
    expect(toE164('0412345678', 'XX')).to.equal(null);
  });

  for (const text of ['', 'none', '0412 345', '000', '12345', '+', '+61', '0412 345 678 999']) {
    it(`does not take ${JSON.stringify(text)} for a number`, () => {
      expect(toE164(text, 'AU')).to.equal(null);
    });
  }

  it('never takes a local number without its area code for a mobile of another country', () => {
    fc.assert(
      fc.property(fc.integer({ min: 10_000_000, max: 99_999_999 }), (number) => {
        expect(choose(candidate(String(number)))).to.not.have.property('number');
      }),
      { numRuns: 2000, examples: [[68_271_234], [27_847_885]] },
    );
  });

  it('are never chosen when they are landlines, whatever they are marked as', () => {
    const landline = fc.tuple(fc.constantFrom('02', '03', '07', '08'), fc.integer({ min: 0, max: 99_999_999 }));
    fc.assert(
      fc.property(landline, fc.constantFrom('CP', 'PH', ''), ([area, rest], equipment) => {
        const text = area + String(rest).padStart(8, '0');
        expect(choose(candidate(text, equipment))).to.not.have.property('number');
      }),
      { numRuns: 500 },
    );
  });

  it('are chosen where they are marked as a mobile before those that are not', () => {
    const marked = candidate('0412 345 678', 'CP');
    expect(choose(candidate('0498 765 432', 'PH'), marked)).to.deep.equal({ number: '+61412345678' });
  });

  it('are chosen by their use: one’s own before one at work, even one that is marked as a mobile', () => {
    const work = candidate('0422222222', 'CP', 'WPN');
    expect(choose(work, candidate('0411111111', 'CP', 'PRN'))).to.deep.equal({ number: '+61411111111' });
    expect(choose(work, candidate('0411111111', 'PH', 'ORN'))).to.deep.equal({ number: '+61411111111' });
    expect(choose(candidate('0433333333', 'PH', 'WPN'), work)).to.deep.equal({ number: '+61422222222' });
    expect(choose(candidate('0398765432', 'PH', 'PRN'), work)).to.deep.equal({ number: '+61422222222' });
  });

  it('are not chosen where their use is mail, a pager, an answering service or whom to call in an emergency', () => {
    for (const use of ['NET', 'BPN', 'ASN', 'EMR']) {
      expect(choose(candidate('0412345678', 'CP', use)), use).to.deep.equal({ reason: 'no-mobile' });
    }
  });

  it('are chosen from a text that holds several', () => {
    expect(choose(candidate('H 03 9876 5432, M 0412 345 678'))).to.deep.equal({ number: '+61412345678' });
    expect(choose(candidate('03 9876 5432 / 07 3876 5432'))).to.deep.equal({ reason: 'no-mobile' });
    expect(toE164('03 9876 5432 / 0412 345 678', 'AU')).to.equal('+61398765432');
  });

  it('are chosen in the order given where none is marked', () => {
    expect(choose(candidate('0398765432'), candidate('0412345678'), candidate('0498765432'))).to.deep.equal({
      number: '+61412345678',
    });
  });

  it('are not chosen where they are a fax, a pager or a modem', () => {
    for (const equipment of ['FX', 'BP', 'MD']) {
      expect(choose(candidate('0412345678', equipment)), equipment).to.deep.equal({ reason: 'no-mobile' });
    }
  });

  it('say why none can be chosen', () => {
    expect(choose()).to.deep.equal({ reason: 'no-number' });
    expect(choose(candidate('03 9876 5432'))).to.deep.equal({ reason: 'no-mobile' });
    expect(choose(candidate('1300 123 456'))).to.deep.equal({ reason: 'no-mobile' });
    expect(choose(candidate('ask reception'))).to.deep.equal({ reason: 'unusable-number' });
  });

  it('give an E.164 mobile or a reason for any text at all', () => {
    const any = fc.record({
      text: fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: fc.constantFrom('0', '4', '+', '(', ')', ' ', 'x', '6', '1') }),
      ),
      use: fc.string(),
      equipment: fc.string(),
    });
    fc.assert(
      fc.property(fc.array(any, { maxLength: 3 }), fc.constantFrom('AU', 'NZ', 'XX', ''), (given, region) => {
        const chosen = chooseMobile(given, region);
        if ('number' in chosen) expect(chosen.number).to.match(/^\+[1-9]\d{6,14}$/);
        else expect(chosen.reason).to.be.oneOf(['no-number', 'no-mobile', 'unusable-number']);
      }),
      { numRuns: 500 },
    );
  });

  it('take no longer the longer the text is', () => {
    const started = performance.now();
    for (const text of [' '.repeat(1_000_000), '('.repeat(1_000_000), '1 '.repeat(500_000), '( '.repeat(500_000)]) {
      choose(candidate(text));
    }
    expect(performance.now() - started).to.be.lessThan(500);
  });
});

describe('phone fields of PID', () => {
  it('are those of PID-13 and then PID-14, with their equipment', () => {
    expect(candidatesOf('0398765432^PRN^PH~0412345678^PRN^CP|0498765432^WPN^cp')).to.deep.equal([
      candidate('0398765432', 'PH', 'PRN'),
      candidate('0412345678', 'CP', 'PRN'),
      candidate('0498765432', 'CP', 'WPN'),
    ]);
  });

  it('are at work in PID-14, unless they say', () => {
    expect(candidatesOf('0411111111|0422222222~0433333333^PRN')).to.deep.equal([
      candidate('0411111111', '', ''),
      candidate('0422222222', '', 'WPN'),
      candidate('0433333333', '', 'PRN'),
    ]);
  });

  it('are put together from country, area and local number where the first component is empty', () => {
    expect(candidatesOf('^PRN^CP^^61^4^12345678')).to.deep.equal([candidate('+61 4 12345678', 'CP', 'PRN')]);
    expect(candidatesOf('^PRN^PH^^^03^98765432')).to.deep.equal([candidate('03 98765432', 'PH', 'PRN')]);
    expect(choose(...candidatesOf('^PRN^CP^^+61^0412^345678'))).to.deep.equal({ number: '+61412345678' });
  });

  it('are taken from the unformatted number where nothing else is given', () => {
    expect(candidatesOf('^PRN^CP^^^^^^^^^0412345678')).to.deep.equal([candidate('0412345678', 'CP', 'PRN')]);
  });

  it('are none where the fields are empty, null, or hold a mail address only', () => {
    expect(candidatesOf('""^PRN^CP')).to.deep.equal([]);
    expect(candidatesOf('^NET^Internet^someone@example.com')).to.deep.equal([]);
    expect(candidatesOf('|')).to.deep.equal([]);
  });
});
