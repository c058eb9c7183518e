import { expect } from 'chai';
import { SENDER, senderWarnings } from '../../../texts/rules/sender.ts';
import { DEFAULT_TEMPLATE, smsText } from '../../../texts/rules/wording.ts';

const NAMED = '{practice}: your {modality} results are ready! View: {url}';
const seen = (from: string | undefined, template: string, practice?: string): string[] =>
  senderWarnings({ from, template, practice }).map((warning) => warning.seen);

describe('who texts come from', () => {
  it('is a number, a short code or a name that can be a sender', () => {
    for (const from of ['+61400000000', '61400000000', '12345', 'AXIS', 'Axis Imagin', 'A1B'])
      expect(from).to.match(SENDER);
    for (const from of ['AxisImagingMelbourne', 'AB', '12', '           ', 'Axis-Imag', '+61 400 000 000', 'Áxis', ''])
      expect(from).not.to.match(SENDER);
  });

  it('is warned of where it is a name, which nobody can answer', () => {
    expect(seen('AXIS', NAMED, 'Axis Imaging')).to.deep.equal([
      'texts come from a name, which nobody can answer STOP to',
    ]);
    expect(seen('+61400000000', NAMED, 'Axis Imaging')).to.deep.equal([]);
    expect(seen(undefined, NAMED, 'Axis Imaging')).to.deep.equal([]);
  });

  it('is warned of where the words do not say it', () => {
    expect(seen(undefined, DEFAULT_TEMPLATE)).to.deep.equal(['texts do not say who sends them']);
    expect(seen(undefined, DEFAULT_TEMPLATE, 'Axis')).to.deep.equal(['texts do not say who sends them']);
    expect(seen(undefined, 'AXIS IMAGING: your results {url}', 'Axis Imaging')).to.deep.equal([]);
  });

  it('is said in the text where the template has it', () => {
    const body = smsText({
      ...{ template: NAMED, modality: 'CT', portalUrl: 'https://portal.example.org/r' },
      ...{ accessionNumber: 'A1', practice: 'Axis Imaging' },
    });
    expect(body).to.equal('Axis Imaging: your CT results are ready! View: https://portal.example.org/r?ref=A1');
  });
});
