import { expect } from 'chai';
import { STRICT, type RisStudy, type StoredStudy } from '../../../linking/rules/match.ts';
import { movedBy } from '../../../linking/rules/moved.ts';

const ORDER: RisStudy = {
  ...{
    id: 's1',
    patientRef: '1',
    accessionNumber: 'ACC1',
    studyInstanceUid: '',
    patientIds: [{ id: 'P1', issuer: '' }],
  },
  ...{ patientName: 'Doe^Jane', birthDate: '1980-02-03', studyDate: null, modality: 'CT', cancelled: false },
};

const study = (decidedBy: string, named: boolean): StoredStudy => ({
  id: '1',
  seen: {
    studyInstanceUid: '1.2.3',
    modalities: ['CT'],
    tags: [
      {
        ...{ accessionNumbers: ['ACC1'], patientId: { id: named ? 'P1' : '', issuer: '' }, patientName: '', sex: null },
        ...{ birthDate: null, studyDate: null, callingAeTitles: ['MR2', 'CT1'] },
      },
    ],
  },
  standing: { studyId: 's1', status: 'linked', rule: 'accession', reason: null, candidateIds: ['s1'], decidedBy },
});

describe('what another policy would move', () => {
  it('says from what to what, why, and who sent it', () => {
    expect(movedBy(study('rules', false), [ORDER], STRICT)).to.deep.equal({
      ...{ from: 'linked', to: 'review', cause: 'nothing-to-compare', callingAeTitles: 'CT1 MR2' },
    });
    const elsewhere = { ...ORDER, id: 's2' };
    expect(movedBy(study('rules', true), [elsewhere], STRICT)).to.include({ to: 'linked', cause: 'accession' });
  });

  it('is nothing of what stands, and of what a person decided', () => {
    expect(movedBy(study('rules', true), [ORDER], STRICT)).to.equal(null);
    expect(movedBy(study('Ann', false), [ORDER], STRICT)).to.equal(null);
    expect(movedBy({ ...study('rules', false), standing: null }, [ORDER], STRICT)).to.equal(null);
  });
});
