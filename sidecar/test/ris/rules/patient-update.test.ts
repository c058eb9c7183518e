import { expect } from 'chai';
import { readPatient, readPatientMessage } from '../../../ris/rules/patient-update.ts';
import { hl7, PID, rejection, seg, SETTINGS } from '../../support/hl7-messages.ts';

const patient = (fields: Readonly<Record<number, string>>) =>
  readPatient(hl7('ADT^A08', seg('PID', { 3: 'P1', ...fields })), SETTINGS);
const message = (event: string, ...segments: string[]) =>
  readPatientMessage(hl7(`ADT^${event}`, ...segments), SETTINGS);

describe('reading a patient', () => {
  it('reads number, issuer, name, birth date, sex and mobile', () => {
    expect(readPatient(hl7('ADT^A08', PID), SETTINGS)).to.deep.equal({
      externalId: 'P1',
      issuer: 'CLINIC',
      name: 'Doe^Jane',
      birthDate: '1980-02-03',
      sex: 'F',
      phoneNumber: '+61412345678',
      phoneProblem: null,
      phones: { 13: { number: '+61412345678', rank: 0, problem: null, barred: [] } },
    });
  });

  it('tells what is not said from what is deleted', () => {
    expect(patient({})).to.include({
      name: undefined,
      birthDate: undefined,
      sex: undefined,
      phoneNumber: undefined,
      phoneProblem: undefined,
    });
    expect(patient({ 5: '""', 7: '""', 8: '""', 13: '""' })).to.include({
      name: null,
      birthDate: null,
      sex: null,
      phoneNumber: null,
      phoneProblem: 'no-number',
    });
  });

  it('takes the medical record number before others, never a Medicare number', () => {
    expect(patient({ 3: '2123456701^^^AUSHIC^MC~P7^^^CLINIC^PI~M7^^^CLINIC^MR' })).to.include({
      externalId: 'M7',
      issuer: 'CLINIC',
    });
    expect(patient({ 3: '2123456701^^^AUSHIC^MC~P7^^^CLINIC^PI' })).to.include({ externalId: 'P7' });
    expect(patient({ 3: '2123456701^^^AUSHIC^MC~ X7 ' })).to.include({ externalId: 'X7', issuer: '' });
    const refused = rejection(() => patient({ 3: '2123456701^^^AUSHIC^MC' }));
    expect(refused).to.deep.include({ errorCode: 101, location: { segment: 'PID', ordinal: 1, field: 3 } });
  });

  it('takes the types of patient numbers that the settings name, in their order, then one without a type', () => {
    const read = (ids: string, patientIdTypes: string[]) =>
      readPatient(hl7('ADT^A08', seg('PID', { 3: ids })), { ...SETTINGS, patientIdTypes });
    expect(read('A^^^C^MR~B^^^C^pi', ['PI', 'MR']).externalId).to.equal('B');
    expect(read('A~B^^^C^PI', ['PI']).externalId).to.equal('B');
    expect(read('A~B^^^C^PI', ['MR']).externalId).to.equal('A');
    expect(rejection(() => read('B^^^C^PI', ['MR']))).to.include({ errorCode: 101 });
  });

  it('takes the namespace of the assigning authority for the issuer, else its universal id', () => {
    const issuer = (authority: string) => patient({ 3: `P1^^^${authority}^MR` }).issuer;
    expect(issuer('CLINIC&1.2.36&ISO')).to.equal('CLINIC');
    expect(issuer('&1.2.36&ISO')).to.equal('1.2.36');
    expect(issuer('""&1.2.36&ISO')).to.equal('1.2.36');
    expect(issuer('""')).to.equal('');
  });

  it('takes only what is not deleted of a name', () => {
    expect(patient({ 5: 'Doe^Jane^""' }).name).to.equal('Doe^Jane');
    expect(patient({ 5: '""^""' }).name).to.equal(null);
    expect(patient({ 5: '^""' }).name).to.equal(undefined);
  });

  it('reads the phone of PID-40 too, and what deletes them', () => {
    expect(patient({ 40: '^PRS^CP^^61^^412345678' })).to.include({ phoneNumber: '+61412345678', phoneProblem: null });
    expect(patient({ 13: '""', 40: '0412345678' }).phoneNumber).to.equal('+61412345678');
    expect(patient({ 13: '""^""^""', 14: '' })).to.include({ phoneNumber: null, phoneProblem: 'no-number' });
    expect(patient({ 13: ' ' })).to.include({ phoneNumber: undefined });
  });

  it('reads a birth date with a time behind it, and takes none that is no day', () => {
    expect(patient({ 7: '198002031200' }).birthDate).to.equal('1980-02-03');
    for (const text of ['1980', '198013', '19800230', '00000000'])
      expect(patient({ 7: text }).birthDate).to.equal(undefined);
  });

  it('says why no number takes a text', () => {
    expect(patient({ 13: '0398765432^PRN^PH' })).to.include({ phoneNumber: null, phoneProblem: 'no-mobile' });
    expect(patient({ 13: 'unlisted' })).to.include({ phoneNumber: null, phoneProblem: 'unusable-number' });
  });
});

