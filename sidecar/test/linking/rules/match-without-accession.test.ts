import { expect } from 'chai';
import { decideLink } from '../../../linking/rules/match.ts';
import { JANE, order, seen, STRANGER, UNKNOWN, type Part } from '../../support/match-cases.ts';

describe('linking by Patient ID and study date', () => {
  it('links, without case and blanks', () => {
    const study = seen({ patientId: { id: ' p1 ', issuer: '' }, patientName: '', birthDate: null });
    expect(decideLink(study, [order()])).to.include({ status: 'linked', rule: 'patient-id-date', studyId: 's1' });
  });

  it('narrows several by modality', () => {
    const both = [order(), order({ id: 's2', accessionNumber: 'ACC2', modality: 'MR' })];
    expect(decideLink(seen({}, { modalities: ['MR'] }), both)).to.include({ status: 'linked', studyId: 's2' });
    const vague = [order({ modality: 'EXAM' }), order({ id: 's2', modality: 'CT' })];
    expect(decideLink(seen(), vague)).to.include({ status: 'linked', studyId: 's2' });
  });

  it('sends several that the modality does not narrow to review', () => {
    const both = [order({ id: 's2', modality: 'MR' }), order({ modality: 'US' })];
    expect(decideLink(seen({}, { modalities: ['SR'] }), both)).to.deep.equal({
      status: 'review',
      rule: 'patient-id-date',
      reason: 'several-candidates',
      candidateIds: ['s1', 's2'],
    });
    const sameKind = [order(), order({ id: 's2' })];
    expect(decideLink(seen(), sameKind)).to.include({ status: 'review', reason: 'several-candidates' });
  });

  it('takes no known other modality', () => {
    for (const [modalities, modality, status] of [
      [['SR'], 'CT', 'linked'],
      [[], 'CT', 'linked'],
      [['CT'], '', 'linked'],
      [['CT'], 'EXAM', 'linked'],
      [['CT', 'PT'], 'PET', 'linked'],
      [['CR'], 'XRAY', 'linked'],
      [['US'], 'CT', 'provisional'],
      [['SR', 'US'], 'CT', 'provisional'],
      [['CR'], 'MRI', 'provisional'],
    ] as const) {
      const decision = decideLink(seen({ patientName: '' }, { modalities }), [order({ modality })]);
      expect(decision.status, `${modalities.join()} ${modality}`).to.equal(status);
    }
  });

  it('links with the ID alone to compare, which otherwise confirms nothing', () => {
    const study = (part: Part) => seen({ ...UNKNOWN, patientId: JANE.patientId, ...part });
    expect(decideLink(study({}), [order()]).status).to.equal('linked');
    for (const part of [
      { patientName: 'Smith^Joan' },
      { birthDate: '1980-02-04' },
      { patientName: JANE.patientName, birthDate: '1980-02-04' },
      { sex: 'M' },
    ]) {
      expect(decideLink(study(part), [order({ sex: 'F' })])).to.deep.equal({
        ...{ status: 'review', rule: 'patient-id-date', reason: 'patient-contradicts', candidateIds: ['s1'] },
      });
    }
  });

  it('takes the number of a patient that was merged into this one', () => {
    const merged = order({ patientIds: [{ id: 'NEW', issuer: '' }, JANE.patientId] });
    expect(decideLink(seen(), [merged])).to.include({ status: 'linked', rule: 'patient-id-date' });
  });

  it('does not take the same number of another issuer', () => {
    const study = seen({ patientId: { id: 'P1', issuer: 'OTHER' }, patientName: '', birthDate: null });
    expect(decideLink(study, [order({ patientIds: [{ id: 'P1', issuer: 'CLINIC' }] })]).status).to.equal('provisional');
  });

  it('does not take two that both say no day for the same day', () => {
    const study = seen({ studyDate: null, patientName: '', birthDate: null });
    expect(decideLink(study, [order({ studyDate: null })]).status).to.equal('provisional');
  });

  it('does not take another day', () => {
    const study = seen({ studyDate: '2026-04-02', patientName: '', birthDate: null });
    expect(decideLink(study, [order()])).to.deep.equal({
      status: 'provisional',
      rule: 'no-order',
      reason: 'nothing-matches',
      candidateIds: [],
    });
  });

  it('sends it to review where name and birth date both differ', () => {
    expect(decideLink(seen({ ...STRANGER, patientId: JANE.patientId }), [order()])).to.include({
      status: 'review',
      rule: 'patient-id-date',
      reason: 'patient-contradicts',
    });
  });

  it('prefers a live order before a cancelled one, and takes a cancelled one where it is the only one', () => {
    const cancelled = order({ id: 's2', cancelled: true });
    expect(decideLink(seen(), [cancelled, order()])).to.include({ status: 'linked', studyId: 's1' });
    expect(decideLink(seen(), [cancelled])).to.include({ status: 'linked', studyId: 's2' });
  });
});

