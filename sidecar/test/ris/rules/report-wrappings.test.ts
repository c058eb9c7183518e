import { expect } from 'chai';
import fc from 'fast-check';
import { base64, escaped, html, obx, readRows, rtf, wordsIn } from '../../support/report-documents.ts';

/** A way in which a text can come, as the rows of a report. */
type Wrapping = (lines: readonly string[]) => string[];

const inPieces = (data: string, length: number): string[] => data.match(new RegExp(`.{1,${length}}`, 'gs')) ?? [];
const ed = (named: string, data: string, more = {}): string => obx('ED', `RIS^${named}^Base64^${base64(data)}`, more);
const cut = (named: string, data: string): string[] =>
  inPieces(base64(data), 60).map((piece) => obx('ED', `^${named}^Base64^${piece}`, { 3: 'R^Report', 4: '1' }));

const WRAPPINGS: Readonly<Record<string, Wrapping>> = {
  'a row of text for each line': (lines) => lines.map((line) => obx('TX', escaped(line))),
  'one row of text with line ends': (lines) => [obx('FT', escaped(lines.join('\n')))],
  'one row of text with a repetition for each line': (lines) => [obx('TX', lines.map(escaped).join('~'))],
  'a row of a type of the sender’s own': (lines) => [obx('ZZ', escaped(lines.join('\n')))],
  'an ED as text': (lines) => [obx('ED', `^TEXT^PLAIN^A^${escaped(lines.join('\n'))}`)],
  'an ED that says nothing': (lines) => [obx('ED', escaped(lines.join('\n')))],
  'an ED in Base64': (lines) => [ed('TEXT^PLAIN', lines.join('\r\n'))],
  'an ED in Base64 without a type': (lines) => [ed('^', lines.join('\n'))],
  'RTF in FT': (lines) => [obx('FT', escaped(rtf(lines)))],
  'RTF in ST': (lines) => [obx('ST', escaped(rtf(lines)))],
  'RTF in several rows': (lines) =>
    rtf(lines)
      .split('\r\n')
      .map((one) => obx('FT', escaped(one))),
  'RTF in Base64': (lines) => [ed('TEXT^RTF', rtf(lines))],
  'RTF in Base64 in TX': (lines) => [obx('TX', base64(rtf(lines)))],
  'RTF in Base64 in several rows': (lines) => cut('^.rtf', rtf(lines)),
  'HTML in FT': (lines) => [obx('FT', escaped(html(lines)))],
  'HTML in Base64': (lines) => [ed('TEXT^HTML', html(lines))],
  'HTML in Base64 that is said to be plain': (lines) => [ed('TEXT^PLAIN', html(lines))],
  'notes of a row': (lines) => [obx('TX', ''), ...lines.map((line) => `NTE|||${escaped(line)}`)],
  'several forms at once': (lines) => [ed('TEXT^HTML', html(lines)), ed('TEXT^RTF', rtf(lines))],
  'display segments': (lines) => [
    obx('FT', escaped(html(lines)), { 3: 'HTML^Display format in HTML^AUSPDI' }),
    obx('ED', `^^rtf^Base64^${base64(rtf(lines))}`, { 3: 'RTF^Display format in RTF^AUSPDI' }),
  ],
};

// What radiologists write, and signs that one form or another escapes.
const word = fc.oneof(
  fc.constantFrom(
    'Lungs',
    'clear.',
    '5 mm',
    '< 5%',
    '> 3',
    'R&D',
    'C5/6',
    'café-au-lait',
    '30°',
    '4×5',
    'µm',
    '“quoted”',
    '≥',
  ),
  fc.constantFrom(
    '\\',
    '{',
    '}',
    '|',
    '^',
    '~',
    '&',
    '"',
    "'",
    'é',
    'Nguyễn',
    '肺',
    '😀',
    'No',
    'nodule',
    'T1<T2',
    'a;b',
    'x=y',
    '#',
  ),
  fc.string({
    unit: fc.constantFrom('a', 'B', '7', '-', '.', ',', '(', ')', '%', '+', '/', '*', '='),
    minLength: 1,
    maxLength: 6,
  }),
);
const line = fc.array(word, { minLength: 1, maxLength: 8 }).map((words) => words.join(' '));
const text = fc.array(line, { minLength: 1, maxLength: 5 }).filter((lines) => wordsIn(lines.join(' ')).length > 0);

