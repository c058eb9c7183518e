import { expect } from 'chai';
import { readFrame } from '../../hl7/io/listener.ts';
import type { MessageFacts } from '../../ris/rules/facts.ts';
import { DEFAULT_IGNORED_TYPES, parseIgnoredTypes } from '../../ris/rules/ignored-types.ts';
import { route } from '../../ris/rules/message-kind.ts';
import { readIgnored, readOrder, readPatientUpdate, readReport } from '../../ris/rules/read.ts';
import { SETTINGS } from '../support/hl7-messages.ts';
import { needsRealData, sharedCase } from '../support/real-data.ts';

const READ = { order: readOrder, report: readReport, patient: readPatientUpdate, ignored: readIgnored };
const IGNORED = parseIgnoredTypes(DEFAULT_IGNORED_TYPES, () => false).types;

function read(name: string): MessageFacts {
  const { message, problem } = readFrame(sharedCase(name));
  expect(problem, name).to.equal(null);
  if (message === null) throw new Error(`${name} was not read`);
  return READ[route(message, IGNORED)](message, SETTINGS, new Date('2026-12-01T00:00:00Z'));
}

const studies = ({ orders }: MessageFacts) =>
  orders.map(({ study, status }) => [study.accessionNumber, study.modality, status]);
const reports = (facts: MessageFacts) =>
  facts.reports.map(({ report }) => [report.study.accessionNumber, report.study.modality, report.status]);
// They are read as if they had all come at one time, so that their own times tell nothing.
const codes = ({ warnings }: MessageFacts) =>
  warnings.filter(({ code }) => code !== 'sender-clock').map(({ code, field }) => `${code} ${field}`);

describe('the cases from the field, as they are read with the default settings', () => {
  before(function () {
    needsRealData(this, 'cases');
  });

  it('are an order of Voyager', () => {
    const order = read('voyager/order.hl7');
    expect(order.patients[0]).to.include({
      externalId: '107601',
      issuer: 'PID-4 of Voyager',
      phoneNumber: '+61491570006',
    });
    expect(studies(order)).to.deep.equal([['193901-CT', 'CT', 'active']]);
    expect(codes(order)).to.deep.equal(['time-unreadable MSH-7', 'patient-number-elsewhere PID-4']);
  });

  it('are a report of two procedures by Voyager, final for both', () => {
    const report = read('voyager/report-two-procedures-rtf.hl7');
    expect(reports(report)).to.deep.equal([
      ['193901-CT', 'CT', 'final'],
      ['193901-CR', 'CR', 'final'],
    ]);
    const sizes = report.reports.map(({ report: { body, attachments } }) => body.length + attachments.length);
    expect(sizes[0]).to.be.greaterThan(0).and.equal(sizes[1]);
    expect(codes(report)).to.include('rows-shared OBR 1');
  });

  it('are several orders of one message', () => {
    expect(studies(read('messages/D03-orders-of-group-case.hl7')).map(([number]) => number)).to.deep.equal(['ACC70031A', 'ACC70031B']); // prettier-ignore
    expect(studies(read('messages/H02-one-orc-two-obr.hl7')).map(([number]) => number)).to.deep.equal(['ACC70002A', 'ACC70002B']); // prettier-ignore
    expect(studies(read('messages/H03-two-ipc-one-obr.hl7')).map(([number]) => number)).to.deep.equal(['ACC70003L', 'ACC70003R']); // prettier-ignore
  });

  it('are a number in PID-2, two phone numbers in one field, and an OBX-11 of no table', () => {
    expect(read('messages/H15-number-in-pid2.hl7').patients[0]).to.include({ externalId: '70015', issuer: 'PID-2 of VOYAGER|AXIS' }); // prettier-ignore
    expect(read('messages/H27-two-numbers-one-blank.hl7').patients[0]).to.include({ phoneNumber: '+61412345678' });
    expect(reports(read('messages/H22-obx11-ok.hl7'))).to.deep.equal([['ACC70022', 'CT', 'final']]);
  });

  it('are one report for two accession numbers', () => {
    for (const name of ['messages/H20-linked-exams-one-report.hl7', 'messages/D03-reports-of-group-case.hl7']) {
      const bodies = read(name).reports.map(({ report: { status, body } }) => [status, body]);
      expect(bodies, name).to.deep.equal([
        ['final', 'CT chest and abdomen: normal.'],
        ['final', 'CT chest and abdomen: normal.'],
      ]);
    }
  });

  it('are a report with nothing to read, warned of', () => {
    expect(codes(read('messages/H31-final-without-rows.hl7'))).to.deep.equal(['report-without-words OBX-5']);
  });

  it('are orders and reports of episode 10', () => {
    expect(studies(read('episodes/10/1.hl7')).map(([number]) => number)).to.deep.equal(['M10']);
    expect(reports(read('episodes/10/2.hl7')).map(([number]) => number)).to.deep.equal(['F10']);
  });
});
