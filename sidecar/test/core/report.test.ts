import { expect } from 'chai';
import { isFinal, readReportMessage } from '../../core/report.ts';
import { hl7, PID, rejection, seg, SETTINGS } from '../support/hl7-messages.ts';

const read = (...segments: string[]) => readReportMessage(hl7('ORU^R01', PID, ...segments), SETTINGS).reports;
const obr = (accession: string, status: string) => seg('OBR', { 18: accession, 22: '202604011200', 25: status });
const text = (line: string, type = 'TX') => seg('OBX', { 2: type, 5: line });

describe('reading reports', () => {
  it('reads accession, status, time and text of one report', () => {
    const [report] = read(obr('ACC1', 'F'), text('No fracture.'), text('Dr Example'));
    expect(report).to.deep.include({
      status: 'final',
      body: 'No fracture.\nDr Example',
      attachments: [],
      reportedAt: new Date('2026-04-01T01:00:00Z'),
    });
    expect(report?.study.accessionNumber).to.equal('ACC1');
  });

  for (const [obr25, status] of [
    ['F', 'final'],
    ['f', 'final'],
    ['C', 'corrected'],
    ['P', 'preliminary'],
    ['R', 'preliminary'],
    ['S', 'preliminary'],
    ['I', 'preliminary'],
    ['A', 'preliminary'],
    ['X', 'cancelled'],
  ] as const) {
    it(`reads OBR-25 ${obr25} as ${status}`, () => {
      expect(read(obr('ACC1', obr25))[0]?.status).to.equal(status);
    });
  }

  it('counts a final and a corrected report as final, nothing else', () => {
    expect((['preliminary', 'final', 'corrected', 'cancelled'] as const).filter(isFinal)).to.deep.equal([
      'final',
      'corrected',
    ]);
  });

  it('keeps repetitions and escaped line ends of a text as lines, and text with carets whole', () => {
    const [report] = read(obr('ACC1', 'F'), text('one~two', 'FT'), text('three\\.br\\four', 'FT'), text('5^6', 'ST'));
    expect(report?.body).to.equal('one\ntwo\nthree\nfour\n5^6');
  });

  it('leaves out of the text what is none', () => {
    const [report] = read(obr('ACC1', 'F'), text('""'), text('""', 'NM'), text('Text'), text('a^b', 'RP'));
    expect(report?.body).to.equal('Text');
  });

  it('reads an encapsulated PDF, without the line ends in its Base64', () => {
    const pdf = seg('OBX', { 2: 'ED', 5: '^application^pdf^Base64^JVBE\\.br\\Ri0x' });
    expect(read(obr('ACC1', 'F'), pdf)[0]?.attachments).to.deep.equal([
      { contentType: 'application/pdf', base64: 'JVBERi0x' },
    ]);
  });

  it('reads reports of several accession numbers apart', () => {
    const reports = read(obr('ACC1', 'F'), text('one'), obr('ACC2', 'P'), text('two'));
    expect(reports.map(({ study, status, body }) => [study.accessionNumber, status, body])).to.deep.equal([
      ['ACC1', 'final', 'one'],
      ['ACC2', 'preliminary', 'two'],
    ]);
  });

  for (const [statuses, status] of [
    [['F', 'F'], 'final'],
    [['F', 'P'], 'preliminary'],
    [['P', 'F'], 'preliminary'],
    [['F', 'C'], 'corrected'],
    [['F', 'X'], 'final'],
    [['X', 'X'], 'cancelled'],
  ] as const) {
    it(`is ${status} where two parts of one accession number are ${statuses.join(' and ')}`, () => {
      const reports = read(obr('ACC1', statuses[0]), text('one'), obr('acc1 ', statuses[1]), text('two'));
      expect(reports.map((report) => [report.status, report.body])).to.deep.equal([
        [status, statuses[0] === 'F' && statuses[1] === 'X' ? 'one' : 'one\ntwo'],
      ]);
    });
  }
});

describe('refusing reports', () => {
  it('refuses a status that is missing or unknown, pointing at OBR-25', () => {
    expect(rejection(() => read(obr('ACC1', '')))).to.deep.include({
      errorCode: 101,
      location: { segment: 'OBR', ordinal: 1, field: 25 },
    });
    expect(rejection(() => read(obr('ACC1', 'F'), obr('ACC2', 'Q')))).to.deep.include({
      errorCode: 103,
      location: { segment: 'OBR', ordinal: 2, field: 25 },
    });
  });

  it('refuses a message without OBR or without an accession number', () => {
    expect(rejection(() => read())).to.include({ errorCode: 100 });
    expect(rejection(() => read(obr('', 'F')))).to.include({ errorCode: 101 });
  });

  it('refuses a message with reports of two patients, since the second would become the first one’s', () => {
    const refused = rejection(() => read(obr('ACC1', 'F'), seg('PID', { 3: 'P2' }), obr('ACC2', 'F')));
    expect(refused).to.deep.include({ errorCode: 100, location: { segment: 'PID', ordinal: 2 } });
  });
});
