import { expect } from 'chai';
import { decideLink } from '../../../linking/rules/match.ts';
import { JANE, order, seen, STRANGER, tags, UNKNOWN } from '../../support/match-cases.ts';

describe('linking by accession number', () => {
  it('links, comparing trimmed, without control characters and without case', () => {
    expect(decideLink(seen({ accessionNumber: ' acc1\0 ' }), [order()])).to.deep.equal({
      status: 'linked',
      rule: 'accession',
      studyId: 's1',
      candidateIds: ['s1'],
    });
  });

  it('sends it to review where the images say nothing of the patient', () => {
    expect(decideLink(seen({ accessionNumber: 'ACC1', ...UNKNOWN }), [order()])).to.deep.equal({
      status: 'review',
      rule: 'accession',
      reason: 'nothing-to-compare',
      candidateIds: ['s1'],
    });
  });

  it('links those where all that sent them are named for it', () => {
    const policy = { matching: 2, byAccessionAlone: ['CT1', 'CT2'] } as const;
    for (const [titles, status] of [
      [['CT1'], 'linked'],
      [['CT1', 'CT2'], 'linked'],
      [['CT1', ''], 'review'],
      [['CT1', 'MR9'], 'review'],
      [['ct1'], 'review'],
      [[], 'review'],
      [null, 'review'],
    ] as const) {
      const study = seen({ accessionNumber: 'ACC1', ...UNKNOWN, callingAeTitles: titles });
      expect(decideLink(study, [order()], policy).status, String(titles)).to.equal(status);
    }
    const part = { accessionNumber: 'ACC1', ...UNKNOWN };
    const parts = [tags({ ...part, callingAeTitles: ['CT1'] }), tags({ ...part, callingAeTitles: ['MR9'] })];
    expect(decideLink(seen({}, { tags: parts }), [order()], policy).status).to.equal('review');
    const unknown = [tags({ ...part, callingAeTitles: ['CT1'] }), tags({ ...part, callingAeTitles: null })];
    expect(decideLink(seen({}, { tags: unknown }), [order()], policy).status).to.equal('review');
    const any = { ...policy, byAccessionAlone: ['*'] };
    expect(decideLink(seen(part), [order()], any).status).to.equal('linked');
    const stranger = seen({ accessionNumber: 'ACC1', ...STRANGER, callingAeTitles: ['CT1'] });
    expect(decideLink(stranger, [order()], any).status).to.equal('review');
  });

  it('links where one part of the study says whose it is', () => {
    const parts = [tags({ accessionNumber: 'ACC1', ...UNKNOWN }), tags({ accessionNumber: 'ACC1' })];
    expect(decideLink(seen({}, { tags: parts }), [order()]).status).to.equal('linked');
  });

  it('sends it to review where one of two differs, or the sex beside one', () => {
    for (const part of [
      { patientId: UNKNOWN.patientId, patientName: 'Smith^Joan' },
      { patientId: UNKNOWN.patientId, birthDate: '1980-02-04' },
      { ...UNKNOWN, patientId: JANE.patientId, sex: 'M' },
    ]) {
      const decision = decideLink(seen({ accessionNumber: 'ACC1', ...part }), [order({ sex: 'F' })]);
      expect(decision).to.include({ status: 'review', reason: 'patient-contradicts' });
    }
    expect(decideLink(seen({ accessionNumber: 'ACC1', sex: 'M' }), [order({ sex: 'F' })]).status).to.equal('linked');
  });

  it('takes what the RIS said before, as a whole and where the images bear it', () => {
    const unknown = { patientIds: [JANE.patientId], patientName: 'UNKNOWN^FEMALE', birthDate: '1900-01-01', sex: 'F' };
    const named = order({ sex: 'F', earlier: [unknown] });
    const scanned = { accessionNumber: 'ACC1', patientName: 'UNKNOWN^FEMALE', birthDate: '1900-01-01' };
    expect(decideLink(seen(scanned), [named]).status).to.equal('linked');
    expect(decideLink(seen(scanned), [order()]).status).to.equal('review');
    const otherId = { ...scanned, patientId: { id: 'P9', issuer: '' } };
    expect(decideLink(seen(otherId), [named]).status, 'the name alone').to.equal('review');
    const mixed = { accessionNumber: 'ACC1', patientName: '', birthDate: '1950-01-01' };
    expect(decideLink(seen(mixed), [order({ earlier: [{ ...unknown, birthDate: null }] })]).status).to.equal('review');
  });

  it('takes what was said of a merged identifier, except where that is somebody else', () => {
    const side = (patientName: string, birthDate: string) => ({
      ...{ patientIds: [{ id: 'P0', issuer: '' }], patientName, birthDate, sex: null },
    });
    const maiden = seen({ accessionNumber: 'ACC1', patientId: UNKNOWN.patientId, patientName: 'Roe^Jane' });
    expect(decideLink(maiden, [order()]).status).to.equal('review');
    expect(decideLink(maiden, [order({ earlier: [side('Roe^Jane', JANE.birthDate)] })]).status).to.equal('linked');
    const other = seen({ accessionNumber: 'ACC1', ...STRANGER, patientId: { id: 'P0', issuer: '' } });
    const merged = order({
      ...{ patientIds: [JANE.patientId, { id: 'P0', issuer: '' }] },
      earlier: [side(STRANGER.patientName, STRANGER.birthDate)],
    });
    expect(decideLink(other, [merged]).status).to.equal('review');
  });

  it('links whatever the day and the modality', () => {
    const study = seen({ accessionNumber: 'ACC1', studyDate: '2020-01-01' }, { modalities: ['US'] });
    expect(decideLink(study, [order()]).status).to.equal('linked');
  });

  it('links to a cancelled order: it lets go of nothing', () => {
    expect(decideLink(seen({ accessionNumber: 'ACC1' }), [order({ cancelled: true })]).status).to.equal('linked');
  });

  it('goes before the announced StudyInstanceUID and the patient', () => {
    const others = [order({ id: 's2', accessionNumber: 'ACC2', studyInstanceUid: '1.2.3' }), order()];
    expect(decideLink(seen({ accessionNumber: 'ACC1' }), others)).to.include({ rule: 'accession', studyId: 's1' });
  });

  it('leaves one that no order has to be provisional, with what fits the patient as suggestions only', () => {
    const decision = decideLink(seen({ accessionNumber: 'ACC7' }), [order()]);
    expect(decision).to.deep.equal({
      status: 'provisional',
      rule: 'no-order',
      reason: 'accession-unknown',
      candidateIds: ['s1'],
    });
  });

  it('suggests what fits name, birth date and modality too', () => {
    const nameless = { patientId: { id: '', issuer: '' }, studyDate: '2026-04-02' };
    expect(decideLink(seen({ accessionNumber: 'ACC7', ...nameless }), [order()])).to.deep.include({
      ...{ status: 'provisional', candidateIds: ['s1'] },
    });
  });

  it('tells leading zeros apart', () => {
    expect(decideLink(seen({ accessionNumber: '0123' }), [order({ accessionNumber: '123' })]).status).to.equal(
      'provisional',
    );
  });

  it('sends it to review where the patient contradicts', () => {
    expect(decideLink(seen({ accessionNumber: 'ACC1', ...STRANGER }), [order()])).to.deep.equal({
      status: 'review',
      rule: 'accession',
      reason: 'patient-contradicts',
      candidateIds: ['s1'],
    });
  });

  it('sends it to review where two orders have it', () => {
    expect(decideLink(seen({ accessionNumber: 'ACC1' }), [order({ id: 's2' }), order()])).to.deep.equal({
      status: 'review',
      rule: 'accession',
      reason: 'several-candidates',
      candidateIds: ['s1', 's2'],
    });
  });

  it('sends it to review where parts of one study name different accession numbers', () => {
    const study = seen({}, { tags: [tags({ accessionNumber: 'ACC1' }), tags({ accessionNumber: 'ACC2' })] });
    expect(decideLink(study, [order()])).to.deep.equal({
      status: 'review',
      rule: 'accession',
      reason: 'tags-disagree',
      candidateIds: ['s1'],
    });
  });

  it('sends it to review where parts of one study are of different patients', () => {
    const study = seen(
      {},
      { tags: [tags({ accessionNumber: 'ACC1' }), tags({ accessionNumber: 'ACC1', ...STRANGER })] },
    );
    expect(decideLink(study, [order()])).to.include({ status: 'review', reason: 'tags-disagree' });
  });

  it('links where a part of the study has no accession number', () => {
    const study = seen({}, { tags: [tags(), tags({ accessionNumber: 'ACC1' })] });
    expect(decideLink(study, [order()])).to.include({ status: 'linked', rule: 'accession' });
  });
});

