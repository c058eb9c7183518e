import { expect } from 'chai';
import fc from 'fast-check';
import { decodeEntities } from '../../../ris/rules/html-entities.ts';
import { isEscapedHtml, looksLikeHtml, wordsOfHtml } from '../../../ris/rules/html-words.ts';
import { html } from '../../support/report-documents.ts';

const text = (source: string, keepLines = false): string => wordsOfHtml(source, keepLines).text;

describe('the words of HTML', () => {
  for (const [what, source, words] of [
    ['lines where it breaks them', 'one<br>two<BR/>three<br />four', 'one\ntwo\nthree\nfour'],
    [
      'lines where blocks are',
      '<div>one</div><div>two</div>three<p>four</p><p>five',
      'one\ntwo\nthree\n\nfour\n\nfive',
    ],
    ['words that tags within them do not part', 'pneu<b>mo</b>nia <i>a</i> <u>b</u>', 'pneumonia a b'],
    ['one blank where there are several', ' a \r\n  b\t<b> c </b> d', 'a b c d'],
    ['all blanks where they count', '<pre>a\n  b</pre>c', 'a\n  b\nc'],
    ['tables row by row', '<table><tr><th>a</th><th>b</th></tr><tr><td>c<td>d</tr></table>', 'a\tb\nc\td'],
    ['lists item by item', '<ul><li>a</li><li>b</ul>c', 'a\nb\n\nc'],
    [
      'no scripts, styles and heads',
      '<head><title>t</title></head><style>a<b</style ><script>if (a<b) "</p>"</script>a<script src="x"/>b',
      'ab',
    ],
    ['no remarks and declarations', '<!DOCTYPE html><?xml version="1.0"?>a<!-- b > c -->d', 'ad'],
    [
      'letters that are named',
      '&lt;5&nbsp;mm &amp; &#233; &#xe9; &eacute; &micro;m &ge;3 &plusmn;1 &deg; &#150; &rsquo;',
      '<5 mm & é é é µm ≥3 ±1 ° – ’',
    ],
    ['names that are none', 'R&D &nope; &; &#0; &#xd800; & a', 'R&D &nope; &; &#0; &#xd800; & a'],
    ['signs that begin no tag', 'a < b, <5 mm, x<-1, <', 'a < b, <5 mm, x<-1, <'],
    ['a tag that never ends', 'a <b c', 'a <b c'],
    ['attributes with brackets in them', '<a href="x?a=1&b=2" title="a > b">c</a>d', 'cd'],
    ['tags of a namespace', '<x:p>a</x:p><w:br/>b', 'a\n\nb'],
    ['CDATA as text', '<p><![CDATA[a b]]></p>', 'a b'],
  ] as const) {
    it(`are ${what}`, () => {
      expect(text(source)).to.equal(words);
    });
  }

  it('keep the lines of a text that has none of its own', () => {
    expect(text('<b>one</b>\ntwo &amp;\r\nthree', true)).to.equal('one\ntwo &\nthree');
  });

  it('are the titles and narrative of a CDA alone', () => {
    const cda =
      '<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3"/><patient><given>Jane</given></patient>' +
      '<title>CT</title><component><section><code code="1"/><title>Findings</title><text><paragraph>No <content>nodule</content>.' +
      '</paragraph></text></section></component></ClinicalDocument>';
    expect(text(cda)).to.equal('CT\nFindings\n\nNo nodule.');
  });

  it('tell what is in bold where a line begins', () => {
    expect(wordsOfHtml('<h1>CT</h1><p><b>Findings:</b> none</p>no <b>acute</b> change').bold).to.deep.equal([
      'CT',
      'Findings:',
    ]);
  });

  it('are found in what is HTML, and in no other text', () => {
    for (const one of [
      '<p>a',
      'a<br>b',
      'a</b>',
      '<HTML>',
      '<!doctype html>',
      ' <?xml?>',
      '<p class="x">a',
      '<br />',
    ]) {
      expect(looksLikeHtml(one), one).to.equal(true);
    }
    for (const one of [
      '',
      'a',
      '<5 mm',
      'a<b and c>d',
      'T1<p and so on',
      '<addendum>',
      '->',
      'x < y > z',
      '<p and q>',
    ]) {
      expect(looksLikeHtml(one), one).to.equal(false);
    }
    expect(isEscapedHtml('&lt;p&gt;a&lt;/p&gt;')).to.equal(true);
    expect(isEscapedHtml('a &lt; b &gt; c')).to.equal(false);
  });

  it('are all that was written, for any text', () => {
    const line = fc
      .string({ unit: 'grapheme', maxLength: 30 })
      .map((one) => one.replace(/[\p{Cc}\s\u00ad\ufeff\u2028\u2029]+/gu, ' ').trim())
      .filter((one) => one !== '' && !/&#?\w+;/.test(one));
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 5 }), (lines) => {
        expect(text(html(lines))).to.equal(lines.join('\n').toWellFormed());
      }),
      { numRuns: 500 },
    );
  });

  it('come of anything, never longer than it', () => {
    const piece = fc.constantFrom(
      '<',
      '>',
      '</',
      '<a',
      '<p>',
      '<br',
      '"',
      "'",
      '=',
      '&',
      '&lt;',
      '&#',
      '<!--',
      '-->',
      '<script>',
      '</script>',
      '<pre>',
      'a',
      ' ',
      '\n',
      '<td>',
      '/>',
      '<![CDATA[',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const source = pieces.join('');
        expect(text(source).length).to.be.at.most(source.length);
      }),
      { numRuns: 2000 },
    );
    for (const one of [
      '<',
      '<a ',
      '<a b="',
      '<a b="x>',
      '<b>',
      '</p>',
      '&lt;',
      '<!--',
      '<script>',
      '<a =',
      '<td>',
      '<pre>\n',
      '</a ',
      '&lt;p ',
    ]) {
      const source = one.repeat(Math.floor(200_000 / one.length));
      const begun = process.hrtime.bigint();
      const read = text(source);
      looksLikeHtml(source);
      isEscapedHtml(source);
      process.stdout.write(`      ${one.trim()}: ${Number((process.hrtime.bigint() - begun) / 1_000_000n)} ms\n`);
      expect(read.length).to.be.at.most(source.length);
    }
  });
});

describe('character references', () => {
  it('are letters where they name one, and stay where they do not', () => {
    expect(decodeEntities('&lt;&#60;&#x3C;&apos;&Alpha;&constructor;&#99999999;&#1114112;')).to.equal(
      "<<<'Α&constructor;&#99999999;&#1114112;",
    );
  });
});
