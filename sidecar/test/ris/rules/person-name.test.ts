import { expect } from 'chai';
import fc from 'fast-check';
import { comparePersonNames, personNameFromXpn } from '../../../ris/rules/person-name.ts';

const same = (a: string, b: string): void => {
  it(`takes ${JSON.stringify(a)} and ${JSON.stringify(b)} for one person`, () => {
    expect(comparePersonNames(a, b)).to.equal('same');
  });
};
const different = (a: string, b: string): void => {
  it(`takes ${JSON.stringify(a)} and ${JSON.stringify(b)} for two people`, () => {
    expect(comparePersonNames(a, b)).to.equal('different');
  });
};

const word = fc.string({ unit: fc.constantFrom('A', 'b', 'é', 'Ø', '山', '1'), minLength: 1, maxLength: 5 });
const filler = fc.constantFrom('', ' ', "'", '-', '.', '^', '=');
const name = fc.array(fc.tuple(word, filler), { maxLength: 6 }).map((parts) => parts.flat().join(''));
const anyName = fc.oneof(name, fc.string({ unit: 'binary' }));

describe('person names', () => {
  same('DOE^JOHN', 'doe^john');
  same('DOE^JOHN', ' Doe ^ John ');
  same('MÜLLER^ZOË', 'Muller^Zoe');
  same('MU\u0308LLER^ZOE', 'M\u00dcLLER^ZOE');
  same('SØRENSEN^ÆGIR', 'Sorensen^Aegir');
  same("O'Brien^Anne", 'OBRIEN^ANNE');
  same('O’Brien^Anne', "O'BRIEN^ANNE");
  same('Smith-Jones^Mary', 'SMITH JONES^MARY');
  same('Smith-Jones^Mary', 'SMITHJONES^MARY');
  same('Nguyen^Van^Anh', 'Nguyen^Van Anh');
  same('Doe^Anna^Marie', 'Doe^Anna');
  same('Doe^John^^Dr^Jr', 'Doe^John');
  same('DOE JOHN', 'DOE^JOHN');
  same('van der Berg^Jan', 'VanDerBerg^Jan');
  same('Yamada^Tarou=山田^太郎=やまだ^たろう', 'Yamada^Tarou');
  same('Yamada^Tarou=山田^太郎=やまだ^たろう', '=山田^太郎');
  same('Doe^John\0', 'Doe^John');

  different('DOE^JOHN', 'DOE^JANE');
  different('DOE^JOHN', 'ROE^JOHN');
  different('DOE', 'DOE^JOHN');
  different('Doe^Anna', 'Doe^Anne');
  different('Doe^Ann', 'Doe^Anna');
  different('Doe^Liam^James', 'Doe^Liam^John');
  different('Nguyen^Minh^Anh', 'Nguyen^Minh^Chau');
  different('Doe^John', 'Doe^Johnny');
  different('Doe^Twin A', 'Doe^Twin B');
  different('Yamada^Tarou=山田^太郎', 'Yamada^Hanako=山田^花子');

  for (const nothing of ['', '   ', '^^^^', '==', '^=^', "'", '.']) {
    it(`does not know who ${JSON.stringify(nothing)} is`, () => {
      expect(comparePersonNames(nothing, 'DOE^JOHN')).to.equal('unknown');
      expect(comparePersonNames('DOE^JOHN', nothing)).to.equal('unknown');
    });
  }

  it('compare the same way round and the other', () => {
    fc.assert(
      fc.property(anyName, anyName, (a, b) => {
        expect(comparePersonNames(a, b)).to.equal(comparePersonNames(b, a));
      }),
      { numRuns: 1000 },
    );
  });

  it('are never different from themselves, whatever their case and accents', () => {
    fc.assert(
      fc.property(anyName, (one) => {
        for (const written of [one, one.toUpperCase(), one.normalize('NFD'), ` ${one} `]) {
          expect(comparePersonNames(one, written)).not.to.equal('different');
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('are read from HL7 with prefix and suffix in the order that DICOM has them', () => {
    expect(personNameFromXpn([['Doe', 'John', 'Quincy', 'Jr', 'Dr']])).to.equal('Doe^John^Quincy^Dr^Jr');
    expect(personNameFromXpn([['Doe', 'John', '', '', '']])).to.equal('Doe^John');
  });

  it('are read from HL7 with further repetitions as component groups, three at most', () => {
    expect(personNameFromXpn([['A'], [''], ['B'], ['C'], ['D']])).to.equal('A=B=C');
  });

  it('cannot smuggle a component or group in from HL7', () => {
    expect(personNameFromXpn([['Do^e', 'Jo=hn\r']])).to.equal('Do e^Jo hn');
  });

  it('are empty where HL7 has none', () => {
    expect(personNameFromXpn([])).to.equal('');
    expect(personNameFromXpn([['', ' ']])).to.equal('');
  });
});