describe('linking by name, birth date and modality', () => {
  const nameless = { patientId: { id: '', issuer: '' } };

  it('links within two days of the study date, with accents and case folded', () => {
    for (const studyDate of ['2026-03-30', '2026-04-01', '2026-04-03']) {
      const study = seen({ ...nameless, patientName: 'DÖE^jane', studyDate });
      expect(decideLink(study, [order()]), studyDate).to.include({ status: 'linked', rule: 'name-birth-modality' });
    }
  });

  it('does not link three days away, over a month, or without a study date', () => {
    for (const studyDate of ['2026-03-29', '2026-04-04', null]) {
      expect(decideLink(seen({ ...nameless, studyDate }), [order()]).status, String(studyDate)).to.equal('provisional');
    }
  });

  it('sends another Patient ID to review', () => {
    const study = seen({ patientId: { id: 'P9', issuer: '' } });
    expect(decideLink(study, [order()])).to.deep.equal({
      ...{ status: 'review', rule: 'name-birth-modality', reason: 'patient-id-differs', candidateIds: ['s1'] },
    });
    const elsewhere = seen({ patientId: { id: 'P9', issuer: 'B' } });
    const issued = order({ patientIds: [{ id: 'P1', issuer: 'A' }] });
    expect(decideLink(elsewhere, [issued]).status, 'another authority').to.equal('linked');
  });

  it('sends placeholders to review, which prove nothing', () => {
    for (const who of [
      { patientName: 'UNKNOWN^MALE', birthDate: '1900-01-01' },
      { patientName: 'BABY OF DOE^Jane', birthDate: '2026-03-31' },
      { patientName: 'Doe^Jane', birthDate: '1900-01-01' },
    ]) {
      expect(decideLink(seen({ ...nameless, ...who }), [order(who)])).to.deep.equal({
        ...{ status: 'review', rule: 'name-birth-modality', reason: 'placeholder', candidateIds: ['s1'] },
      });
    }
    const who = { patientName: 'UNKNOWN^MALE', birthDate: '1900-01-01' };
    const other = seen({ ...who, patientId: { id: 't100', issuer: '' } });
    expect(decideLink(other, [order({ ...who, patientIds: [{ id: 't99', issuer: '' }] })])).to.include({
      ...{ status: 'review', reason: 'patient-contradicts' },
    });
  });

  it('counts the days over the end of a month', () => {
    const study = seen({ ...nameless, studyDate: '2026-02-28' });
    expect(decideLink(study, [order({ studyDate: '2026-03-02' })]).status).to.equal('linked');
  });

  it('does not link another modality, name or birth date', () => {
    expect(decideLink(seen(nameless, { modalities: ['US'] }), [order()]).status).to.equal('provisional');
    expect(decideLink(seen({ ...nameless, patientName: 'Doe^June' }), [order()]).status).to.equal('provisional');
    expect(decideLink(seen({ ...nameless, birthDate: '1980-02-04' }), [order()]).status).to.equal('provisional');
  });

  it('does not link without a birth date or a name', () => {
    expect(decideLink(seen({ ...nameless, birthDate: null }), [order({ birthDate: null })]).status).to.equal(
      'provisional',
    );
    expect(decideLink(seen({ ...nameless, patientName: '' }), [order({ patientName: '' })]).status).to.equal(
      'provisional',
    );
  });

  it('knows what else a modality is called', () => {
    for (const [device, ris] of [
      ['CR', 'XR'],
      ['DX', 'XRAY'],
      ['MR', 'MRI'],
      ['PT', 'PET'],
      ['DR', 'CR'],
      ['RG', 'DX'],
      ['MG', 'Mammo'],
      ['US', 'ULTRASOUND'],
    ] as const) {
      const study = seen(nameless, { modalities: ['SR', device] });
      expect(decideLink(study, [order({ modality: ris })]).status, `${device} ${ris}`).to.equal('linked');
    }
  });

  it('does not take two that both say no modality for one', () => {
    const study = seen(nameless, { modalities: [''] });
    expect(decideLink(study, [order({ modality: ' ' })]).status).to.equal('provisional');
  });

  it('sends two candidates to review', () => {
    expect(decideLink(seen(nameless), [order({ id: 's2', studyDate: '2026-04-02' }), order()])).to.deep.equal({
      status: 'review',
      rule: 'name-birth-modality',
      reason: 'several-candidates',
      candidateIds: ['s1', 's2'],
    });
  });

  it('is not asked where the Patient ID and study date found one', () => {
    const other = order({ id: 's2', patientIds: [{ id: 'P2', issuer: '' }] });
    expect(decideLink(seen(), [other, order()])).to.include({ rule: 'patient-id-date', studyId: 's1' });
  });
});

describe('linking by the rules of before', () => {
  const policy = { matching: 1, byAccessionAlone: [] } as const;

  it('links without an identity, with one difference of two, another modality or another Patient ID', () => {
    const nameless = { patientId: UNKNOWN.patientId };
    for (const study of [
      seen({ accessionNumber: 'ACC1', ...UNKNOWN }),
      seen({ accessionNumber: 'ACC1', ...nameless, patientName: 'Smith^Joan' }),
      seen({ patientName: 'Smith^Joan' }),
      seen({}, { modalities: ['US'] }),
      seen({ patientId: { id: 'P9', issuer: '' } }),
    ]) {
      expect(decideLink(study, [order()], policy).status).to.equal('linked');
    }
    expect(decideLink(seen({ accessionNumber: 'ACC1', ...STRANGER }), [order()], policy).status).to.equal('review');
  });
});
