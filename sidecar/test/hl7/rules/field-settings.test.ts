import { expect } from 'chai';
import { readPatientMessage } from '../../../ris/rules/patient-update.ts';
import {
  parseFieldPlaces,
  parseIdTypes,
  parseSenders,
  settingsFor,
  type Hl7Settings,
} from '../../../hl7/rules/field-settings.ts';
import { readOrderMessage } from '../../../ris/rules/order.ts';
import { readReportMessage } from '../../../ris/rules/report.ts';
import { hl7, PID, rejection, seg, SETTINGS } from '../../support/hl7-messages.ts';

const from = (text: string): Hl7Settings => ({ ...SETTINGS, senders: parseSenders(text).senders });

describe('field settings', () => {
  it('are lists of fields, with a component or without', () => {
    expect(parseFieldPlaces(' OBR-18, ZAX-3.12')).to.deep.equal([
      { segment: 'OBR', field: 18, component: 1 },
      { segment: 'ZAX', field: 3, component: 12 },
    ]);
    for (const bad of ['', 'OBR-18,', 'OBR', 'OBR-0', 'OBR-100', 'OBR-3.0', 'NTE-3', 'obr-18', 'OBR-18 ORC-3'])
      expect(parseFieldPlaces(bad), bad).to.equal(null);
    expect(parseIdTypes('mr, PI')).to.deep.equal(['MR', 'PI']);
    for (const bad of ['', 'MR,', 'M R', 'LONGER']) expect(parseIdTypes(bad), bad).to.equal(null);
  });

  it('of senders are read whole', () => {
    const text =
      'Voyager: accession=OBR-3,ORC-3.1  modality=OBR-24 ; OTHER|SITE2:ids=PI; VOYAGERPACS: clock=Etc/UTC phones=Reports';
    expect(parseSenders(text)).to.deep.equal({
      senders: [
        {
          application: 'VOYAGER',
          facility: null,
          accessionFields: [
            { segment: 'OBR', field: 3, component: 1 },
            { segment: 'ORC', field: 3, component: 1 },
          ],
          modalityFields: [{ segment: 'OBR', field: 24, component: 1 }],
        },
        { application: 'OTHER', facility: 'SITE2', patientIdTypes: ['PI'] },
        { application: 'VOYAGERPACS', facility: null, clockZone: 'Etc/UTC', reportsRulePhones: true },
      ],
      problems: [],
    });
    expect(parseSenders('')).to.deep.equal({ senders: [], problems: [] });
  });

  it('of senders are told of every problem, by the number of the entry', () => {
    const problems = (text: string) => parseSenders(text).problems;
    expect(problems('A: accession=XXX modality=; no colon; B: speed=1; |X: ids=MR; C|: ids=MR; D|E|F: ids=MR; G:')).to.deep.equal([
      'entry 1: accession= must be a list of fields such as OBR-18,OBR-3.1',
      'entry 1: modality= must be a list of fields such as IPC-5,OBR-24',
      'entry 2: must begin with the sender: MSH-3, or MSH-3|MSH-4, and a colon',
      'entry 3: only accession=, modality=, patient=, ids=, clock= and phones= may follow the sender, separated by blanks',
      ...[4, 5, 6].map((entry) => `entry ${entry}: must begin with the sender: MSH-3, or MSH-3|MSH-4, and a colon`),
      'entry 7: says nothing of the sender',
    ]); // prettier-ignore
    expect(problems('A: clock=Mars; B: phones=orders; C: clock=')).to.deep.equal([
      'entry 1: clock= must be a time zone such as Etc/UTC',
      'entry 2: phones= must be reports',
      'entry 3: clock= must be a time zone such as Etc/UTC',
    ]);
    expect(problems('A: ids=MR; a: ids=PI; A|B: ids=MR; A|B: ids=PI')).to.deep.equal([
      'entry 2: names a sender that an entry before it names',
      'entry 4: names a sender that an entry before it names',
    ]);
    expect(problems('A: ids=M R; B: ids=MR=PI; C: ids=MR ids=PI; D: ids=1')).to.deep.equal([
      'entry 1: only accession=, modality=, patient=, ids=, clock= and phones= may follow the sender, separated by blanks',
      'entry 2: only accession=, modality=, patient=, ids=, clock= and phones= may follow the sender, separated by blanks',
      'entry 3: says the same thing twice',
      'entry 4: ids= must be a list of identifier types such as MR,PI',
    ]);
  });

  it('hold for their sender, one with MSH-4 before one without, in any case', () => {
    const settings = from('ris: ids=PI; RIS|Clinic: ids=PT; RIS|ELSEWHERE: ids=MR; OTHER: ids=XX');
    expect(settingsFor(hl7('ADT^A08'), settings).patientIdTypes).to.deep.equal(['PT']);
    expect(settingsFor(hl7('ADT^A08'), from('ris: ids=PI; RIS|ELSEWHERE: ids=MR')).patientIdTypes).to.deep.equal([
      'PI',
    ]);
    for (const other of ['RIS|ELSEWHERE: ids=XX', 'OTHER: ids=XX', 'OTHER|CLINIC: ids=XX']) {
      expect(settingsFor(hl7('ADT^A08'), from(other)).patientIdTypes, other).to.deep.equal(['MR', 'PI', 'PT']);
    }
  });

  it('decide where orders, reports and patients are read', () => {
    const settings = from('RIS: accession=PV1-19.2,OBR-3.2 modality=ZAX-1,OBR-24.2 ids=ZZ');
    const pid = seg('PID', { 3: 'P1^^^CLINIC^MR~Z1^^^CLINIC^ZZ' });
    const obr = seg('OBR', { 3: 'X^ACC3', 18: 'ACC18', 24: 'CT^US', 25: 'F' });
    const order = readOrderMessage(hl7('ORM^O01', pid, seg('ORC', { 1: 'NW' }), obr), settings);
    expect(order.patient.externalId).to.equal('Z1');
    expect(order.orders[0]?.study).to.include({ accessionNumber: 'ACC3', modality: 'US' });
    const report = readReportMessage(hl7('ORU^R01', pid, seg('PV1', { 19: 'X^VISIT1' }), obr, 'ZAX|MR'), settings);
    expect(report.patient.externalId).to.equal('Z1');
    expect(report.reports[0]?.study).to.include({ accessionNumber: 'VISIT1', modality: 'MR' });
    expect(readPatientMessage(hl7('ADT^A08', pid), settings)).to.have.nested.property('patient.externalId', 'Z1');
    const merge = readPatientMessage(hl7('ADT^A40', pid, seg('MRG', { 1: '1^^^^MR~2^^^^ZZ' })), settings);
    expect(merge).to.have.nested.property('merges[0].prior.externalId', '2');
    const without = rejection(() => readReportMessage(hl7('ORU^R01', PID, seg('OBR', { 18: 'A' })), settings));
    expect(without).to.deep.include({ errorCode: 101, location: { segment: 'PID', ordinal: 1, field: 3 } });
  });

  it('point at the first place where an accession number is none', () => {
    const missing = rejection(() =>
      readOrderMessage(hl7('ORM^O01', PID, 'ORC|NW', 'OBR|1'), from('RIS: accession=ORC-3')),
    );
    expect(missing).to.deep.include({ errorCode: 101, location: { segment: 'ORC', ordinal: 1, field: 3 } });
  });
});
