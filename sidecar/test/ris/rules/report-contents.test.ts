import { expect } from 'chai';
import { base64, escaped, html, obx, pdf, readRows, rtf, types, wordsIn } from '../../support/report-documents.ts';
import { rejection, seg } from '../../support/hl7-messages.ts';

const bytesOf = (report: ReturnType<typeof readRows>, index = 0): string =>
  Buffer.from(report.attachments[index]?.base64 ?? '', 'base64').toString('latin1');

/** Base64 cut into pieces of this length. */
const pieces = (data: string, length: number): string[] => data.match(new RegExp(`.{1,${length}}`, 'gs')) ?? [];

describe('a PDF in a report', () => {
  const data = base64(pdf());

  for (const [where, type, value] of [
    ['the first component of an ED', 'ED', data],
    ['the second one', 'ED', `^${data}`],
    ['the third one, behind its encoding', 'ED', `PDF^Base64^${data}`],
    ['the sixth one', 'ED', `RIS^AP^PDF^Base64^^${data}`],
    ['a TX', 'TX', data],
    ['an FT', 'FT', data],
    ['a type of the sender’s own', 'PDF_BASE64', data],
    ['no type', '', data],
    ['a coded value', 'CE', `R^${data}^L`],
    ['a repetition behind a text', 'TX', `See the file.~${data}`],
    ['a TX, not encoded', 'TX', escaped(pdf())],
  ] as const) {
    it(`is kept, and is no text, in ${where}`, () => {
      const report = readRows(obx(type, value));
      expect(types(report)).to.deep.equal(['application/pdf']);
      expect(bytesOf(report)).to.equal(pdf());
      expect(report.body).to.equal(value.startsWith('See') ? 'See the file.' : '');
    });
  }

  for (const [what, written] of [
    ['line ends', pieces(data, 20).join('\\.br\\')],
    ['line ends of hexadecimal escapes', pieces(data, 20).join('\\X0D\\\\X0A\\')],
    ['line ends that are spelled out', pieces(data, 20).join('\\r\\n')],
    ['line ends of XML', pieces(data, 20).join('&#13;&#10;')],
    ['blanks', pieces(data, 7).join(' ')],
    ['the letters of addresses', data.replaceAll('+', '-').replaceAll('/', '_')],
    ['what addresses have before it', `data:application/pdf;base64,${data}`],
  ] as const) {
    it(`is read with ${what} in its Base64`, () => {
      for (const [type, value] of [
        ['ED', `^application^pdf^Base64^${written}`],
        ['ED', written],
        ['TX', written],
      ] as const) {
        const report = readRows(obx(type, value));
        expect([report.body, bytesOf(report)], type).to.deep.equal(['', pdf()]);
      }
    });
  }

  for (const length of [10, 33, 40, 64]) {
    it(`is one file, whole, in rows of ${length} letters`, () => {
      for (const row of [
        (piece: string) => obx('ED', `^application^pdf^Base64^${piece}`, { 3: 'PDF^Report', 4: '1' }),
        (piece: string) => obx('ED', `^application^pdf^Base64^${piece}`, { 3: 'PDF^Report' }),
        (piece: string) => obx('ED', `RIS^AP^PDF^^${piece}`, { 4: '7' }),
      ]) {
        const report = readRows(...pieces(data, length).map(row), obx('TX', 'Text.', { 3: 'REP' }));
        expect(types(report)).to.deep.equal(['application/pdf']);
        expect([bytesOf(report), report.body]).to.deep.equal([pdf(), 'Text.']);
      }
    });
  }

  it('is one file in rows that were encoded each for itself, and in rows of text', () => {
    const each = pieces(pdf(), 17).map((piece) => obx('ED', `^AP^PDF^Base64^${base64(piece)}`, { 4: '1' }));
    expect(bytesOf(readRows(...each))).to.equal(pdf());
    const report = readRows(...pieces(base64(pdf(1, 400)), 76).map((piece) => obx('TX', piece, { 3: 'PDF' })));
    expect([types(report), report.body, bytesOf(report)]).to.deep.equal([['application/pdf'], '', pdf(1, 400)]);
  });

  it('is not put together with another one, nor with rows that are none of it', () => {
    const row = (value: string, more: Readonly<Record<number, string>>) =>
      obx('ED', `^application^pdf^Base64^${value}`, more);
    const two = readRows(row(base64(pdf(1)), { 3: 'PDF', 4: '1' }), row(base64(pdf(2)), { 3: 'PDF', 4: '1' }));
    expect([bytesOf(two, 0), bytesOf(two, 1)]).to.deep.equal([pdf(1), pdf(2)]);
    const [a = '', b = ''] = pieces(base64(pdf(1)), 44);
    const [c = '', d = ''] = pieces(base64(pdf(2)), 44);
    const mixed = readRows(row(a, { 4: '1' }), row(c, { 4: '2' }), row(b, { 4: '1' }), row(d, { 4: '2' }));
    expect([bytesOf(mixed, 0), bytesOf(mixed, 1)]).to.deep.equal([pdf(1), pdf(2)]);
    const broken = readRows(obx('TX', base64('%PDF-1.4 broken'), { 3: 'R' }), obx('TX', 'Normal', { 3: 'R' }));
    expect([broken.body, types(broken)]).to.deep.equal(['Normal', ['application/pdf']]);
  });

  it('goes with the row that begins it', () => {
    const [a = '', b = ''] = pieces(base64(pdf()), 44);
    const row = (value: string, status: string) => obx('ED', `^application^pdf^Base64^${value}`, { 11: status });
    expect(readRows(row(a, 'F'), row(b, 'P')).status).to.equal('preliminary');
    expect(readRows(row(a, 'F'), row(b, 'F'), obx('TX', 'x', { 11: 'W' })).status).to.equal('final');
  });

  it('stays refused where its Base64 is none', () => {
    expect(rejection(() => readRows(obx('ED', '^application^pdf^Base64^JVBERi0*')))).to.include({ errorCode: 102 });
  });
});

