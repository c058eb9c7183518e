import { expect } from 'chai';
import { foldPatients } from '../../../ris/rules/facts.ts';
import type { KnownIdentity } from '../../../ris/rules/merges.ts';
import { readPatient, readPatientMessage } from '../../../ris/rules/patient-update.ts';
import { parseFieldPlaces, parseSenders } from '../../../hl7/rules/field-settings.ts';
import { hl7, rejection, seg, SETTINGS } from '../../support/hl7-messages.ts';

const read = (pid: Readonly<Record<number, string>>) => {
  const { warnings, ...said } = readPatientMessage(hl7('ADT^A08', seg('PID', pid)), SETTINGS);
  if (said.kind !== 'update') throw new Error('is a merge');
  const { externalId, issuer } = said.patient;
  return { externalId, issuer, warned: warnings.map(({ code, field }) => `${code} ${field}`) };
};

describe('the places of a patient number', () => {
  it('are PID-3, then PID-4, then PID-2', () => {
    expect(read({ 2: 'C3', 3: 'A1', 4: 'B2' })).to.deep.equal({ externalId: 'A1', issuer: '', warned: [] });
    expect(read({ 2: 'C3', 4: 'B2' })).to.deep.equal({
      externalId: 'B2',
      issuer: 'PID-4 of RIS|CLINIC',
      warned: ['patient-number-elsewhere PID-4'],
    });
    expect(read({ 2: 'C3^^^X^MR' })).to.include({ externalId: 'C3', issuer: 'PID-2 of RIS|CLINIC' });
  });

  it('are passed over where they hold numbers of other types, a name, words or a Medicare number', () => {
    expect(read({ 3: '2123456701^^^AUSHIC^MC', 4: 'B2' })).to.deep.equal({
      externalId: 'B2',
      issuer: 'PID-4 of RIS|CLINIC',
      warned: ['patient-number-passed-over PID-3', 'patient-number-elsewhere PID-4'],
    });
    for (const bad of ['Doe, Jane', 'unknown', '2123456701', `1${'2'.repeat(64)}`]) {
      expect(read({ 2: 'C3', 4: bad }), bad).to.include({ externalId: 'C3', issuer: 'PID-2 of RIS|CLINIC' });
    }
  });

  it('are refused where none has one, by what is in each and by the settings', () => {
    const refused = rejection(() => read({ 2: '2123456701', 4: 'Doe, Jane' }));
    expect(refused).to.deep.include({
      errorCode: 101,
      location: { segment: 'PID', ordinal: 1, field: 3 },
      message:
        'no patient number: PID-3 is empty, PID-4 holds a name, PID-2 holds a Medicare number, which a family shares; ' +
        'HL7_PATIENT_ID_FIELDS and HL7_PATIENT_ID_TYPES, or patient= and ids= in HL7_SENDERS, change that',
    });
  });

  it('are those of the sender where it has its own', () => {
    const message = hl7('ADT^A08', seg('PID', { 3: 'A1', 4: 'B2^^X9' }), seg('ZPI', { 2: 'Z4' }));
    const { senders } = parseSenders('RIS: patient=ZPI-2,PID-3');
    const update = readPatientMessage(message, { ...SETTINGS, senders });
    expect(update).to.have.nested.property('patient.externalId', 'Z4');
    expect(update).to.have.nested.property('patient.issuer', 'ZPI-2 of RIS|CLINIC');
    const part = { ...SETTINGS, patientIdFields: parseFieldPlaces('PID-4.3') ?? [] };
    expect(readPatient(message, part)).to.include({ externalId: 'X9', issuer: 'PID-4.3 of RIS|CLINIC' });
  });

  it('never merge: a merge takes its number from PID-3 only', () => {
    const refused = rejection(() =>
      readPatientMessage(hl7('ADT^A40', seg('PID', { 4: 'B2' }), seg('MRG', { 1: 'C3' })), SETTINGS),
    );
    expect(refused).to.deep.include({ errorCode: 101, location: { segment: 'PID', ordinal: 1, field: 3 } });
  });

  it('never make one patient of two that have the same number', () => {
    const known = (id: string, issuer: string): KnownIdentity => ({ id, externalId: '70715', issuer });
    const merged = (...identities: KnownIdentity[]) =>
      foldPatients(identities, [], []).map(({ mergedInto }) => mergedInto);
    const place = known('b', 'PID-2 of RIS|CLINIC');
    expect(merged(known('a', ''), place)).to.deep.equal([null, null]);
    expect(merged(known('a', ''), place, known('c', 'AXIS'))).to.deep.equal(['c', null, null]);
    expect(merged(place, known('d', 'pid-4 of ris'))).to.deep.equal([null, null]);
  });
});
