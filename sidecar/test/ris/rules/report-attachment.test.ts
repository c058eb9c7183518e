import { expect } from 'chai';
import { readReportMessage } from '../../../ris/rules/report.ts';
import type { Report } from '../../../ris/rules/report.ts';
import { parseHl7 } from '../../../hl7/rules/parse.ts';
import { hl7, PID, rejection, seg, SETTINGS } from '../../support/hl7-messages.ts';

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
const only = (reports: readonly Report[]): Report => {
  const [report, another] = reports;
  if (report === undefined || another !== undefined) throw new Error('not one report');
  return report;
};
const read = (...rows: string[]): Report =>
  only(readReportMessage(hl7('ORU^R01', PID, seg('OBR', { 18: 'ACC1', 25: 'F' }), ...rows), SETTINGS).reports);
const ed = (value: string, type = 'ED'): string => seg('OBX', { 2: type, 5: value });
const kept = (...values: string[]): [string, string][] =>
  read(...values.map((value) => ed(value))).attachments.map(({ contentType, base64: data }) => [
    contentType,
    Buffer.from(data, 'base64').toString('utf8'),
  ]);

describe('what a report encloses', () => {
  for (const [named, contentType] of [
    ['application^pdf', 'application/pdf'],
    ['AP^PDF', 'application/pdf'],
    ['^APPLICATION/PDF', 'application/pdf'],
    ['PDF^', 'application/pdf'],
    ['TEXT^RTF', 'application/rtf'],
    ['TEXT^HTML', 'text/html'],
    ['TEXT^text/html', 'text/html'],
    ['TEXT^XHTML', 'application/xhtml+xml'],
    ['multipart^x-hl7-cda-level-one', 'text/xml'],
    ['TEXT^XML', 'text/xml'],
    ['Image^jpeg', 'image/jpeg'],
    ['Image^JPG', 'image/jpeg'],
    ['Image^PNG', 'image/png'],
    ['Image^GIF', 'image/gif'],
    ['Image^TIFF', 'image/tiff'],
    ['Image^DICOM', 'application/dicom'],
    ['application^zip', 'application/octet-stream'],
  ] as const) {
    it(`is an attachment of type ${contentType} where ED says ${named}`, () => {
      expect(kept(`^${named}^Base64^${base64('data')}`)).to.deep.equal([[contentType, 'data']]);
      const hasWords = /^text|rtf|xhtml/.test(contentType);
      expect(read(ed(`^${named}^Base64^${base64('data')}`)).body).to.equal(hasWords ? 'data' : '');
    });
  }

  for (const named of ['^', 'toString^', '^constructor', 'AP^BASIC', 'application^octet-stream']) {
    it(`is text of the report where it can be read and ED says no type that is known: ${named}`, () => {
      const said = (bytes: string) => read(ed(`^${named}^Base64^${Buffer.from(bytes, 'latin1').toString('base64')}`));
      expect(said('No fracture.')).to.deep.include({ body: 'No fracture.', attachments: [] });
      const binary = said('\0\x01\x02\xff');
      expect(binary.body).to.equal('');
      expect(binary.attachments.map(({ contentType }) => contentType)).to.deep.equal(['application/octet-stream']);
    });
  }

  it('is a PDF where it begins as one, whatever it is called', () => {
    expect(kept(`^AU^BASIC^Base64^${base64('%PDF-1.4')}`)).to.deep.equal([['application/pdf', '%PDF-1.4']]);
    expect(kept(`^AU^BASIC^Base64^${base64('x%PDF-1.4')}`)).to.deep.equal([['application/octet-stream', 'x%PDF-1.4']]);
  });

  for (const named of ['TEXT^PLAIN', 'TEXT^', 'TX^', 'FT^', '^text/plain', 'TEXT^TXT', 'AP^TEXT']) {
    it(`is text of the report where ED says ${named}`, () => {
      const plain = read(ed(`^${named}^A^one\\.br\\tw^o & three`), ed(`^${named}^Base64^${base64('four\né')}`));
      expect(plain).to.deep.include({ body: 'one\ntw^o & three\nfour\né', attachments: [] });
    });
  }

  it('is text of the report where plain text names no encoding', () => {
    expect(read(ed('^TEXT^PLAIN^^one two')).body).to.equal('one two');
  });

  it('is of the type whose name stands behind the last slash, blanks or not', () => {
    expect(kept(`^ AP ^ x/application/PDF ^ base64 ^${base64('data')}`)).to.deep.equal([['application/pdf', 'data']]);
    expect(kept(`^ PDF ^^Base64^${base64('data')}`)).to.deep.equal([['application/pdf', 'data']]);
  });

  it('is what stands in the first component where nothing else does, but nothing without any', () => {
    expect(kept('JVBE~Ri0x')).to.deep.equal([['application/pdf', '%PDF-1']]);
    expect(read(seg('OBX', { 2: 'ED' }), seg('OBX', { 2: 'RP' })).attachments).to.deep.equal([]);
  });

  it('is read as 8859/1 where its Base64 is no UTF-8', () => {
    expect(read(ed(`^TEXT^PLAIN^Base64^${Buffer.from('caf\xe9', 'latin1').toString('base64')}`)).body).to.equal('café');
  });

  it('is text where a text names no encoding, else Base64', () => {
    expect(kept('^TEXT^HTML^^<b>bold</b>', '^TEXT^XML^""^<a/>')).to.deep.equal([
      ['text/html', '<b>bold</b>'],
      ['text/xml', '<a/>'],
    ]);
    expect(kept(`^application^pdf^^${base64('%PDF-1.4')}`, `^Image^PNG^^${base64('data')}`)).to.deep.equal([
      ['application/pdf', '%PDF-1.4'],
      ['image/png', 'data'],
    ]);
  });

  it('goes on in repetitions that are no ED of their own', () => {
    expect(kept('^application^pdf^Base64^JV BE ~\\.br\\Ri0x~Lj Q=')).to.deep.equal([['application/pdf', '%PDF-1.4']]);
    expect(kept('^TEXT^HTML^A^about é ~5 mm ^ & more~^TEXT^XML^A^<a/>')).to.deep.equal([
      ['text/html', 'about é ~5 mm ^ & more'],
      ['text/xml', '<a/>'],
    ]);
  });

  it('keeps the separators of the message itself in data that is not encoded', () => {
    const segments = ['MSH$*%/+$RIS', 'PID$$$P1', `OBR$$$ACC1${'$'.repeat(22)}F`, 'OBX$1$ED$$$a+b*TEXT*HTML*A*x*y+z^&'];
    const [attachment] = only(readReportMessage(parseHl7(segments.join('\r')), SETTINGS).reports).attachments;
    expect(Buffer.from(attachment?.base64 ?? '', 'base64').toString()).to.equal('x*y+z^&');
  });

  it('is nothing where there is no data, or the data is deleted', () => {
    expect(
      kept('', '""', '^application^pdf^Base64', '^application^pdf^Base64^', '^application^pdf^Base64^""'),
    ).to.deep.equal([]);
    expect(kept('^application^pdf^Base64^ \\.br\\ ~ ')).to.deep.equal([]);
  });

  it('is of an OBX of any type, however that is written', () => {
    const pdf = `^application^pdf^Base64^${base64('%PDF-1.4')}`;
    for (const type of [' ed ', 'XX', 'TX', 'CE', '']) {
      expect(read(ed(pdf, type)), type).to.deep.include({
        body: '',
        attachments: [{ contentType: 'application/pdf', base64: base64('%PDF-1.4') }],
      });
    }
  });

  it('is the whole pointer alone of what is kept elsewhere', () => {
    const report = read(ed('https://ris/1.pdf?a=1&x=2^RIS^AP^PDF~ https://ris/2.pdf ~""~^RIS', 'RP'));
    expect(report.body).to.equal('');
    expect(report.attachments).to.deep.equal([
      { contentType: 'text/uri-list', base64: base64('https://ris/1.pdf?a=1&x=2') },
      { contentType: 'text/uri-list', base64: base64('https://ris/2.pdf') },
    ]);
  });

  it('is a pointer with the separators that nobody escaped in it', () => {
    const [pointer, another] = read(ed('https://ris/~reports/1.pdf~https://ris/2.pdf', 'RP')).attachments;
    expect([pointer?.base64, another?.base64]).to.deep.equal(
      ['https://ris/~reports/1.pdf', 'https://ris/2.pdf'].map(base64),
    );
  });

  it('must be what its encoding says', () => {
    const refused = (value: string) => rejection(() => read(seg('OBX', { 2: 'TX', 5: 'text' }), ed(value)));
    for (const [value, errorCode] of [
      ['^AP^PDF^Base64^JVBE=Ri0x', 102],
      ['^AP^PDF^Base64^JVBE!', 102],
      ['^AP^PDF^Base64^JVBER', 102],
      ['^AP^PDF^Base64^JVBER=', 102],
      ['^AP^PDF^Base64^JVBE~!', 102],
      ['^AP^PDF^Hex^123', 102],
      ['^AP^PDF^Hex^12x4', 102],
      ['^AP^PDF^uuencode^12', 103],
    ] as const) {
      const location = { segment: 'OBX', ordinal: 2, field: 5 };
      const message = value.includes('Base64')
        ? 'OBX-5 is not Base64'
        : value.includes('Hex')
          ? 'OBX-5 is not hexadecimal'
          : 'OBX-5.4 is not an encoding of table 0299';
      expect(refused(value), value).to.deep.include({ errorCode, location, message });
    }
    expect(kept('^AP^PDF^Base64^YQ', '^AP^PDF^Hex^61 62')).to.deep.equal([
      ['application/pdf', 'a'],
      ['application/pdf', 'ab'],
    ]);
  });
});

