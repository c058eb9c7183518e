import { expect } from 'chai';
import fc from 'fast-check';
import { parseHl7 } from '../../../hl7/rules/parse.ts';
import { readReportMessage, type Report } from '../../../ris/rules/report.ts';
import { hl7, PID, rejection, seg, SETTINGS } from '../../support/hl7-messages.ts';

const OBR = { 18: 'ACC1', 25: 'F' };

const read = (obr: Readonly<Record<number, string>>, ...rows: string[]): Report => {
  const [report, another] = readReportMessage(
    hl7('ORU^R01', PID, seg('OBR', { ...OBR, ...obr }), ...rows),
    SETTINGS,
  ).reports;
  if (report === undefined || another !== undefined) throw new Error('not one report');
  return report;
};
const row = (type: string, value: string, more: Readonly<Record<number, string>> = {}) =>
  seg('OBX', { 2: type, 5: value, ...more });
const body = (...rows: string[]) => read({}, ...rows).body;
const status = (obr25: string, ...obx11: string[]) =>
  read({ 25: obr25 }, ...obx11.map((one, index) => row('TX', `line ${index}`, { 11: one }))).status;

describe('the text of a report', () => {
  it('keeps bare separators as they were written, of whatever message', () => {
    expect(body(row('TX', 'C5^C6 & C7&T1^'), row('FT', '^&x'), row('ST', 'a&b~c'))).to.equal(
      'C5^C6 & C7&T1^\n^&x\na&b\nc',
    );
    const own = ['MSH$*%/+$RIS', 'PID$$$P1', 'OBR$$$ACC1' + '$'.repeat(22) + 'F', 'OBX$1$TX$$$a*b+c^d&e'];
    expect(readReportMessage(parseHl7(own.join('\r')), SETTINGS).reports[0]?.body).to.equal('a*b+c^d&e');
    const few = ['MSH|^~|RIS', 'PID|||P1', 'OBR|||ACC1' + '|'.repeat(22) + 'F', 'OBX|1|TX|||a^b&c'];
    expect(readReportMessage(parseHl7(few.join('\r')), SETTINGS).reports[0]?.body).to.equal('a^b&c');
  });

  it('takes a row without a type for text', () => {
    expect(body(row('', 'o^ne'), row(' tx ', 't^wo'))).to.equal('o^ne\nt^wo');
  });

  it('is what was escaped as the standard says, for any text', () => {
    const escapes: Readonly<Record<string, string>> = {
      '|': '\\F\\',
      '^': '\\S\\',
      '&': '\\T\\',
      '~': '\\R\\',
      '\\': '\\E\\',
      '\n': '\\.br\\',
      '\r': '\\X0D\\',
    };
    const any = fc
      .oneof(
        fc.string({ unit: fc.constantFrom('|', '^', '&', '~', '\\', '\n', '\r', 'a', 'é', ' ', '"', 'X', '.br') }),
        fc.string({ unit: 'binary' }),
      )
      .map((text) => text.replaceAll('\0', '').replace(/\s*$/, ''))
      .filter((text) => text !== '' && text.trim() !== '""');
    fc.assert(
      fc.property(any, fc.constantFrom('TX', 'FT', 'ST'), (text, type) => {
        const escaped = text.replace(/[|^&~\\\n\r]/g, (letter) => escapes[letter] ?? letter);
        expect(body(row(type, escaped))).to.equal(text);
      }),
      { numRuns: 1000 },
    );
  });

  it('is what was not escaped too, but for the separators of repetitions and fields', () => {
    const any = fc.string({ minLength: 1, unit: fc.constantFrom('^', '&', 'a', ' b', '.') });
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 4 }), (lines) => {
        expect(body(row('TX', lines.join('~')))).to.equal(lines.join('\n'));
      }),
    );
  });

  it('has coded values by their text, else the alternate, else the original, else the code', () => {
    expect(
      body(
        row('CE', 'C65.2^Malignant neoplasm^ICD-10~51.71^Heart & lung failure^ACR'),
        row('CWE', 'A^^L^B^Other words^L2'),
        row('CNE', 'A^""^^B^^^^^Original'),
        row('CE', '""'),
        row('CE', '^'),
        seg('OBX', { 2: 'CE' }),
        row('CF', 'A^ Formatted '),
        row('CF', 'A^'),
      ),
    ).to.equal('Malignant neoplasm\nHeart & lung failure\nOther words\nOriginal\nFormatted\nA');
  });

  it('has numbers with their unit and what they measure', () => {
    expect(body(row('NM', '4', { 6: 'mm^millimetre^UCUM' }))).to.equal('4 mm');
    expect(body(row('NM', ' 4 ', { 3: 'L1^Lesion^LN', 6: '^mm' }))).to.equal('Lesion: 4 mm');
    expect(body(row('NM', '4~5', { 3: 'L1^^LN^X^Other name' }))).to.equal('Other name: 4\nOther name: 5');
    expect(body(row('SN', '>^100', { 6: 'HU' }), row('SN', '^2^-^4'), row('SN', '^1^:^128'))).to.equal(
      '>100 HU\n2-4\n1:128',
    );
    const none = [
      row('NM', ' "" ', { 6: 'mm' }),
      row('SN', '^', { 6: 'mm' }),
      row('NM', '', { 6: 'mm' }),
      row('NM', '~'),
    ];
    expect(body(...none)).to.equal('');
    expect(body(row('TX', 'one'), ...none, row('TX', 'two'))).to.equal('one\ntwo');
    expect(body(row('NM', '~4', { 3: 'L1^Lesion', 6: 'mm' }))).to.equal('Lesion: 4 mm');
    expect(body(row('NM', '1^2'))).to.equal('1^2');
  });

  it('has other values as their components, and no data', () => {
    expect(
      body(row('DT', '20260401'), row('XPN', 'Doe^Jane&x'), row('RP', 'a^b'), row('DT', '""'), row('DT', '^')),
    ).to.equal('20260401\nDoe Jane x');
    expect(body(row('DT', '20260401'), row('DT', '^'), row('DT', ' 20260402 '))).to.equal('20260401\n20260402');
  });

  it('has the notes behind a row, not those of the order', () => {
    const nte = (note: string) => seg('NTE', { 3: note });
    expect(
      body(
        nte('of the order'),
        row('TX', 'one'),
        nte('two~three^x'),
        nte('four'),
        nte('""'),
        row('TX', 'five'),
        nte('six'),
      ),
    ).to.equal('one\ntwo\nthree^x\nfour\nfive\nsix');
    expect(body(row('TX', 'one'), seg('PRT', { 1: 'x' }), nte('of the row'))).to.equal('one\nof the row');
  });

  it('has nothing that was taken back, nor its notes and data', () => {
    for (const taken of ['D', 'W', 'X', 'w']) {
      const report = read(
        {},
        row('TX', 'stays', { 11: 'F' }),
        row('TX', 'goes', { 11: taken }),
        seg('NTE', { 3: 'goes too' }),
        row('ED', '^application^pdf^Base64^*', { 11: taken }),
      );
      expect(report).to.deep.include({ status: 'final', body: 'stays', attachments: [] });
    }
  });
});

