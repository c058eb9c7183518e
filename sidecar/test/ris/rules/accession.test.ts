import { expect } from 'chai';
import fc from 'fast-check';
import { accessionKey, cleanAccession } from '../../../ris/rules/accession.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 30 });
const accession = fc.string({
  unit: fc.constantFrom('A', 'b', 'ß', 'ı', 'é', '0', '7', '-', '.', ' ', '^', '\0', '\n', 'e\u0301', '\uD800'),
  maxLength: 16,
});

describe('accession numbers', () => {
  it('keep their case and inner blanks, and lose control characters and surrounding blanks when they are cleaned', () => {
    expect(cleanAccession(' \tAcc 00\0-12\r\n ')).to.equal('Acc 00-12');
  });

  it('lose the empty components that HL7 senders leave behind them', () => {
    expect(cleanAccession('ACC1^^')).to.equal('ACC1');
    expect(cleanAccession('ACC1 ^ ^ ')).to.equal('ACC1');
    expect(cleanAccession('^^')).to.equal('');
  });

  it('are compared trimmed, without control characters and without case', () => {
    expect(accessionKey(' acc-00\x01123 ')).to.equal(accessionKey('ACC-00123'));
  });

  it('are different when their leading zeros are', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 4 }), (number, zeros) => {
        expect(accessionKey('0'.repeat(zeros) + String(number))).not.to.equal(accessionKey(String(number)));
      }),
    );
  });

  it('are different when inner blanks or hyphens are', () => {
    expect(new Set(['AB1', 'A B1', 'A-B1', 'A.B1'].map(accessionKey)).size).to.equal(4);
  });

  it('have no key where nothing but blanks and control characters is left', () => {
    for (const empty of ['', '   ', '\0', '\r\n', '^', ' ^ ']) expect(accessionKey(empty)).to.equal('');
  });

  it('have a key whose own key is itself', () => {
    fc.assert(
      fc.property(fc.oneof(accession, anyText), (raw) => {
        expect(accessionKey(accessionKey(raw))).to.equal(accessionKey(raw));
        expect(cleanAccession(cleanAccession(raw))).to.equal(cleanAccession(raw));
      }),
      { numRuns: 1000 },
    );
  });

  it('have a key that neither surrounding blanks, NULs nor cleaning change', () => {
    fc.assert(
      fc.property(accession, fc.constantFrom(' ', '\0', '\t', '\r\n'), (raw, padding) => {
        expect(accessionKey(padding + raw + padding)).to.equal(accessionKey(raw));
        expect(accessionKey(cleanAccession(raw))).to.equal(accessionKey(raw));
      }),
    );
  });

  it('have the same key in either case', () => {
    const ascii = fc.string({ unit: fc.constantFrom('a', 'B', 'z', '0', '-', ' ') });
    fc.assert(
      fc.property(ascii, (raw) => {
        expect(accessionKey(raw.toLowerCase())).to.equal(accessionKey(raw.toUpperCase()));
      }),
    );
  });

  it('never hold what a database text cannot', () => {
    fc.assert(
      fc.property(anyText, (raw) => {
        expect(accessionKey(raw)).not.to.include('\0');
        expect(accessionKey(raw).isWellFormed()).to.equal(true);
      }),
    );
  });
});
