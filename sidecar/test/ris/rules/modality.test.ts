import { expect } from 'chai';
import { knownModality, modalityInWords } from '../../../ris/rules/modality.ts';
import { readOrderMessage } from '../../../ris/rules/order.ts';
import { hl7, PID, seg, SETTINGS } from '../../support/hl7-messages.ts';

const WORDS: Readonly<Record<string, readonly string[]>> = {
  CT: ['CT FACIAL BONES/SINUSES & BRAIN', 'ct abdomen', 'Cat scan', 'CTPA', 'CT coronary angiogram', 'Computed tomography', 'CT-guided biopsy'],
  MR: ['MRI LEFT KNEE', 'MR angiogram', 'MRCP', 'Magnetic resonance imaging'],
  US: ['Ultrasound abdomen', 'U/S pelvis', 'US Guided injection', 'Doppler legs', 'Echocardiogram', 'ULTRA-SOUND'],
  XR: ['X-ray chest', 'XRAY HAND', 'x ray knee', 'CXR', 'Plain film abdomen', 'Chest radiograph'],
  MG: ['Mammogram bilateral', 'Digital mammography', 'X-ray mammography', 'Tomosynthesis'],
  BMD: ['DEXA', 'DXA spine', 'Bone density', 'Bone mineral densitometry', 'Dual energy x-ray absorptiometry'],
  RF: ['Fluoroscopy', 'Barium swallow'],
  NM: ['Nuclear medicine thyroid', 'Bone scan', 'V/Q', 'SPECT/CT', 'Sestamibi stress'],
  PT: ['PET', 'PET/CT whole body', 'PET MRI', 'FDG PET-CT'],
  PX: ['OPG', 'Orthopantomogram', 'OPG x-ray'],
  XA: ['Angiogram', 'Cerebral angiography', 'DSA'],
}; // prettier-ignore

describe('the modality in words', () => {
  for (const [modality, texts] of Object.entries(WORDS)) {
    for (const text of texts) {
      it(`is ${modality} in ${text}`, () => {
        expect(modalityInWords(text)).to.equal(modality);
        expect(knownModality(modality)).to.equal(modality);
      });
    }
  }

  it('is none in words that only begin like one, or that name several', () => {
    for (const text of ['', 'SKULL', 'Octreotide', 'USUAL REVIEW', 'Petrous bone', 'Direct view', 'Focus', 'Mammogram and ultrasound'])
      expect(modalityInWords(text), text).to.equal(null); // prettier-ignore
  });

  const read = (obr: Readonly<Record<number, string>>) => {
    const { orders, warnings } = readOrderMessage(
      hl7('ORM^O01', PID, 'ORC|NW', seg('OBR', { 18: 'A1', ...obr })),
      SETTINGS,
    );
    return [orders[0]?.study.modality, warnings.map(({ code }) => code).join()];
  };

  it('counts where no field has a code, by the text, the alternate text, then the code of OBR-4', () => {
    expect(read({ 4: 'X^CT head', 21: 'US' })).to.deep.equal(['US', '']);
    expect(read({ 4: 'X^CT head', 22: 'CR' })).to.deep.equal(['CR', '']);
    expect(read({ 4: 'X^CT head', 24: 'RAD' })).to.deep.equal(['CT', '']);
    expect(read({ 4: 'X^^L^Y^MRI knee' })).to.deep.equal(['MR', '']);
    expect(read({ 4: 'Ultrasound' })).to.deep.equal(['US', '']);
    expect(read({ 4: 'X^CT head', 24: '""' })).to.deep.equal([null, '']);
  });

  it('is warned of where it stays unknown', () => {
    expect(read({ 4: '57901^SKULL' })).to.deep.equal([undefined, 'modality-unknown']);
    expect(read({})).to.deep.equal([undefined, 'modality-unknown']);
  });
});
