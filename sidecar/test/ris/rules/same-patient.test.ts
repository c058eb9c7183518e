import { expect } from 'chai';
import { patientsContradict } from '../../../ris/rules/same-patient.ts';

describe('a contradiction between patients', () => {
  const side = (id: string, patientName: string, birthDate: string | null, issuer = '') => ({
    patientIds: id === '' ? [] : [{ id, issuer }],
    patientName,
    birthDate,
  });
  const jane = side('P1', 'Doe^Jane', '1980-02-03');

  for (const [what, other, expected] of [
    ['nothing', side('P1', 'DOE^JANE', '1980-02-03'), false],
    ['the number alone, of three', side('P2', 'Doe^Jane', '1980-02-03'), false],
    ['the name alone, of three', side('P1', 'Smith^Jane', '1980-02-03'), false],
    ['the birth date alone, of three', side('P1', 'Doe^Jane', '1980-02-04'), false],
    ['number and name', side('P2', 'Roe^Max', '1980-02-03'), true],
    ['name and birth date', side('P1', 'Roe^Max', '1980-02-04'), true],
    ['all three', side('P2', 'Roe^Max', '1950-01-01'), true],
    ['the number, which is all there is', side('P2', '', null), true],
    ['the name, which is all there is', side('', 'Roe^Max', null), true],
    ['the birth date, which is all there is', side('', '', '1980-02-04'), true],
    ['one of two', side('', 'Roe^Max', '1980-02-03'), false],
    ['both of two', side('', 'Roe^Max', '1980-02-04'), true],
    ['nothing, as nothing is said', side('', '', null), false],
  ] as const) {
    it(`${expected ? 'is' : 'is not'} one where they differ in ${what}`, () => {
      expect(patientsContradict(jane, other)).to.equal(expected);
      expect(patientsContradict(other, jane)).to.equal(expected);
    });
  }

  it('does not come from numbers of different issuers', () => {
    expect(patientsContradict(side('P1', '', null, 'A'), side('P2', '', null, 'B'))).to.equal(false);
    expect(patientsContradict(side('P1', '', null, 'A'), side('P2', '', null, 'a'))).to.equal(true);
  });

  it('comes from numbers where one has no issuer', () => {
    expect(patientsContradict(side('P1', '', null, 'A'), side('P2', '', null))).to.equal(true);
    expect(patientsContradict(side('P2', '', null), side('P1', '', null, 'A'))).to.equal(true);
    const [numbered, named] = [side('P1', 'Roe^Max', '1980-02-03', 'A'), side('P1', 'Doe^Jane', '1980-02-03')];
    expect(patientsContradict(numbered, named)).to.equal(false);
    expect(patientsContradict(side('P1', 'Roe^Max', null, 'A'), side('P1', 'Doe^Jane', null))).to.equal(false);
  });

  it('does not come from numbers where one of several agrees', () => {
    const several = {
      ...side('P1', '', null),
      patientIds: [
        { id: 'P2', issuer: '' },
        { id: 'P1', issuer: '' },
      ],
    };
    expect(patientsContradict(several, side('P1', '', null))).to.equal(false);
    expect(patientsContradict(several, side('P3', '', null))).to.equal(true);
  });
});
