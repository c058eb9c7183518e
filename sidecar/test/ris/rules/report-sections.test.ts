import { expect } from 'chai';
import fc from 'fast-check';
import { sectionsOf } from '../../../ris/rules/report-sections.ts';
import { base64, html, obx, readRows, rtf, wordsIn } from '../../support/report-documents.ts';

const kinds = (body: string, bold: readonly string[] = []) =>
  sectionsOf(body, bold).map(({ heading, kind, text }) => [heading, kind, text]);

describe('the sections of a report', () => {
  it('are found by the headings that radiologists use', () => {
    const body = [
      'CT BRAIN', '', 'Clinical indication: Fall.', 'Technique: Helical scan.', 'Comparison: None.',
      'Findings:', 'No haemorrhage.', 'No fracture.', '', 'Conclusion: Normal study.', 'Recommendation: None.',
    ].join('\n'); // prettier-ignore
    expect(kinds(body)).to.deep.equal([
      ['', 'other', 'CT BRAIN'],
      ['Clinical indication', 'history', 'Fall.'],
      ['Technique', 'technique', 'Helical scan.'],
      ['Comparison', 'comparison', 'None.'],
      ['Findings', 'findings', 'No haemorrhage.\nNo fracture.'],
      ['Conclusion', 'impression', 'Normal study.'],
      ['Recommendation', 'recommendation', 'None.'],
    ]);
  });

  for (const [line, kind] of [
    ['CLINICAL HISTORY:', 'history'],
    ['Clinical notes', 'history'],
    ['Clinical Details :', 'history'],
    ['History:', 'history'],
    ['Indication:', 'history'],
    ['Reason for examination:', 'history'],
    ['PROCEDURE:', 'technique'],
    ['Protocol', 'technique'],
    ['Comparison studies:', 'comparison'],
    ['FINDINGS', 'findings'],
    ['Report:', 'findings'],
    ['IMPRESSION', 'impression'],
    ['Opinion:', 'impression'],
    ['Summary', 'impression'],
    ['COMMENT:', 'impression'],
    ['Interpretation:', 'impression'],
    ['Recommendations:', 'recommendation'],
    ['Follow-up:', 'recommendation'],
  ] as const) {
    it(`begin with ${line}, which is ${kind}`, () => {
      expect(kinds(`Title\n  ${line}\nText.`).at(-1)).to.deep.equal([line.replace(/\s*:$/, ''), kind, 'Text.']);
    });
  }

  it('begin in capitals with text in the same line', () => {
    expect(kinds('FINDINGS The lungs are clear.\nIMPRESSION - Normal.')).to.deep.equal([
      ['FINDINGS', 'findings', 'The lungs are clear.'],
      ['IMPRESSION', 'impression', 'Normal.'],
    ]);
  });

  it('do not begin within a sentence', () => {
    for (const body of [
      'The findings: none.', 'Findings are consistent with pneumonia.', 'History of fall.', 'FINDINGS CONSISTENT WITH PNEUMONIA',
      'Comparison is made with 2024.', 'Report dictated by Dr A.', 'Summary of care follows', 'Follow-up in 6 months.',
    ]) {
      expect(kinds(body)).to.deep.equal([['', 'other', body]]);
    } // prettier-ignore
  });

  it('are found by lines in bold too', () => {
    expect(kinds('CT\nLiver\nNormal.\nBones: intact.', ['CT', 'Liver', 'Bones:'])).to.deep.equal([
      ['CT', 'other', ''],
      ['Liver', 'other', 'Normal.'],
      ['Bones', 'other', 'intact.'],
    ]);
    const source = '{\\rtf1{\\b Conclusion}\\par Normal.\\par{\\b Kidneys:} clear {\\b and} smooth.\\par}';
    const { sections } = readRows(obx('ED', `^^RTF^Base64^${base64(source)}`));
    expect(sections).to.deep.equal([
      { heading: 'Conclusion', kind: 'impression', text: 'Normal.' },
      { heading: 'Kidneys', kind: 'other', text: 'clear and smooth.' },
    ]);
    const page = readRows(obx('FT', '<b>Findings</b><br>None.<p><strong>Impression:</strong> Normal.</p>'));
    expect(page.sections.map(({ heading, kind }) => [heading, kind])).to.deep.equal([
      ['Findings', 'findings'],
      ['Impression', 'impression'],
    ]);
  });

  it('are one where there are no headings, and none of nothing', () => {
    expect(kinds('No fracture.\nDr A')).to.deep.equal([['', 'other', 'No fracture.\nDr A']]);
    expect(sectionsOf('')).to.deep.equal([]);
  });

  it('have all words of the body in its order, for any text', () => {
    const heading = fc.constantFrom(
      'Findings:',
      'IMPRESSION',
      'Clinical history :',
      'Comparison',
      'Liver',
      'CT BRAIN',
      '',
    );
    const line = fc
      .tuple(heading, fc.string({ unit: 'grapheme', maxLength: 12 }), fc.constantFrom('', ' ', ': ', ' - '))
      .map(([name, rest, between]) => `${name}${between}${rest}`);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.array(heading), (lines, bold) => {
        const sections = sectionsOf(lines.join('\n'), bold);
        expect(wordsIn(sections.map((one) => `${one.heading}\n${one.text}`).join('\n'))).to.deep.equal(
          wordsIn(lines.join('\n')),
        );
      }),
      { numRuns: 1000 },
    );
    for (const wrapped of [rtf, html]) {
      const { body, sections } = readRows(
        obx('ED', `^^TXT^Base64^${base64(wrapped(['Findings: a', 'Impression', 'b']))}`),
      );
      expect(wordsIn(sections.map((one) => `${one.heading} ${one.text}`).join(' '))).to.deep.equal(wordsIn(body));
    }
  });
});
