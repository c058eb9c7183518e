import { expect } from 'chai';
import { STRICT, type RisStudy, type SeenStudy, type SeenTags } from '../../../linking/rules/match.ts';
import { contestedIn, differences, shownOf } from '../../../linking/rules/contested.ts';

const JANE = { patientName: 'Doe^Jane', birthDate: '1980-02-03', sex: 'F' };
const MAX = { patientName: 'Roe^Max', birthDate: '1950-01-01', sex: 'M' };
const PAUL = { patientName: 'Poe^Paul', birthDate: '1960-06-06', sex: 'M' };

const part = (id: string, over: Partial<SeenTags> = {}): SeenTags => ({
  ...{ accessionNumbers: [''], patientId: { id, issuer: '' }, ...JANE, studyDate: null, ...over },
});
const seen = (...tags: readonly SeenTags[]): SeenStudy => ({ studyInstanceUid: '1.2.3', modalities: ['CT'], tags });
const order = (id: string, over: Partial<RisStudy> = {}): RisStudy => ({
  ...{ id: 's1', accessionNumber: 'ACC1', studyInstanceUid: '', patientRef: id, patientIds: [{ id, issuer: '' }] },
  ...{ ...JANE, studyDate: null, modality: 'CT', cancelled: false, ...over },
});
const contested = (before: readonly [SeenStudy, RisStudy], after: readonly [SeenStudy, ...RisStudy[]]) => {
  const [study, ...ris] = after;
  return contestedIn(study, ['s1'], ris, shownOf(before[0], [before[1]]), STRICT);
};

describe('a person’s link is contested', () => {
  const [janes, hers] = [seen(part('P1')), order('P1')];

  it('in nothing while nothing changed, or what changed does not contradict', () => {
    expect(contested([janes, hers], [janes, hers])).to.deep.equal([]);
    expect(contested([janes, hers], [janes, order('P1', { patientName: 'Smith^Jane' })])).to.deep.equal([]);
    expect(contested([janes, hers], [seen(part('P1'), part('P1', { patientName: '' })), hers])).to.deep.equal([]);
  });

  it('where the order is another patient’s', () => {
    const all = ['patient-id', 'name', 'birth-date', 'sex'];
    expect(contested([janes, hers], [janes, order('P2', MAX)])).to.deep.equal(all);
  });

  it('where other images came, that contradict the order or those that were shown', () => {
    const others = part('P2', MAX);
    expect(contested([janes, hers], [seen(part('P1'), others), hers])).to.include('name');
    const silent = order('P1', { patientIds: [], patientName: '', birthDate: null, sex: null });
    expect(contested([janes, silent], [seen(part('P1'), others), silent])).to.include('birth-date');
  });

  it('where other images name the order of another study', () => {
    const other = order('P1', { id: 's2', accessionNumber: 'ACC2' });
    const series = part('P1', { accessionNumbers: ['acc2'] });
    expect(contested([janes, hers], [seen(part('P1'), series), hers, other])).to.deep.equal(['accession-number']);
    expect(contested([janes, hers], [seen(part('P1'), series), hers])).to.deep.equal([]);
    expect(contested([seen(series), hers], [seen(series), hers, other])).to.deep.equal([]);
  });

  it('in nothing that the person saw to differ, but in what is new', () => {
    const his = order('P2', MAX);
    expect(contested([janes, his], [janes, his])).to.deep.equal([]);
    expect(contested([janes, his], [seen(part('P1', { patientName: 'DOE^JANE' })), his])).to.deep.equal([]);
    expect(contested([janes, his], [janes, order('P3', PAUL)])).to.include('name');
    const nameless = order('P2', { ...MAX, birthDate: null });
    expect(contested([janes, nameless], [janes, his])).to.include('birth-date');
    expect(contested([janes, his], [janes, hers])).to.deep.equal([]);
  });

  it('in all that differs now where nobody was shown it', () => {
    expect(contestedIn(janes, ['s1'], [hers], null, STRICT)).to.deep.equal([]);
    expect(contestedIn(janes, ['s1'], [order('P2', MAX)], null, STRICT)).to.include('patient-id');
    expect(differences(janes, [order('P2', MAX)], STRICT)).to.deep.equal(['patient-id', 'name', 'birth-date', 'sex']);
  });
});
