import { expect } from 'chai';
import { readReportMessage } from '../../../ris/rules/report.ts';
import { hl7, PID, rejection, seg, SETTINGS } from '../../support/hl7-messages.ts';

const message = (...segments: string[]) => readReportMessage(hl7('ORU^R01', PID, ...segments), SETTINGS);
const read = (...segments: string[]) =>
  message(...segments).reports.map(({ study, status, body }) => [study.accessionNumber, status, body]);
const codes = (...segments: string[]) => message(...segments).warnings.map(({ code }) => code);
const obr = (accession: string, status = '') => seg('OBR', { 18: accession, 24: 'CT', 25: status });
const text = (line: string, status = 'F') => seg('OBX', { 2: 'TX', 5: line, 11: status });

describe('several OBRs with the rows behind one', () => {
  const both = (status: string, body: string) => [
    ['A1', status, body],
    ['A2', status, body],
  ];

  it('have all the rows and their status, wherever these stand', () => {
    expect(read(obr('A1'), obr('A2'), text('Normal.'))).to.deep.equal(both('final', 'Normal.'));
    expect(read(obr('A1'), text('Normal.'), obr('A2'))).to.deep.equal(both('final', 'Normal.'));
    expect(read(obr('A1', 'F'), text('Normal.'), 'ORC|RE', obr('A2', 'F'))).to.deep.equal(both('final', 'Normal.'));
    expect(read(obr('A1'), obr('A2', 'C'), text('Normal.'))).to.deep.equal(both('corrected', 'Normal.'));
    expect(read(obr('A1', 'P'), obr('A2', 'P'), text('Normal.', 'P'))).to.deep.equal(both('preliminary', 'Normal.'));
    expect(codes(obr('A1'), obr('A2'), text('Normal.'))).to.deep.equal(['rows-shared']);
  });

  it('have their attachments too', () => {
    const pdf = seg('OBX', { 2: 'ED', 5: '^AP^PDF^Base64^JVBERi0x', 11: 'F' });
    const { reports } = message(obr('A1'), obr('A2'), pdf);
    expect(reports.map(({ attachments }) => attachments.length)).to.deep.equal([1, 1]);
  });

  it('keep to themselves where a status speaks against it', () => {
    expect(read(obr('A1', 'P'), obr('A2', 'F'), text('Normal.'))[0]).to.deep.equal(['A1', 'preliminary', '']);
    expect(read(obr('A1', 'X'), obr('A2', 'F'), text('Normal.'))[0]).to.deep.equal(['A1', 'cancelled', '']);
    expect(read(obr('A1', 'F'), obr('A2', 'P'), text('Normal.', 'P'))[0]).to.deep.equal(['A1', 'final', '']);
    const draft = seg('OBX', { 2: 'ST', 3: 'STATUS', 5: 'REPORT_DRAFT', 11: 'F' });
    expect(read(obr('A1', 'F'), draft, obr('A2', 'F'), text('Normal.'))[0]).to.deep.equal(['A1', 'preliminary', '']);
  });

  it('keep to themselves where more than one has rows', () => {
    const rows = [obr('A1', 'F'), text('one'), obr('A2', 'F'), obr('A3', 'F'), text('three')];
    expect(read(...rows).map(([, , body]) => body)).to.deep.equal(['one', '', 'three']);
  });

  it('are one report with the rows once where they have one accession number', () => {
    expect(read(obr('A1'), obr('a1'), text('Normal.'))).to.deep.equal([['A1', 'final', 'Normal.']]);
  });

  it('are refused where nothing says a status, or one says none that is known', () => {
    expect(rejection(() => read(obr('A1'), obr('A2')))).to.include({ errorCode: 101 });
    expect(rejection(() => read(obr('A1', 'Q'), obr('A2', 'F'), text('Normal.')))).to.deep.include({
      errorCode: 103,
      location: { segment: 'OBR', ordinal: 1, field: 25 },
    });
  });
});

describe('a row that tells a state', () => {
  const state = (value: string, name = 'STATUS', status = 'F') =>
    seg('OBX', { 2: 'ST', 3: name, 5: value, 11: status });

  it('is no text, and says nothing where the report is complete', () => {
    for (const value of ['REPORT_COMPLETE', 'FINAL', 'Verified', 'SOME_OTHER_CODE']) {
      expect(read(obr('A1'), text('Normal.'), state(value)), value).to.deep.equal([['A1', 'final', 'Normal.']]);
      expect(read(obr('A1'), state(value, 'X^Report Status'), text('Normal.')), value).to.deep.equal([
        ['A1', 'final', 'Normal.'],
      ]);
    }
  });

  it('makes preliminary what is not complete', () => {
    for (const value of [
      'REPORT_INCOMPLETE',
      'DRAFT',
      'REPORT_PRELIMINARY',
      'in progress',
      'NOT_FINAL',
      'UNVERIFIED',
    ]) {
      expect(read(obr('A1', 'F'), text('Normal.'), state(value))[0]?.[1], value).to.equal('preliminary');
    }
  });

  it('is a row like any other where it has words', () => {
    const words = 'Status post cholecystectomy.';
    expect(read(obr('A1', 'F'), state(words))).to.deep.equal([['A1', 'final', words]]);
    expect(read(obr('A1', 'F'), state('Complete', 'FRACTURE'))).to.deep.equal([['A1', 'final', 'Complete']]);
  });
});

describe('a result status of no table', () => {
  it('says nothing where OBR-25 says how final the report is', () => {
    for (const status of ['OK', 'Final', '1', 'constructor']) {
      expect(read(obr('A1', 'F'), text('Normal.', status)), status).to.deep.equal([['A1', 'final', 'Normal.']]);
      expect(read(obr('A1', 'P'), text('Normal.', status))[0]?.[1], status).to.equal('preliminary');
      expect(codes(obr('A1', 'F'), text('Normal.', status)), status).to.deep.equal(['result-status-unknown']);
    }
    expect(read(obr('A1', 'F'), text('one', 'OK'), text('two', 'P'))[0]?.[1]).to.equal('preliminary');
  });

  it('is refused without one, pointing at its OBX', () => {
    expect(rejection(() => read(obr('A1'), text('one'), text('two', 'OK')))).to.deep.include({
      errorCode: 103,
      location: { segment: 'OBX', ordinal: 2, field: 11 },
    });
  });

  it('leaves the place of another error right', () => {
    const bad = seg('OBX', { 2: 'ED', 5: '^application^pdf^Base64^JVBE*', 11: 'OK' });
    expect(rejection(() => read(obr('A1', 'F'), text('one', 'OK'), bad))).to.deep.include({
      location: { segment: 'OBX', ordinal: 2, field: 5 },
    });
  });
});

describe('what is odd in a report', () => {
  it('is a final one with nothing to read', () => {
    expect(codes(obr('A1', 'F'))).to.deep.equal(['report-without-words']);
    expect(codes(obr('A1', 'P'))).to.deep.equal([]);
    expect(codes(obr('A1', 'F'), text('', 'U'))).to.deep.equal([]);
  });

  it('is an OBR-22 that is no time and no modality', () => {
    const at = (time: string) => seg('OBR', { 18: 'A1', 22: time, 24: 'CT', 25: 'F' });
    expect(codes(at('soon'), text('Normal.'))).to.deep.equal(['time-unreadable']);
    expect(codes(at('CR'), text('Normal.'))).to.deep.equal([]);
  });
});