describe('linking by the announced StudyInstanceUID', () => {
  const announced = order({ accessionNumber: 'ACC2', studyInstanceUid: '1.2.3' });

  it('links without an accession number, and with one that no order has', () => {
    for (const accessionNumber of ['', 'TYPO']) {
      expect(decideLink(seen({ accessionNumber }), [announced])).to.include({ status: 'linked', rule: 'study-uid' });
    }
  });

  it('sends it to review where the patient contradicts', () => {
    expect(decideLink(seen(STRANGER), [announced])).to.include({ status: 'review', rule: 'study-uid' });
  });

  it('prefers a live order before a cancelled one', () => {
    const cancelled = order({ id: 's0', studyInstanceUid: '1.2.3', cancelled: true });
    expect(decideLink(seen(), [cancelled, announced])).to.include({ status: 'linked', studyId: 's1' });
  });

  it('does not take an order that announced none', () => {
    const study = seen({ ...UNKNOWN }, { studyInstanceUid: '' });
    expect(decideLink(study, [order()]).status).to.equal('provisional');
  });
});

describe('linking a study that names several accession numbers itself', () => {
  const [one, two] = [order(), order({ id: 's2', accessionNumber: 'ACC2' })];
  const both = seen({ accessionNumber: 'ACC2\\ACC1' });

  it('links to all of them, the first by accession number before', () => {
    const linked = { status: 'linked', rule: 'accession', studyId: 's1', alsoStudyIds: ['s2'] };
    const end = { ...linked, candidateIds: ['s1', 's2'] };
    expect(decideLink(both, [two, one])).to.deep.equal(end);
    const requested = seen({ accessionNumbers: ['', ' acc1 \\ACC2^', 'ACC1'] });
    expect(decideLink(requested, [two, one])).to.deep.equal(end);
    const first = order({ id: 's9', accessionNumber: 'ACC0' });
    expect(decideLink(seen({ accessionNumber: 'ACC1\\ACC0' }), [one, first])).to.include({ studyId: 's9' });
  });

  it('links to the one that is known, until the other is', () => {
    expect(decideLink(both, [one])).to.deep.equal({
      ...{ status: 'linked', rule: 'accession', studyId: 's1', candidateIds: ['s1'] },
    });
    expect(decideLink(both, [])).to.include({ status: 'provisional', reason: 'accession-unknown' });
  });

  it('sends it to review where they are of several patients, or one contradicts', () => {
    const review = { status: 'review', rule: 'accession', candidateIds: ['s1', 's2'] };
    const others = { ...two, patientRef: '2' };
    expect(decideLink(both, [one, others])).to.deep.equal({ ...review, reason: 'several-patients' });
    const renamed = { ...two, patientName: 'Roe^Max', birthDate: '1950-01-01' };
    expect(decideLink(both, [one, renamed])).to.deep.equal({ ...review, reason: 'patient-contradicts' });
    const twice = { ...two, accessionNumber: 'ACC1' };
    expect(decideLink(both, [one, twice])).to.deep.equal({ ...review, reason: 'several-candidates' });
    const silent = { ...one, patientIds: [], patientName: '', birthDate: null };
    for (const all of [
      [silent, renamed],
      [renamed, silent],
    ]) {
      expect(decideLink(both, all), 'the graver of two').to.deep.equal({ ...review, reason: 'patient-contradicts' });
    }
    const nobody = seen({ accessionNumber: 'ACC1\\ACC2', ...UNKNOWN });
    expect(decideLink(nobody, [one, two])).to.deep.equal({ ...review, reason: 'nothing-to-compare' });
  });

  it('sends it to review where its parts name different ones by themselves', () => {
    for (const accessionNumbers of [
      ['ACC1', 'ACC2'],
      ['ACC1\\ACC3', 'ACC2'],
      ['ACC1\\ACC2', 'ACC2\\ACC3'],
    ]) {
      expect(decideLink(seen({ accessionNumbers }), [one, two])).to.include({ reason: 'tags-disagree' });
    }
    const parts = [tags({ accessionNumber: 'ACC1\\ACC2' }), tags({ accessionNumber: 'ACC1' }), tags()];
    expect(decideLink(seen({}, { tags: parts }), [one, two]).status, 'one names all').to.equal('linked');
  });

  it('is a review by the rules of before', () => {
    const policy = { matching: 1, byAccessionAlone: [] } as const;
    expect(decideLink(both, [one, two], policy)).to.include({ status: 'review', reason: 'tags-disagree' });
  });
});