describe('reading ADT messages', () => {
  for (const event of ['A01', 'A04', 'A05', 'A08', 'A28', 'A31']) {
    it(`reads ${event} as an update`, () => {
      expect(message(event, PID))
        .to.deep.include({ kind: 'update' })
        .and.have.nested.property('patient.externalId', 'P1');
    });
  }

  it('reads A40 as a merge of the prior number into the patient', () => {
    const merge = message('A40', PID, seg('MRG', { 1: 'OLD^^^CLINIC^MR' }));
    expect(merge).to.deep.include({ kind: 'merge' });
    expect(merge).to.have.deep.nested.property('merges[0].prior', { externalId: 'OLD', issuer: 'CLINIC' });
    expect(merge).to.have.nested.property('merges[0].patient.externalId', 'P1');
  });

  for (const event of ['A18', 'A34', 'A36']) {
    it(`reads ${event}, A40's name in older versions, as a merge`, () => {
      const merge = message(event, PID, seg('MRG', { 1: 'OLD' }));
      expect(merge).to.have.deep.nested.property('merges[0].prior', { externalId: 'OLD', issuer: '' });
    });
  }

  it('retires every prior number of the type that counts, and none of another', () => {
    const read = message('A40', PID, seg('MRG', { 1: '7^^^^MC~A^^^X^MR~B^^^Y^MR~C^^^X^PI' }));
    expect(read.kind === 'merge' && read.merges.map(({ prior }) => prior)).to.deep.equal([
      { externalId: 'A', issuer: 'X' },
      { externalId: 'B', issuer: 'Y' },
    ]);
  });

  it('lets the number of PID-3 survive that is not retired', () => {
    const pid = seg('PID', { 3: 'A^^^X^MR~B^^^X^MR~C3^^^Y^MR', 5: 'Doe^Jane' });
    for (const prior of ['A^^^X^MR', 'a']) {
      const read = message('A40', pid, seg('MRG', { 1: prior }));
      if (read.kind !== 'merge') throw new Error('is no merge');
      expect(read.merges.map(({ patient }) => [patient.externalId, patient.others])).to.deep.equal([
        ['B', [{ externalId: 'C3', issuer: 'Y' }]],
      ]);
    }
  });

  it('reads A37 as two patients, of each the number that the other does not have', () => {
    const unlink = (...pids: string[]) => message('A37', ...pids.map((number) => seg('PID', { 3: number })));
    const two = [
      { externalId: 'B', issuer: 'X' },
      { externalId: 'A', issuer: 'X' },
    ];
    for (const [first, second] of [
      ['B^^^X^MR', 'A^^^X^MR'],
      ['A^^^X^MR~B^^^X^MR', 'A^^^X^MR'],
    ] as const) {
      expect(unlink(first, second)).to.deep.include({ kind: 'unlink', patients: two });
    }
    expect(rejection(() => unlink('A^^^X^MR'))).to.include({ errorCode: 100 });
    expect(rejection(() => unlink('A^^^X^MR', 'B^^^X^MR', 'C^^^X^MR'))).to.include({ errorCode: 100 });
    expect(rejection(() => unlink('A^^^X^MR', 'A'))).to.include({ errorCode: 101 });
  });

  it('reads all numbers of the types that count, and no Medicare number or words', () => {
    const others = (number: string) => {
      const read = message('A08', seg('PID', { 3: number }));
      return read.kind === 'update'
        ? read.patient.others?.map(({ externalId, issuer }) => `${externalId}@${issuer}`)
        : null;
    };
    expect(others('P1^^^X^MR~P2^^^Y^MR~P2^^^y^MR~P1')).to.deep.equal(['P2@y']);
    expect(others('P1^^^X^MR~P2^^^Y~P3~P4^^^Z^PPN')).to.deep.equal(['P2@Y']);
    expect(others('P1^^^X^MR~2123456701^^^Y^MR~UNKNOWN^^^Y^MR')).to.equal(undefined);
    expect(others('P1^^^X^MR')).to.equal(undefined);
  });

  it('refuses A40 without a prior number', () => {
    for (const segments of [
      [PID, seg('MRG', { 1: '' })],
      [PID, seg('MRG', { 1: '""' })],
    ]) {
      expect(rejection(() => message('A40', ...segments))).to.deep.include({
        errorCode: 101,
        location: { segment: 'MRG', ordinal: 1, field: 1 },
      });
    }
  });

  it('reads A40 with several pairs, each MRG with the PID before it', () => {
    const pair = (id: string, ...prior: string[]) => [
      seg('PID', { 3: id }),
      ...prior.map((one) => seg('MRG', { 1: one })),
    ];
    const read = message('A40', ...pair('A', 'B'), seg('PV1', { 2: 'O' }), ...pair('C', 'D', 'E'));
    expect(read.kind === 'merge' && read.merges.map(({ patient: { externalId }, prior }) => [prior.externalId, externalId]))
      .to.deep.equal([['B', 'A'], ['D', 'C'], ['E', 'C']]); // prettier-ignore
  });

  it('refuses A40 whole where one of its pairs is not one, pointing at it', () => {
    const [first, prior] = [seg('PID', { 3: 'A' }), seg('MRG', { 1: 'B' })];
    for (const [segments, errorCode, location] of [
      [[first, prior, first], 100, { segment: 'MRG', ordinal: 2 }],
      [[first, first, prior], 100, { segment: 'MRG', ordinal: 1 }],
      [[first, seg('MRG', { 1: 'B~C' }), first], 100, { segment: 'MRG', ordinal: 2 }],
      [[prior, first], 100, { segment: 'PID' }],
      [[], 100, { segment: 'PID' }],
      [[first, prior, seg('PID', { 5: 'X' }), prior], 101, { segment: 'PID', ordinal: 2, field: 3 }],
      [[first, prior, first, seg('MRG', { 1: '7^^^^MC' })], 101, { segment: 'MRG', ordinal: 2, field: 1 }],
    ] as const) {
      expect(rejection(() => message('A40', ...segments))).to.deep.include({ errorCode, location });
    }
  });

  it('refuses other events', () => {
    for (const event of ['A02', 'A23', '']) {
      expect(rejection(() => message(event, PID))).to.deep.include({
        errorCode: 201,
        location: { segment: 'MSH', ordinal: 1, field: 9 },
      });
    }
  });
});