describe('the UIDs that a report tells', () => {
  const uid = (identifier: string, value = '1.2.3', more: Readonly<Record<number, string>> = {}) =>
    row('ST', value, { 3: identifier, ...more });

  for (const [identifier, ofStudy] of [
    ['113014^DICOM Study^DCM', true],
    ['110180^Study Instance UID^DCM', true],
    ['110180^^DCM', true],
    ['^study instance uid', true],
    ['Study Instance UID', true],
    ['^Series Instance UID', false],
    ['112002^^DCM', false],
    ['^SR Instance UID', false],
    ['^SOP Instance UID', false],
    ['110181^^DCM', false],
  ] as const) {
    it(`are no text: ${identifier}`, () => {
      const report = read({}, uid(identifier), row('TX', 'text'));
      expect(report.body).to.equal('text');
      expect(report.study.studyInstanceUid).to.equal(ofStudy ? '1.2.3' : undefined);
    });
  }

  it('are read with blanks around them', () => {
    expect(read({}, uid(' 113014 ', ' 1.2.3 ')))
      .to.deep.include({ body: '' })
      .and.have.nested.property('study.studyInstanceUid', '1.2.3');
    expect(read({}, uid('X^ dicom study ')))
      .to.deep.include({ body: '' })
      .and.have.nested.property('study.studyInstanceUid', '1.2.3');
  });

  it('stay text where they are none, or told of something else', () => {
    for (const one of [
      uid('113014^DICOM Study^DCM', 'see 1.2.3'),
      uid('113014^DICOM Study^DCM', '1.2.3 seen'),
      uid('113014^^DCM', '12'),
      uid('^Version'),
      uid('1130140'),
      uid('0113014'),
      uid('^Prior Study Instance UID'),
      uid('^Study Instance UID of the prior'),
      uid('1120020'),
      uid('0112002'),
    ]) {
      const { body: told, study } = read({}, one);
      expect(told).not.to.equal('');
      expect(study.studyInstanceUid).to.equal(undefined);
    }
  });

  it('count where neither ZDS nor IPC has one, and only one study is told', () => {
    const row1 = uid('113014^DICOM Study^DCM');
    expect(read({}, row1, 'ZDS|9.9').study.studyInstanceUid).to.equal('9.9');
    expect(read({}, row1, 'ZDS|""').study.studyInstanceUid).to.equal(null);
    expect(read({}, row1, row1).study.studyInstanceUid).to.equal('1.2.3');
    expect(read({}, row1, uid('113014', '1.2.4')).study.studyInstanceUid).to.equal(undefined);
    expect(read({}, row1, uid('113014', '1.2.4', { 11: 'D' })).study.studyInstanceUid).to.equal('1.2.3');
  });

  it('say nothing of how final the report is, but their notes stay', () => {
    expect(read({}, uid('113014', '1.2.3', { 11: 'P' }), row('TX', 'text', { 11: 'F' })).status).to.equal('final');
    expect(read({}, uid('113014', '1.2.3', { 11: 'D' })).status).to.equal('final');
    expect(read({}, uid('113014'), seg('NTE', { 3: 'note' }), row('TX', 'text')).body).to.equal('note\ntext');
  });
});