describe('other files in a report', () => {
  for (const [contentType, begins] of [
    ['image/jpeg', [0xff, 0xd8, 0xff, 0xe0, 0, 16, 74, 70, 73, 70]],
    ['image/png', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0]],
    ['image/gif', [0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 1, 0, 1, 0]],
    ['image/tiff', [0x49, 0x49, 0x2a, 0, 8, 0, 0, 0, 1, 0]],
    ['image/tiff', [0x4d, 0x4d, 0, 0x2a, 0, 0, 0, 8, 1, 0]],
    ['application/zip', [0x50, 0x4b, 3, 4, 20, 0, 0, 0, 8, 0]],
    ['application/msword', [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, 0, 0]],
  ] as const) {
    it(`are attachments by how they begin: ${contentType}`, () => {
      const data = base64(Uint8Array.from([...begins, 1, 2, 3]));
      for (const [type, value] of [
        ['TX', data],
        ['ED', data],
        ['ED', `^TEXT^RTF^Base64^${data}`],
        ['ED', `^TEXT^PLAIN^Base64^${data}`],
        ['XX', `a^${data}`],
      ] as const) {
        const report = readRows(obx(type, value));
        expect([types(report), report.body], `${type} ${value}`).to.deep.equal([[contentType], '']);
      }
    });
  }

  it('are no text where nothing in them can be read', () => {
    const long = base64(Uint8Array.from({ length: 300 }, (_, index) => (index * 151 + 7) % 256));
    const report = readRows(obx('TX', long), obx('TX', 'Text.'));
    expect([report.body, types(report)]).to.deep.equal(['Text.', ['application/octet-stream']]);
  });
});

