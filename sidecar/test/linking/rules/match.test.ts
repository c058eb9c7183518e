import { expect } from 'chai';
import { decideLink, type RisStudy, type SeenStudy, type SeenTags } from '../../../linking/rules/match.ts';

const JANE = { patientId: { id: 'P1', issuer: '' }, patientName: 'Doe^Jane', birthDate: '1980-02-03' };

type Part = Partial<SeenTags> & { readonly accessionNumber?: string };

const tags = ({ accessionNumber = '', ...changed }: Part = {}): SeenTags => ({
  accessionNumbers: [accessionNumber],
  ...JANE,
  studyDate: '2026-04-01',
  ...changed,
});

const seen = (changed: Part = {}, study: Partial<SeenStudy> = {}): SeenStudy => ({
  studyInstanceUid: '1.2.3',
  modalities: ['CT'],
  tags: [tags(changed)],
  ...study,
});

const order = (changed: Partial<RisStudy> = {}): RisStudy => ({
  id: 's1',
  patientRef: '1',
  accessionNumber: 'ACC1',
  studyInstanceUid: '',
  patientIds: [JANE.patientId],
  patientName: JANE.patientName,
  birthDate: JANE.birthDate,
  studyDate: '2026-04-01',
  modality: 'CT',
  cancelled: false,
  ...changed,
});

const UNKNOWN = { patientId: { id: '', issuer: '' }, patientName: '', birthDate: null };
const STRANGER = { patientId: { id: 'P9', issuer: '' }, patientName: 'Roe^Max', birthDate: '1950-01-01' };

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
