import { expect } from 'chai';
import { containsWords, wordsOnly } from '../../../ris/rules/same-words.ts';
import { seg } from '../../support/hl7-messages.ts';
import { base64, escaped, html, obx, pdf, readRows, rtf, types } from '../../support/report-documents.ts';

const LINES = ['X-RAY CHEST', 'Lungs are clear.', 'Heart < 50%.'];
const TEXT = LINES.join('\n');

const display = (code: string, type: string, value: string, subId = '1') =>
  obx(type, value, { 3: `${code}^Display format in ${code}^AUSPDI`, 4: subId });
const asText = display('TXT', 'FT', escaped(TEXT));
const asRtf = display('RTF', 'ED', `^application^rtf^Base64^${base64(rtf(LINES))}`);
const asHtml = display('HTML', 'FT', escaped(html([...LINES, 'Images'])));
const asPdf = display('PDF', 'ED', `^application^pdf^Base64^${base64(pdf())}`);

describe('a report in several forms', () => {
  for (const [what, rows, kept] of [
    ['plain words before HTML and PDF', [asHtml, asText, asPdf], ['text/html', 'application/pdf']],
    ['plain words wherever they stand', [asText, asPdf, asHtml], ['application/pdf', 'text/html']],
    ['plain words before RTF', [asRtf, asText], ['application/rtf']],
    ['RTF before HTML', [asHtml, asRtf], ['text/html', 'application/rtf']],
    ['RTF beside a PDF', [asPdf, asRtf], ['application/pdf', 'application/rtf']],
  ] as const) {
    it(`has the words once, and the rest beside them: ${what}`, () => {
      const report = readRows(...rows);
      expect(report.body).to.equal(TEXT);
      expect(types(report)).to.deep.equal(kept);
    });
  }

  it('has the words of HTML where there is nothing else', () => {
    expect(readRows(asHtml, asPdf).body).to.equal([...LINES, 'Images'].join('\n'));
    expect(readRows(asPdf).body).to.equal('');
  });

  it('has its words line by line too, whatever OBX-4 says', () => {
    const lines = LINES.map((line, index) => display('TXT', 'FT', escaped(line), String(index + 2)));
    expect(readRows(asHtml, ...lines).body).to.equal(TEXT);
    expect(readRows(...lines, asHtml).body).to.equal(TEXT);
  });

  it('keeps the older Australian form beside the words, and is read by it where it is alone', () => {
    const pit = display('PIT', 'FT', escaped(`~H${TEXT}`));
    const report = readRows(pit, asText);
    expect([report.body, types(report)]).to.deep.equal([TEXT, ['text/plain']]);
    expect(readRows(pit).body).to.contain(TEXT);
  });

  it('has rows beside the forms once, if those do not show them', () => {
    const row = obx('TX', 'Lungs are clear.', { 3: 'R' });
    const other = obx('NM', '4', { 3: 'L^Lesion', 6: 'mm' });
    expect(readRows(row, asText).body).to.equal(TEXT);
    expect(readRows(asText, other).body).to.equal(`${TEXT}\nLesion: 4 mm`);
  });

  it('is told by the alternate identifier too', () => {
    const alternate = (code: string, type: string, value: string) =>
      obx(type, value, { 3: `R^Report^L^${code}^^AUSPDI` });
    expect(
      readRows(alternate('HTML', 'FT', escaped(html(LINES))), alternate('TXT', 'FT', escaped('Other words.'))).body,
    ).to.equal('Other words.');
  });

  it('keeps the notes of each form', () => {
    expect(readRows(asHtml, seg('NTE', { 3: 'of the page' }), asText).body).to.equal(`of the page\n${TEXT}`);
  });
});

describe('a report that says the same in rows and documents', () => {
  const rows = LINES.map((line) => obx('TX', escaped(line)));
  const document = obx('ED', `^TEXT^RTF^Base64^${base64(rtf(LINES))}`);
  const page = obx('ED', `^TEXT^HTML^Base64^${base64(html(LINES))}`);

  it('has the words once', () => {
    for (const all of [
      [...rows, document],
      [document, ...rows],
      [...rows, page, document],
      [document, page],
      [page, document],
    ]) {
      expect(readRows(...all).body).to.equal(TEXT);
    }
    expect(types(readRows(...rows, page, document))).to.deep.equal(['text/html', 'application/rtf']);
  });

  it('has the words of whichever says more', () => {
    const more = obx('ED', `^TEXT^RTF^Base64^${base64(rtf(['Dear Doctor', ...LINES, 'Dr A Reader']))}`);
    expect(readRows(...rows, more).body).to.equal(`Dear Doctor\n${TEXT}\nDr A Reader`);
    expect(readRows(...rows, obx('TX', 'Addendum: none.'), document).body).to.equal(`${TEXT}\nAddendum: none.`);
  });

  it('has the words of both where they differ, and of rows that only are short', () => {
    expect(readRows(obx('TX', 'No'), document).body).to.equal(`No\n${TEXT}`);
    expect(readRows(obx('TX', 'Another text of the report.'), document).body).to.equal(
      `Another text of the report.\n${TEXT}`,
    );
    expect(readRows(obx('TX', 'Normal.'), obx('TX', 'Normal.')).body).to.equal('Normal.\nNormal.');
  });
});

describe('words within words', () => {
  it('are found one after the other, as whole words', () => {
    expect(wordsOnly('  Lungs: CLEAR.\nNo 5-mm nodule ')).to.equal('lungs clear no 5 mm nodule');
    expect(containsWords('a b a b a c', 'a b a c')).to.equal(true);
    expect(containsWords('normal study', 'norm')).to.equal(false);
    expect(containsWords('a b', 'a b c')).to.equal(false);
    expect(containsWords('a', '')).to.equal(true);
    expect(containsWords('a '.repeat(100_000), `${'a '.repeat(50_000)}b`)).to.equal(false);
  });
});