describe('RTF in a report', () => {
  const lines = ['CT CHEST', 'No nodule, café 5 µm.'];
  const document = rtf(lines);

  for (const [where, type, value] of [
    ['an ED in Base64', 'ED', `RIS^^.rtf^Base64^${base64(document)}`],
    ['an ED as text', 'ED', `RIS^TEXT^RTF^A^${escaped(document)}`],
    ['an ED said to be Base64 that is none', 'ED', `RIS^TEXT^RTF^Base64^${escaped(document)}`],
    ['an ED without anything else', 'ED', escaped(document)],
    ['an ED in the first component in Base64', 'ED', base64(document)],
    ['an FT', 'FT', escaped(document)],
    ['a TX', 'TX', escaped(document)],
    ['an ST', 'ST', escaped(document)],
    ['an FT that nobody escaped', 'FT', document.replace(/\r\n/g, ' ')],
    ['an FT whose line ends were escaped', 'FT', document.replaceAll('\r\n', '\\.br\\')],
    ['an FT whose backslashes are doubled', 'FT', escaped(document.replaceAll('\\', '\\\\'))],
    ['a TX in Base64', 'TX', base64(document)],
    ['a type of the sender’s own', 'RTF', escaped(document)],
    ['a type of the sender’s own, in Base64', 'ZRT', base64(document)],
    ['repetitions', 'FT', escaped(document).replaceAll('\\X0D\\\\.br\\', '~')],
  ] as const) {
    it(`is words, and kept, in ${where}`, () => {
      const report = readRows(obx(type, value));
      expect(report.body).to.equal(lines.join('\n'));
      expect(types(report)).to.deep.equal(['application/rtf']);
      expect(bytesOf(report)).to.match(/^\{\\{1,2}rtf1/);
    });
  }

  it('is one document in several rows', () => {
    const inBase64 = pieces(base64(document), 50).map((piece) =>
      obx('ED', `^TEXT^RTF^Base64^${piece}`, { 3: 'R', 4: '1' }),
    );
    const asText = document.split('\r\n').map((line) => obx('FT', escaped(line), { 3: 'R' }));
    for (const rows of [inBase64, asText]) {
      const report = readRows(...rows, obx('FT', 'Behind it.', { 3: 'R' }));
      expect([report.body, types(report)]).to.deep.equal([[...lines, 'Behind it.'].join('\n'), ['application/rtf']]);
    }
  });

  it('keeps letters that are no ASCII as RTF writes them', () => {
    const report = readRows(obx('FT', escaped('{\\rtf1 café ≥ 5}')));
    expect(report.body).to.equal('café ≥ 5');
    expect(bytesOf(report)).to.equal('{\\rtf1 caf{\\uc1\\u233?} {\\uc1\\u8805?} 5}');
    const utf8 = readRows(obx('ED', `^^RTF^Base64^${base64('{\\rtf1 café}')}`));
    const latin1 = readRows(obx('ED', `^^RTF^Base64^${Buffer.from('{\\rtf1 café}', 'latin1').toString('base64')}`));
    const marked = readRows(obx('ED', `^^RTF^Base64^${base64('\ufeff{\\rtf1 café}')}`));
    expect([utf8.body, latin1.body, marked.body]).to.deep.equal(['café', 'café', 'café']);
  });

  it('is words with the text before and behind it', () => {
    const report = readRows(obx('FT', escaped(`{\\rtf1 one\\par}two{\\rtf1 three}`)));
    expect(wordsIn(report.body)).to.deep.equal(['one', 'two', 'three']);
    const behind = readRows(obx('FT', escaped('Report: {\\rtf1 one\\par}')));
    expect(behind.body).to.equal('Report:\none');
    expect(bytesOf(behind)).to.equal('{\\rtf1 one\\par}');
  });
});

describe('HTML in a report', () => {
  const lines = ['X-RAY CHEST', 'Heart < 50% & clear.'];
  const page = html(lines);

  for (const [where, type, value] of [
    ['an ED in Base64', 'ED', `^TEXT^HTML^Base64^${base64(page)}`],
    ['an ED as text', 'ED', `^TEXT^HTML^A^${escaped(page)}`],
    ['an ED that says nothing', 'ED', escaped(page)],
    ['an ED that says nothing, in Base64', 'ED', base64(page)],
    ['an ED said to be plain', 'ED', `^TEXT^PLAIN^Base64^${base64(page)}`],
    ['an FT', 'FT', escaped(page)],
    ['a TX', 'TX', escaped(page)],
    ['an FT whose ampersands nobody escaped', 'FT', page],
    ['a TX in Base64', 'TX', base64(page)],
    ['a fragment', 'FT', 'X-RAY CHEST<BR>Heart \\T\\lt; 50% \\T\\amp; clear.'],
    ['tags as references', 'FT', escaped('&lt;p&gt;X-RAY CHEST&lt;/p&gt;\nHeart &amp;lt; 50% &amp;amp; clear.')],
  ] as const) {
    it(`is words, and kept, in ${where}`, () => {
      const report = readRows(obx(type, value));
      expect(report.body.replace(/\n+/g, '\n')).to.equal(lines.join('\n'));
      expect(types(report)).to.deep.equal(['text/html']);
    });
  }

  it('is one document in several rows, whose ends are line ends', () => {
    const report = readRows(
      ...['<p><b>CHEST', '</b></p>Clear.', 'Heart <a', 'href="x">normal</a>'].map((line) =>
        obx('FT', line, { 3: 'R' }),
      ),
    );
    expect([report.body, types(report)]).to.deep.equal(['CHEST\n\nClear.\nHeart normal', ['text/html']]);
  });

  it('is no plain text with brackets in it', () => {
    expect(readRows(obx('TX', 'Nodule <5 mm; a<b and c>d')).body).to.equal('Nodule <5 mm; a<b and c>d');
    expect(readRows(obx('TX', '5 \\T\\lt; 6 \\T\\#176; R\\T\\D')).body).to.equal('5 < 6 ° R&D');
  });

  it('is the narrative of a CDA, with the file that it holds', () => {
    const cda = (body: string) =>
      `<?xml version="1.0"?><ClinicalDocument><id root="1.2"/><component>${body}</component></ClinicalDocument>`;
    const written = readRows(
      obx('ED', `^multipart^x-hl7-cda-level-one^A^${escaped(cda('<section><text>Clear.</text></section>'))}`),
    );
    expect([written.body, types(written)]).to.deep.equal(['Clear.', ['text/xml']]);
    const held = cda(
      `<nonXMLBody><text mediaType="application/pdf" representation="B64">${base64(pdf())}</text></nonXMLBody>`,
    );
    const report = readRows(obx('ED', `^TEXT^XML^Base64^${base64(held)}`));
    expect(types(report)).to.deep.equal(['text/xml', 'application/pdf']);
    expect(report.body).to.equal('');
  });

  it('is the words of any other XML only where the report has no others', () => {
    const xml = obx('ED', `^TEXT^XML^A^${escaped('<r><code>7</code><t>Clear.</t></r>')}`);
    expect(wordsIn(readRows(xml).body)).to.include('Clear');
    expect(readRows(xml, obx('TX', 'Text.')).body).to.equal('Text.');
  });
});

describe('plain words in a report', () => {
  for (const [where, value] of [
    ['alone', 'Chest, PA view.\\.br\\Clear.'],
    ['with bare separators', 'Chest, PA view.\\.br\\Clear.^ C5^C6'],
    ['in the second component', '^Chest, PA view.\\.br\\Clear.'],
    ['behind a type without the other parts', 'TEXT^Chest, PA view.\\.br\\Clear.'],
    ['in Base64 without a type', `^^^Base64^${base64('Chest, PA view.\nClear.')}`],
    ['in Base64 alone', base64('Chest, PA view.\nClear.')],
    ['as a .txt', `RIS^^.txt^Base64^${base64('Chest, PA view.\nClear.')}`],
    ['in Base64 of UTF-16', `^^.txt^Base64^${base64(Buffer.from('\ufeffChest, PA view.\nClear.', 'utf16le'))}`],
  ] as const) {
    it(`are the report where an ED has them ${where}`, () => {
      const report = readRows(obx('ED', value));
      expect(report.body.replace('^', '')).to.contain('Chest, PA view.\nClear.');
      expect(report.attachments).to.deep.equal([]);
    });
  }

  it('are one text where an ED in Base64 breaks off within a word or a row', () => {
    const text = 'The heart is normal in size and shape, the lungs are clear and well expanded.';
    for (const length of [7, 20, 30]) {
      const rows = pieces(base64(text), length).map((piece) => obx('ED', `^TEXT^PLAIN^Base64^${piece}`, { 4: '1' }));
      expect(readRows(...rows).body, String(length)).to.equal(text);
    }
  });

  it('are the report where they are called a program’s file, if there are no others', () => {
    const file = obx('ED', `^application^msword^Base64^${base64('Lungs clear.')}`);
    expect(readRows(file)).to.deep.include({ body: 'Lungs clear.' });
    expect(readRows(file, obx('TX', 'Text.')).body).to.equal('Text.');
    expect(types(readRows(file))).to.deep.equal(['application/octet-stream']);
  });

  it('are two texts where each ED is whole', () => {
    const row = (text: string) => obx('ED', `^TEXT^PLAIN^Base64^${base64(text)}`, { 4: '1' });
    expect(readRows(row('Lungs are clear.'), row('Heart normal.')).body).to.equal('Lungs are clear.\nHeart normal.');
  });

  it('stay what they are where they only look like Base64', () => {
    for (const text of [
      'Unremarkable',
      'NoAcuteAbnormality',
      'AAAABBBBCCCC',
      'Normalstudyofthechest',
      'aaaa'.repeat(20),
    ]) {
      expect(readRows(obx('TX', text))).to.deep.include({ body: text, attachments: [] });
    }
  });
});

describe('rows that say how far a report is', () => {
  it('are no text', () => {
    for (const row of [
      obx('ST', 'REPORT_COMPLETE', { 3: 'STATUS' }),
      obx('ST', 'REPORT_COMPLETE'),
      obx('TX', 'COMPLETE', { 3: '^Status' }),
      obx('ST', '', { 3: 'REPORT_COMPLETE' }),
      obx('ST', 'report_complete', { 3: 'status' }),
      obx('CE', 'REPORT_COMPLETE^Report complete', { 3: 'STATUS' }),
    ]) {
      expect(readRows(row, obx('TX', 'Clear.')).body, row).to.equal('Clear.');
      expect(readRows(obx('TX', 'Clear.'), row).body, row).to.equal('Clear.');
    }
  });

  it('are text where they say more', () => {
    expect(readRows(obx('TX', 'Status quo.', { 3: 'STATUS' })).body).to.equal('Status quo.');
    expect(readRows(obx('TX', 'COMPLETE')).body).to.equal('COMPLETE');
  });

  it('keep their notes', () => {
    expect(readRows(obx('ST', 'REPORT_COMPLETE', { 3: 'STATUS' }), seg('NTE', { 3: 'note' })).body).to.equal('note');
  });
});