describe('the text of a report that is not in its rows', () => {
  const row = (value: string, more: Readonly<Record<number, string>> = {}) =>
    seg('OBX', { 2: 'TX', 5: value, ...more });
  const note = seg('NTE', { 3: 'of the report~in two lines' });

  it('is in the notes of the OBR where the rows have none', () => {
    expect(read(note).body).to.equal('of the report\nin two lines');
    expect(read(note, row('')).body).to.equal('of the report\nin two lines');
    expect(read(note, row('text')).body).to.equal('text');
    expect(read(seg('TQ1', { 1: '1' }), note).body).to.equal('');
  });

  it('has blank lines where rows without a text are, but not around it', () => {
    expect(read(row(''), row('one'), row(''), row(''), row('two'), row('')).body).to.equal('one\n\n\ntwo');
    expect(read(row('one'), seg('OBX', { 2: 'NM', 5: '' }), seg('OBX', { 2: 'ED', 5: '' }), row('two')).body).to.equal(
      'one\ntwo',
    );
  });

  it('stands as it was sent before where every row only says that it is final now', () => {
    const stands = (...rows: string[]): boolean | undefined => read(...rows).textStands;
    expect(stands(row('', { 11: 'U' }), row('', { 11: 'U' }))).to.equal(true);
    expect(stands(row('', { 11: 'U' }), row('', { 11: 'F' }))).to.equal(false);
    expect(stands(row('', { 11: 'U' }), row('text', { 11: 'U' }))).to.equal(false);
    expect(stands(seg('OBX', { 2: 'ED', 5: '^AP^PDF^Base64^YQ', 11: 'U' }))).to.equal(false);
    expect(stands()).to.equal(false);
  });

  it('stands where it does in every part of an accession number', () => {
    const parts = (one: string, other: string) =>
      only(
        readReportMessage(
          hl7(
            'ORU^R01',
            PID,
            seg('OBR', { 18: 'ACC1', 25: 'F' }),
            row('', { 11: one }),
            seg('OBR', { 18: 'ACC1', 25: 'F' }),
            row('', { 11: other }),
          ),
          SETTINGS,
        ).reports,
      ).textStands;
    expect([parts('U', 'U'), parts('U', 'F'), parts('F', 'U')]).to.deep.equal([true, false, false]);
  });
});
