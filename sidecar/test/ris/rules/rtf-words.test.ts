import { expect } from 'chai';
import fc from 'fast-check';
import { wordsOfRtf } from '../../../ris/rules/rtf-words.ts';
import { rtf, wordsIn } from '../../support/report-documents.ts';

const text = (body: string, bytes = true): string =>
  wordsOfRtf(`{\\rtf1\\ansi\\ansicpg1252${body}}`, bytes).text.trim();

describe('the words of RTF', () => {
  for (const [what, source, words] of [
    [
      'paragraphs, lines and tabs',
      ' one\\par two\\line three\\tab four\\par\\par five',
      'one\ntwo\nthree\tfour\n\nfive',
    ],
    ['line ends of the file as nothing', ' o\r\nne\npar', 'onepar'],
    ['a line end behind a backslash as a paragraph', ' one\\\ntwo', 'one\ntwo'],
    ['signs that RTF escapes', ' \\{a\\} \\\\ b', '{a} \\ b'],
    ['blanks and hyphens that do not break', ' 5\\~mm post\\_op un\\-sure', '5 mm post-op unsure'],
    [
      'quotes, dashes and bullets',
      ' \\ldblquote a\\rdblquote  it\\rquote s 4\\endash 5 \\emdash  \\bullet  b',
      '“a” it’s 4–5 — • b',
    ],
    ['bytes of the code page', " caf\\'e9 30\\'b0 4\\'d75 5\\'B5m \\'93a\\'94", 'café 30° 4×5 5µm “a”'],
    ['bytes that nobody escaped', ' caf\xe9 30\xb0', 'café 30°'],
    ['letters by number with one sign behind them', " \\u8805? 5 \\u233\\'e9 \\u-4051?x", '≥ 5 é −x'],
    [
      'letters by number with none or several signs behind them',
      " {\\uc0\\u8805 5}\\uc2\\u233\\'aa\\'bbx{\\u233 ab}y",
      '≥5éxéy',
    ],
    ['letters of two halves', ' \\u-10179?\\u-8704?', '😀'],
    ['nothing of half a letter', ' a\\u-10179?b', 'ab'],
    ['tables row by row', '\\trowd a\\cell b\\cell\\row\\trowd c\\cell d\\cell\\row e', 'a\tb\nc\td\ne'],
    [
      'no tables of fonts, colours and styles',
      '{\\fonttbl{\\f0 Arial;}}{\\colortbl;\\red0;}{\\stylesheet{\\s0 Normal;}} a',
      'a',
    ],
    ['no facts about the document', '{\\info{\\title T}{\\author A}}{\\*\\generator G;}{\\*\\unknown U{\\b V}} a', 'a'],
    ['no pictures', '{\\pict\\pngblip 89504e47}{\\*\\shppict{\\pict ffd8}}{\\nonshppict{\\pict 00}} a', 'a'],
    ['no bytes of pictures, whatever they are', '{\\pict\\bin5 }}}\\{} a', 'a'],
    ['no head and foot of the page beside words', '{\\header Clinic}{\\footer Page 1} a', 'a'],
    ['the head of the page where there is nothing else', '{\\header Clinic\\par Normal.}', 'Clinic\nNormal.'],
    ['fields by what they show', ' {\\field{\\*\\fldinst HYPERLINK "http://x"}{\\fldrslt link}} b', 'link b'],
    ['no hidden and deleted text', ' a{\\v hidden}b\\v c\\v0 d{\\deleted e}', 'abd'],
    [
      'numbers of lists, and bullets of symbol fonts',
      "{\\fonttbl{\\f1\\fcharset2 Symbol;}}{\\listtext\\f1\\'b7\\tab}a\\par{\\pntext 2.\\tab}b",
      '•\ta\n2.\tb',
    ],
    [
      'signs of symbol fonts',
      "{\\fonttbl{\\f0 Arial;}{\\f1\\fcharset2 Symbol;}}\\f0 5 {\\f1 m}m \\f1\\'b3\\f0 3 {\\f1\\u-3987\\'6d}l",
      '5 μm ≥3 μl',
    ],
    [
      'boxes that are ticked',
      "{\\fonttbl{\\f0 Arial;}{\\f1\\fcharset2 Wingdings;}}\\f1\\'fe\\f0  yes {\\f1\\'a8} no",
      '☑ yes ☐ no',
    ],
    ['text boxes', '{\\shp{\\*\\shpinst{\\sp{\\sn x}{\\sv y}}{\\shptxt in a box}}} a', 'in a box a'],
    ['what is written in two ways once', ' {\\upr{ansi?}{\\*\\ud unicode}} a', 'unicode a'],
    ['results of objects', '{\\object{\\*\\objclass X}{\\*\\objdata 00}{\\result shown}} a', 'shown a'],
    ['control words with numbers below zero and blanks behind them', '\\fi-360\\li720 a\\b0 b', 'ab'],
  ] as const) {
    it(`are ${what}`, () => {
      expect(text(source)).to.equal(words);
    });
  }

  for (const [page, bytes, words] of [
    ['\\ansicpg1250', "\\'e8\\'9a", 'čš'],
    ['\\ansicpg1251', "\\'cf\\'f0", 'Пр'],
    ['\\ansicpg1253', "\\'e1", 'α'],
    ['\\ansicpg437', "\\'e6\\'f8\\'f1", 'µ°±'],
    ['\\ansicpg850', "\\'82", 'é'],
    ['\\ansicpg932', "\\'83e\\'83X\\'83g", 'テスト'],
    ['\\ansicpg936', "\\'b7\\'ce", '肺'],
    ['\\ansicpg65001', "\\'c3\\'a9", 'é'],
    ['\\ansicpg99999', "\\'e9", 'é'],
    ['\\mac', "\\'8e", 'é'],
    ['\\pc', "\\'82", 'é'],
    ['{\\fonttbl{\\f0 A;}{\\f1\\fcharset238 B;}}\\f1', "\\'e8\\f0\\'e8", 'čè'],
    ['{\\fonttbl{\\f0 A;}{\\f1\\fcharset204 B;}}', "{\\f1\\'cf}\\'e9\\plain\\'e9", 'Пéé'],
  ] as const) {
    it(`are letters of their code page: ${page}`, () => {
      expect(text(`${page} ${bytes}`)).to.equal(words);
    });
  }

  it('tell what is in bold where a line begins', () => {
    const { bold } = wordsOfRtf(
      '{\\rtf1{\\b CT BRAIN}\\par{\\b Findings:} none\\par no {\\b acute} change\\par\\b a\\b0}',
      true,
    );
    expect(bold).to.deep.equal(['CT BRAIN', 'Findings:', 'a']);
  });

  it('are all that was written, for any text', () => {
    const line = fc
      .string({ unit: 'grapheme', maxLength: 30 })
      .map((one) => one.replace(/[\p{Cc}\s\u00ad\ufeff\ufffd]+/gu, ' ').trim());
    fc.assert(
      fc.property(
        fc.array(
          line.filter((one) => one !== ''),
          { minLength: 1, maxLength: 5 },
        ),
        (lines) => {
          expect(wordsOfRtf(rtf(lines), false).text).to.equal(lines.join('\n').toWellFormed());
        },
      ),
      { numRuns: 500 },
    );
  });

  it('come of anything that begins as RTF, without control characters or U+FFFD', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '\\',
      "\\'",
      "\\'e9",
      "\\'83",
      '\\u',
      '\\u-1?',
      '\\uc0',
      '\\bin3 ',
      '\\par',
      '\\*',
      '\\fonttbl',
      '\\f1',
      '\\upr',
      '\\ud',
      ';',
      'a',
      ' ',
      '\xe9',
      '\0',
      '\\ansicpg932',
      '\\v',
      '\\pict',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.boolean(), (pieces, bytes) => {
        const read = wordsOfRtf(`{\\rtf1 ${pieces.join('')}`, bytes);
        expect(read.text).not.to.match(/[\p{Cc}--[\t\n]]|\ufffd/v);
        expect(read.text.isWellFormed()).to.equal(true);
        expect(read.end).to.be.at.most(7 + pieces.join('').length);
      }),
      { numRuns: 2000 },
    );
  });

  it('are read however deep their groups are, and if they never end', () => {
    const depth = 100_000;
    expect(text(`${'{'.repeat(depth)} a${'}'.repeat(depth)} b`)).to.equal('a b');
    expect(text(`${'{\\b '.repeat(depth)}a`)).to.equal('a');
    expect(wordsIn(wordsOfRtf(`{\\rtf1 a${'}'.repeat(depth)}`, true).text)).to.deep.equal(['a']);
  });

  it('are never longer than what they were read from', () => {
    for (const one of [
      '\\u233?',
      "\\'e9",
      '\\par',
      '\\tab',
      '{a}',
      '\\b a\\b0 ',
      '\\',
      "\\'",
      '{\\f1',
      '{\\fonttbl{\\f1 a;}}',
      "\\'83",
    ]) {
      const source = one.repeat(Math.floor(200_000 / one.length));
      const begun = process.hrtime.bigint();
      const read = text(`\\ansicpg932 ${source}`);
      process.stdout.write(`      ${one}: ${Number((process.hrtime.bigint() - begun) / 1_000_000n)} ms\n`);
      expect(read.length).to.be.at.most(source.length);
    }
  });
});
