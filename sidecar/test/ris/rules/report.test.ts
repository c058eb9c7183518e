import { expect } from 'chai';
import { isFinal, readReportMessage } from '../../../ris/rules/report.ts';
import { hl7, PID, rejection, seg, SETTINGS } from '../../support/hl7-messages.ts';

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

  it('keeps the time of the latest part, and what any part says of the study', () => {
    const part = (fields: Readonly<Record<number, string>>) => seg('OBR', { 18: 'ACC1', 25: 'F', ...fields });
    const times = (...parts: string[]) => read(...parts).map(({ reportedAt }) => reportedAt?.toISOString());
    const [early, late] = [
      part({ 22: '202604011200', 24: 'CT' }),
      part({ 22: '202604011300', 4: 'X^Chest', 24: 'US' }),
    ];
    expect(times(early, late)).to.deep.equal(['2026-04-01T02:00:00.000Z']);
    expect(times(late, early)).to.deep.equal(['2026-04-01T02:00:00.000Z']);
    expect(times(part({}), early)).to.deep.equal(['2026-04-01T01:00:00.000Z']);
    expect(times(early, part({}))).to.deep.equal(['2026-04-01T01:00:00.000Z']);
    expect(times(part({}))).to.deep.equal([undefined]);
    expect(read(early, late)[0]?.study).to.include({ modality: 'CT', procedureDescription: 'Chest' });
  });

  it('takes nothing from a part of which nothing is left', () => {
    const part = (time: string) => seg('OBR', { 18: 'ACC1', 22: time, 25: 'F' });
    const [report] = read(
      part('202604011200'),
      text('one'),
      part('202604011300'),
      seg('OBX', { 2: 'TX', 5: 'two', 11: 'W' }),
    );
    expect(report).to.deep.include({ status: 'final', body: 'one', reportedAt: new Date('2026-04-01T01:00:00Z') });
  });

  it('keeps the text and attachments of all parts, without a line for one that has none', () => {
    const part = seg('OBR', { 18: 'ACC1', 25: 'F' });
    const pdf = (data: string) => seg('OBX', { 2: 'ED', 5: `^AP^PDF^Base64^${data}` });
    const [report] = read(part, text('one'), pdf('YQ=='), part, part, text('two'), pdf('Yg=='));
    expect(report?.body).to.equal('one\ntwo');
    expect(report?.attachments.map(({ base64 }) => base64)).to.deep.equal(['YQ==', 'Yg==']);
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
    [['P', 'C'], 'preliminary'],
    [['X', 'P'], 'preliminary'],
    [['X', 'X'], 'cancelled'],
  ] as const) {
    it(`is ${status} where two parts of one accession number are ${statuses.join(' and ')}`, () => {
      const lines = ['one', 'two'].filter((_, index) => statuses[index] !== 'X');
      const reports = read(obr('ACC1', statuses[0]), text('one'), obr('acc1 ', statuses[1]), text('two'));
      expect(reports.map((report) => [report.status, report.body])).to.deep.equal([
        [status, statuses.some((one) => one !== 'X') ? lines.join('\n') : 'one\ntwo'],
      ]);
    });
  }
});

describe('a report of several procedures', () => {
  const part = (accession: string, status: string) => seg('OBR', { 18: accession, 25: status });
  const row = (line: string) => seg('OBX', { 2: 'TX', 5: line, 11: 'F' });

  it('is there once for each accession number, however many OBRs it has', () => {
    const told = (...segments: string[]) => read(...segments).map(({ study, body }) => [study.accessionNumber, body]);
    expect(told(part('A1', 'F'), part('B1', ''), part('B1', 'F'), row('one'))).to.deep.equal([
      ['A1', 'one'],
      ['B1', 'one'],
    ]);
    expect(told(part('B1', 'F'), row('one'), part('A1', 'F'), part('A1', ''))).to.deep.equal([
      ['B1', 'one'],
      ['A1', 'one'],
    ]);
  });

  it('brings documents and sections to each, and the UID that its rows tell to its own study', () => {
    const uid = seg('OBX', { 2: 'ST', 3: '113014^DICOM Study^DCM', 5: '1.2.3', 11: 'F' });
    const pdf = seg('OBX', { 2: 'ED', 5: '^AP^PDF^Base64^YQ==' });
    const [a, b] = read(part('A1', ''), part('B1', 'F'), uid, row('Findings: none'), pdf);
    expect(a?.attachments).to.deep.equal(b?.attachments).and.have.length(1);
    expect(a?.sections).to.deep.equal(b?.sections).and.have.length(1);
    expect([a?.study.studyInstanceUid, b?.study.studyInstanceUid]).to.deep.equal([undefined, '1.2.3']);
  });
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

  it('refuses all of a message with a report that is bad, pointing at it', () => {
    const good = [obr('ACC1', 'F'), text('one')];
    const refused = (...segments: string[]) => rejection(() => read(...good, ...segments));
    expect(refused(obr('ACC2', 'Q'), text('two'))).to.deep.include({
      errorCode: 103,
      location: { segment: 'OBR', ordinal: 2, field: 25 },
    });
    expect(refused(seg('OBR', { 25: 'F' }), text('two'))).to.deep.include({
      errorCode: 101,
      location: { segment: 'OBR', ordinal: 2, field: 18 },
    });
    expect(refused(obr('ACC2', ''), seg('OBX', { 2: 'TX', 5: 'two', 11: 'Q' }))).to.deep.include({
      errorCode: 103,
      location: { segment: 'OBX', ordinal: 2, field: 11 },
    });
  });

  it('refuses data that its encoding does not allow, pointing at OBX-5', () => {
    for (const [data, errorCode] of [
      ['^application^pdf^Base64^JVBE*Ri0x', 102],
      ['^application^pdf^Base64^JVBER', 102],
      ['^application^pdf^Base64^JV=ERi0x', 102],
      ['^application^pdf^Base64^===', 102],
      ['^application^pdf^Hex^2550444', 102],
      ['^application^pdf^Hex^25xx', 102],
      ['^application^pdf^uuencode^2550', 103],
      ['^application^pdf^^JVBE*Ri0x', 102],
    ] as const) {
      const refused = rejection(() => read(obr('ACC1', 'F'), text('one'), seg('OBX', { 2: 'ED', 5: data })));
      expect(refused, data).to.deep.include({ errorCode, location: { segment: 'OBX', ordinal: 2, field: 5 } });
    }
  });

  it('refuses a message without OBR or without an accession number', () => {
    const refused = rejection(() => read());
    expect(refused).to.deep.include({ errorCode: 100, message: 'OBR segment missing', location: { segment: 'OBR' } });
    expect(rejection(() => read(obr('', 'F')))).to.include({ errorCode: 101 });
  });

  it('refuses a message with reports of two patients, since the second would become the first one’s', () => {
    const refused = rejection(() => read(obr('ACC1', 'F'), seg('PID', { 3: 'P2' }), obr('ACC2', 'F')));
    expect(refused).to.deep.include({ errorCode: 100, location: { segment: 'PID', ordinal: 2 } });
  });
});
