import { expect } from 'chai';
import { comparePatients, differingFields, likeness, patientsContradict } from '../../../ris/rules/same-patient.ts';

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
    ['one of two', side('', 'Roe^Max', '1980-02-03'), true],
    ['both of two', side('', 'Roe^Max', '1980-02-04'), true],
    ['nothing, as nothing is said', side('', '', null), false],
    ['one of two, the number agreeing', side('P1', 'Roe^Max', null), true],
    ['nothing of one', side('P1', '', null), false],
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
    expect(patientsContradict(side('P1', 'Roe^Max', null, 'A'), side('P1', 'Doe^Jane', null))).to.equal(true);
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

describe('the likeness of patients', () => {
  const JANE = { patientIds: [{ id: 'P1', issuer: '' }], patientName: 'Doe^Jane', birthDate: '1980-02-03', sex: 'F' };
  const NOBODY = { patientIds: [], patientName: '', birthDate: null, sex: null };

  for (const [what, other, expected] of [
    ['all agree', {}, 'agree'],
    ['nothing is said', NOBODY, 'incomparable'],
    ['the sex is all there is, and the same', { ...NOBODY, sex: 'F' }, 'incomparable'],
    ['the sex is all there is, and another', { ...NOBODY, sex: 'M' }, 'contradict'],
    ['the sex differs beside one that agrees', { ...NOBODY, patientIds: JANE.patientIds, sex: 'M' }, 'contradict'],
    ['the sex differs beside two that agree', { patientIds: [], sex: 'M' }, 'agree'],
    ['the sex differs beside three that agree', { sex: ' m ' }, 'agree'],
    ['the sex and one more differ beside two that agree', { patientName: 'Roe^Max', sex: 'M' }, 'contradict'],
    ['the sex of one is none of M and F', { ...NOBODY, sex: 'O' }, 'incomparable'],
    ['the same sex does not outweigh a difference', { patientIds: [], patientName: 'Roe^Max' }, 'contradict'],
    ['one differs of two', { patientIds: [], birthDate: '1980-02-04' }, 'contradict'],
    ['one differs of three', { birthDate: '1980-02-04' }, 'agree'],
  ] as const) {
    it(`is ${expected} where ${what}`, () => {
      const side = { ...JANE, ...other };
      expect(likeness(JANE, side)).to.equal(expected);
      expect(likeness(side, JANE)).to.equal(expected);
    });
  }

  it('is not proved by placeholders that both have', () => {
    const unknown = { ...NOBODY, patientName: 'UNKNOWN^MALE', birthDate: '1900-01-01' };
    expect(likeness(unknown, unknown)).to.equal('incomparable');
    const [one, other] = ['t99', 't100'].map((id) => ({ ...unknown, patientIds: [{ id, issuer: '' }] }));
    expect(one && other && likeness(one, other)).to.equal('contradict');
    expect(one && likeness(one, one)).to.equal('agree');
    const baby = { ...NOBODY, patientName: 'BABY OF SMITH^Joan' };
    expect(likeness(baby, baby)).to.equal('incomparable');
  });

  it('counts a placeholder against a name as a difference', () => {
    expect(likeness(JANE, { ...NOBODY, patientName: 'UNKNOWN' })).to.equal('contradict');
    expect(likeness(JANE, { ...NOBODY, birthDate: '1900-01-01' })).to.equal('contradict');
  });

  it('names the fields that differ', () => {
    const other = { patientIds: [{ id: 'P2', issuer: '' }], patientName: 'Roe^Max', birthDate: '1950-01-01', sex: 'M' };
    expect(differingFields(JANE, other)).to.deep.equal(['patient-id', 'name', 'birth-date', 'sex']);
    expect(differingFields(JANE, { ...JANE, patientName: '' })).to.deep.equal([]);
    expect(comparePatients(JANE, NOBODY)).to.deep.equal({
      ...{ 'patient-id': null, name: null, 'birth-date': null, sex: null },
    });
  });
});

describe('a contradiction between patients, by the rules of before', () => {
  const JANE = { patientIds: [{ id: 'P1', issuer: '' }], patientName: 'Doe^Jane', birthDate: '1980-02-03', sex: 'F' };
  for (const [what, other, expected] of [
    ['one of two', { patientIds: [], patientName: 'Roe^Max' }, false],
    ['both of two', { patientIds: [], patientName: 'Roe^Max', birthDate: '1950-01-01' }, true],
    ['two of three', { patientName: 'Roe^Max', birthDate: '1950-01-01' }, true],
    ['the only one there is', { patientIds: [], birthDate: null, patientName: 'Roe^Max' }, true],
    ['the sex', { sex: 'M' }, false],
  ] as const) {
    it(`${expected ? 'is' : 'is not'} one where they differ in ${what}`, () => {
      expect(patientsContradict(JANE, { ...JANE, ...other }, 1)).to.equal(expected);
    });
  }
});