describe('whatever text a report has', () => {
  for (const [wrapping, wrap] of Object.entries(WRAPPINGS)) {
    it(`is its body, once and readable, from ${wrapping}`, () => {
      fc.assert(
        fc.property(text, (lines) => {
          const { body } = readRows(...wrap(lines));
          const flat = (one: string): string => one.replace(/\s+/g, ' ').trim();
          if (wrapping === 'a row of a type of the sender’s own') {
            expect(wordsIn(body)).to.deep.equal(wordsIn(lines.join('\n')));
          } else expect(flat(body)).to.equal(flat(lines.join('\n')));
        }),
        { numRuns: 200 },
      );
    });
  }

  it('is its body where it is the name of an encoding', () => {
    expect(readRows(obx('ED', 'a')).body).to.equal('a');
  });

  it('is its body, whatever else is in the report', () => {
    const other = fc.constantFrom(
      obx('ED', `^application^pdf^Base64^${base64('%PDF-1.4\n1\n%%EOF\n')}`),
      obx('TX', base64('%PDF-1.4\n1\n%%EOF\n'), { 3: 'PDF' }),
      obx('RP', 'https://ris/1?a=1&b=2', { 3: 'LINK' }),
      obx('ST', 'REPORT_COMPLETE', { 3: 'STATUS' }),
      obx('ED', '', { 3: 'X' }),
    );
    fc.assert(
      fc.property(
        text,
        fc.constantFrom(...Object.values(WRAPPINGS)),
        fc.array(other),
        fc.array(other),
        (lines, wrap, before, behind) => {
          const { body } = readRows(...before, ...wrap(lines), ...behind);
          expect(wordsIn(body)).to.deep.equal(wordsIn(lines.join('\n')));
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('a very large report', () => {
  const SIZE = 2_000_000;
  const fill = (one: string): string => one.repeat(Math.ceil(SIZE / one.length));
  for (const [what, rows] of [
    ['RTF that only opens groups', () => [obx('FT', escaped(`{\\rtf1 ${fill('{')}`))]],
    ['RTF of letters by number', () => [obx('ED', `^^RTF^Base64^${base64(`{\\rtf1 ${fill("\\'e9\\u233?")}}`)}`)]],
    ['RTF that begins again and again', () => [obx('ED', `^^RTF^Base64^${base64(fill('{\\rtf1 a}'))}`)]],
    ['HTML of tags that do not end', () => [obx('ED', `^^HTML^Base64^${base64(fill('<p <a href="'))}`)]],
    ['HTML that escapes itself', () => [obx('ED', `^^HTML^Base64^${base64(fill('&amp;lt;p&gt;'))}`)]],
    [
      'Base64 of Base64 of Base64',
      () => [
        obx(
          'TX',
          Array.from({ length: 8 }).reduce<string>((data) => base64(data), fill('a b ').slice(0, 200_000)),
        ),
      ],
    ],
    [
      'a PDF in very many rows',
      () =>
        (base64(`%PDF-1.4 ${fill('a')} %%EOF`).match(/.{1,200}/g) ?? []).map((one) => obx('ED', `^^PDF^Base64^${one}`)),
    ],
    ['rows of HTML', () => Array.from({ length: 15_000 }, (_, index) => obx('TX', `<b>${index}</b> &lt;`))],
    [
      'words that all are the same in rows and RTF',
      () => [
        obx('TX', fill('a ').slice(0, 900_000)),
        obx('ED', `^^RTF^Base64^${base64(`{\\rtf1 ${fill('a ').slice(0, 500_000)}b}`)}`),
      ],
    ],
  ] as const) {
    it(`does not grow: ${what}`, () => {
      const all = rows();
      const size = all.reduce((sum, row) => sum + row.length, 0);
      const begun = process.hrtime.bigint();
      const { body, attachments, sections } = readRows(...all);
      process.stdout.write(`      ${size} letters: ${Number((process.hrtime.bigint() - begun) / 1_000_000n)} ms\n`);
      expect(body.length).to.be.at.most(size);
      expect(attachments.reduce((sum, one) => sum + one.base64.length, 0)).to.be.at.most(size * 2);
      expect(sections.reduce((sum, one) => sum + one.heading.length + one.text.length, 0)).to.be.at.most(size);
    });
  }
});
