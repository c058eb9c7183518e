import { expect } from 'chai';
import { foldPatient, type SaidOfPatient } from '../../../ris/rules/facts.ts';
import { readPatient } from '../../../ris/rules/patient-update.ts';
import { readIgnored } from '../../../ris/rules/read.ts';
import { hl7, seg, SETTINGS } from '../../support/hl7-messages.ts';

const AT = new Date('2026-04-01T12:00:00Z');
const pid = (fields: Readonly<Record<number, string>>): string => seg('PID', { 3: 'P1', 5: 'Doe^Jane', ...fields });
const said = (fields: Readonly<Record<number, string>>): SaidOfPatient =>
  readPatient(hl7('ADT^A08', pid(fields)), SETTINGS);
const order = (fields: Readonly<Record<number, string>>) => ({ facts: said(fields) });
const report = (fields: Readonly<Record<number, string>>) => ({ ofReport: true, facts: said(fields) });
const dead = (...all: Parameters<typeof foldPatient>[0]): boolean | undefined => foldPatient(all).deceased;

describe('whether a patient has died', () => {
  it('is said by PID-30, else by a time of death', () => {
    expect(said({ 30: 'Y' }).deceased).to.equal(true);
    expect(said({ 30: 'n' }).deceased).to.equal(false);
    expect(said({ 29: '20260331' }).deceased).to.equal(true);
    expect(said({ 29: '20260331', 30: 'N' }).deceased).to.equal(false);
    expect([said({ 29: '""' }).deceased, said({ 30: '""' }).deceased]).to.deep.equal([false, false]);
    expect(said({})).not.to.have.property('deceased');
  });

  it('is as the last word says, and silence says nothing', () => {
    expect(dead(order({}))).to.equal(undefined);
    expect(dead(order({ 30: 'Y' }), order({}))).to.equal(true);
    expect(dead(order({ 30: 'Y' }), order({ 30: 'N' }))).to.equal(false);
    expect(dead(order({ 30: 'N' }), order({ 30: 'Y' }))).to.equal(true);
  });

  it('is heard of reports too, but for one that says of the dead that they live', () => {
    expect(dead(order({ 30: 'N' }), report({ 30: 'Y' }))).to.equal(true);
    expect(dead(report({ 30: 'Y' }), order({ 30: 'N' }))).to.equal(false);
    expect(dead(order({ 30: 'Y' }), report({ 30: 'N' }))).to.equal(true);
  });

  it('is read of ADT messages that are ignored, and nothing else of them', () => {
    const read = (type: string, ...segments: string[]) => readIgnored(hl7(type, ...segments), SETTINGS, AT).patients;
    expect(read('ADT^A03', pid({ 30: 'Y' }))).to.deep.equal([{ externalId: 'P1', issuer: '', deceased: true }]);
    expect(read('ADT^A03', pid({}))).to.deep.equal([]);
    expect(read('ADT^A03', seg('PID', { 30: 'Y' }))).to.deep.equal([]);
    expect(read('ADT^A03', pid({ 30: 'Y' }), pid({ 3: 'P2' }))).to.deep.equal([]);
    expect(read('SIU^S12', pid({ 30: 'Y' }))).to.deep.equal([]);
  });
});