describe('the status of a report by its rows', () => {
  for (const [obr25, obx11, expected] of [
    ['F', ['F', 'F'], 'final'],
    ['F', ['', 'F'], 'final'],
    ['F', ['F', 'P'], 'preliminary'],
    ['C', ['F', 'R'], 'preliminary'],
    ['F', ['S'], 'preliminary'],
    ['F', ['I'], 'preliminary'],
    ['F', ['p'], 'preliminary'],
    ['F', ['O', 'N'], 'final'],
    ['F', ['C'], 'final'],
    ['F', ['A', 'B', 'U', 'V'], 'final'],
    ['C', ['F'], 'corrected'],
    ['P', ['F'], 'preliminary'],
    ['P', ['D'], 'preliminary'],
    ['X', ['P'], 'cancelled'],
    ['M', ['F'], 'preliminary'],
    ['N', [], 'preliminary'],
    ['F', ['D', 'W'], 'cancelled'],
    ['C', ['X'], 'cancelled'],
    ['F', [], 'final'],
    ['F', ['D', 'F'], 'final'],
    ['', ['F', 'U'], 'final'],
    ['', ['', 'F'], 'final'],
    ['', ['F', 'C'], 'corrected'],
    ['', ['P', 'C'], 'preliminary'],
    ['', ['V'], 'final'],
    ['', ['W'], 'cancelled'],
    ['F', [' P '], 'preliminary'],
    [' f ', ['F'], 'final'],
    ['""', ['F', '""'], 'final'],
  ] as const) {
    it(`is ${expected} where OBR-25 is "${obr25}" and OBX-11 ${JSON.stringify(obx11)}`, () => {
      expect(status(obr25, ...obx11)).to.equal(expected);
    });
  }

  it('is none where neither says one, pointing at OBR-25', () => {
    for (const rows of [[], [''], ['O', 'N'], ['""']]) {
      const refused = rejection(() => status('', ...rows));
      expect(refused).to.deep.include({ errorCode: 101, location: { segment: 'OBR', ordinal: 1, field: 25 } });
    }
  });

  it('is cancelled where rows were taken back and nothing is left to read', () => {
    const wrong = row('TX', 'of another patient', { 11: 'W' });
    const of = (...rows: string[]) => read({}, ...rows).status;
    expect(of(wrong, row('TX', '', { 11: 'F' }))).to.equal('cancelled');
    expect(of(row('TX', '', { 11: 'F' }))).to.equal('final');
    expect(of(wrong, row('TX', 'text', { 11: 'F' }))).to.equal('final');
    expect(of(wrong, row('ED', '^AP^PDF^Base64^YQ', { 11: 'F' }))).to.equal('final');
    expect(of(wrong, row('TX', '', { 11: 'U' }))).to.equal('final');
  });

  it('is none of what is no status', () => {
    for (const wrong of ['constructor', '__proto__', 'FF']) {
      const [obr25, obx11] = [rejection(() => status(wrong, 'F')), rejection(() => status('', wrong))];
      expect(obr25).to.include({ errorCode: 103, message: 'OBR-25 is not a result status of table 0123' });
      expect(obx11).to.include({ errorCode: 103, message: 'OBX-11 is not a result status of table 0085' });
    }
    expect(rejection(() => status('')).message).to.equal('neither OBR-25 nor OBX-11 says a status');
  });
});

describe('the attachments of a report', () => {
  const of = (...values: string[]) => read({}, ...values.map((value) => row('ED', value))).attachments;

  it('are of the kind that their subtype says', () => {
    for (const [subtype, contentType] of [
      ['PDF', 'application/pdf'],
      ['application/pdf', 'application/pdf'],
      ['rtf', 'application/rtf'],
      ['image/jpeg', 'image/jpeg'],
      ['PNG', 'image/png'],
      ['text/html', 'text/html'],
    ] as const) {
      expect(of(`^TEXT^${subtype}^Base64^QUJD`), subtype).to.deep.equal([{ contentType, base64: 'QUJD' }]);
    }
  });

  it('are read from each encoding, of each repetition', () => {
    expect(of('^a^PDF^BASE64^QUI=~^a^PDF^base64^QUI', '^a^PDF^Hex^41 42').map(({ base64 }) => base64)).to.deep.equal([
      'QUI=',
      'QUI',
      'QUI=',
    ]);
    const plain = of('^Text^text/xml^ASCII^<a b="^&amp;"/>', '^a^PNG^A^x').map(({ contentType, base64 }) => [
      contentType,
      Buffer.from(base64, 'base64').toString(),
    ]);
    expect(plain).to.deep.equal([
      ['text/xml', '<a b="^&amp;"/>'],
      ['image/png', 'x'],
    ]);
  });

  it('are none without data', () => {
    expect(of('^a^PDF^Base64^', '^a^PDF^Base64^""', '""', '')).to.deep.equal([]);
  });
});
