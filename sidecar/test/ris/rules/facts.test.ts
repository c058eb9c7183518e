import { expect } from 'chai';
import fc from 'fast-check';
import {
  foldPatient,
  foldPatients,
  foldStudy,
  saidAt,
  storedStudyFacts,
  type SaidOfPatient,
  type SaidOfStudy,
  type StoredStudyFacts,
} from '../../../ris/rules/facts.ts';
import { whoIsWho, type KnownIdentity, type Merge } from '../../../ris/rules/merges.ts';
import { parseHl7 } from '../../../hl7/rules/parse.ts';

const known = (id: string, externalId = id, issuer = 'CLINIC'): KnownIdentity => ({ id, externalId, issuer });
const merge = (priorId: string, survivorId: string): Merge => ({ priorId, survivorId });
const ends = (identities: readonly KnownIdentity[], ...merges: Merge[]) =>
  Object.fromEntries(whoIsWho(identities, merges).canonical);
const [A, B, C, D] = [known('a'), known('b'), known('c'), known('d')];

describe('when a message was said', () => {
  const received = new Date('2026-04-01T00:00:00Z');
  const at = (msh7: string) =>
    saidAt(parseHl7(`MSH|^~\\&|RIS|||| ${msh7}`.replace(' ', '')), received, 'Australia/Melbourne').toISOString();

  it('is MSH-7, but never after it came', () => {
    expect(at('20260331230000+0000')).to.equal('2026-03-31T23:00:00.000Z');
    expect(at('20260401000001+0000')).to.equal(received.toISOString());
    expect(at('20260331')).to.equal('2026-03-31T12:59:59.999Z');
    expect(at('20260401')).to.equal(received.toISOString());
    for (const none of ['', '""', 'today']) expect(at(none)).to.equal(received.toISOString());
  });
});

const said = (facts: SaidOfPatient) => ({ facts });

describe('what is said of a patient', () => {
  it('is of each value the last word, a deletion too', () => {
    const folded = foldPatient([
      said({ name: 'Doe^Jane', birthDate: '1980-02-03', sex: 'F', phoneNumber: '+61412345678', phoneProblem: null }),
      said({ name: undefined, birthDate: null, phoneNumber: null, phoneProblem: 'no-mobile' }),
      said({ name: 'Roe^Jane' }),
    ]);
    expect(folded).to.deep.equal({
      name: 'Roe^Jane',
      birthDate: null,
      sex: 'F',
      phoneNumber: null,
      phoneProblem: 'no-mobile',
    });
    expect(foldPatient([])).to.deep.equal({
      name: null,
      birthDate: null,
      sex: null,
      phoneNumber: null,
      phoneProblem: null,
    });
  });
});

describe('whom an identifier stands for', () => {
  it('is itself where nothing was merged', () => {
    expect(ends([A, B])).to.deep.equal({ a: 'a', b: 'b' });
    expect(ends([A], merge('a', 'a'))).to.deep.equal({ a: 'a' });
  });

  it('is the end of a chain of merges, whatever link came first', () => {
    const chain = [merge('a', 'b'), merge('b', 'c'), merge('c', 'd')];
    for (const merges of [chain, chain.toReversed()]) {
      expect(ends([A, B, C, D], ...merges)).to.deep.equal({ a: 'd', b: 'd', c: 'd', d: 'd' });
    }
  });

  it('is by the last of several merges of one', () => {
    expect(ends([A, B, C], merge('a', 'b'), merge('a', 'c'))).to.deep.equal({ a: 'c', b: 'b', c: 'c' });
  });

  it('is by the later of two that go round', () => {
    expect(ends([A, B], merge('a', 'b'), merge('b', 'a'))).to.deep.equal({ a: 'a', b: 'a' });
    expect(ends([A, B], merge('b', 'a'), merge('a', 'b'))).to.deep.equal({ a: 'b', b: 'b' });
  });

  it('is the end where the earliest link of a longer circle is left out', () => {
    const round = [merge('a', 'b'), merge('b', 'c'), merge('c', 'a')];
    expect(ends([A, B, C, D], ...round, merge('d', 'b'))).to.deep.equal({ a: 'a', b: 'a', c: 'a', d: 'a' });
  });

  it('is the one with an assigning authority, where only one has the number', () => {
    const bare = known('x', 'p1', ' ');
    const [one, other] = [known('y', ' P1 '), known('z', 'P1', 'OTHER')];
    expect(ends([bare, one])).to.deep.equal({ x: 'y', y: 'y' });
    expect(ends([bare, one, other])).to.deep.equal({ x: 'x', y: 'y', z: 'z' });
    expect(ends([bare, known('w', 'P2')])).to.deep.equal({ x: 'x', w: 'w' });
    expect(ends([bare, one, A], merge('y', 'a'))).to.deep.equal({ x: 'a', y: 'a', a: 'a' });
    expect(ends([bare, one, A], merge('x', 'a'))).to.deep.equal({ x: 'a', y: 'a', a: 'a' });
  });
});

const identities: fc.Arbitrary<KnownIdentity[]> = fc.constant([
  A, B, C, D, known('e', 'a', ''), known('f', 'b', ''), known('g', 'b', 'OTHER'), known('h', 'H', ''),
]); // prettier-ignore
const one = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
const merges = fc.array(
  fc.tuple(one, one).map(([prior, survivor]) => merge(prior, survivor)),
  { maxLength: 8 },
);
const names = fc.array(
  fc
    .tuple(one, fc.constantFrom(undefined, null, 'X^Y', 'Z'))
    .map(([identityId, name]) => ({ identityId, facts: { name } })),
  { maxLength: 6 },
);
const shuffled = identities.chain((all) => fc.shuffledSubarray(all, { minLength: all.length }));

describe('merges, for any', () => {
  it('end in one that stands for itself, whatever the order of the identifiers', () => {
    fc.assert(
      fc.property(identities, shuffled, merges, (given, other, said) => {
        const found = whoIsWho(given, said).canonical;
        expect([...found.keys()].sort()).to.deep.equal(given.map(({ id }) => id).sort());
        for (const end of found.values()) expect(found.get(end)).to.equal(end);
        expect(Object.fromEntries(whoIsWho(other, said).canonical)).to.deep.equal(Object.fromEntries(found));
      }),
      { numRuns: 2000 },
    );
  });

  it('make the same rows, whatever the order of the identifiers', () => {
    const sorted = (rows: ReturnType<typeof foldPatients>) => rows.toSorted((a, b) => a.id.localeCompare(b.id));
    fc.assert(
      fc.property(identities, shuffled, merges, names, (given, other, said, facts) => {
        const rows = sorted(foldPatients(given, said, facts));
        expect(rows).to.deep.equal(sorted(foldPatients(other, said, facts)));
        for (const row of rows) expect(row.mergedInto).not.to.equal(row.id);
      }),
      { numRuns: 1000 },
    );
  });

  it('hold where the last of them is said, unless it goes round', () => {
    fc.assert(
      fc.property(identities, merges, one, one, (given, before, prior, survivor) => {
        const found = whoIsWho(given, [...before, merge(prior, survivor)]).canonical;
        expect(found.get(prior)).to.equal(found.get(survivor));
      }),
    );
  });
});

describe('the rows of identifiers', () => {
  it('share what is said with and without the assigning authority, but not what is said of a merged one', () => {
    const bare = known('x', 'A', '');
    const said = [
      { identityId: 'x', facts: { name: 'Doe^Jane' } },
      { identityId: 'a', facts: { sex: 'F' } },
      { identityId: 'b', facts: { name: 'Old^Name', sex: 'M' } },
    ];
    const rows = foldPatients([A, bare, B], [merge('b', 'a')], said);
    expect(rows.map(({ id, name, sex, mergedInto }) => ({ id, name, sex, mergedInto }))).to.deep.equal([
      { id: 'a', name: 'Doe^Jane', sex: 'F', mergedInto: null },
      { id: 'x', name: 'Doe^Jane', sex: 'F', mergedInto: 'a' },
      { id: 'b', name: 'Old^Name', sex: 'M', mergedInto: 'a' },
    ]);
  });

  it('do not share it where two authorities have the number', () => {
    const rows = foldPatients([known('x', 'A', ''), A, known('z', 'A', 'OTHER')], [], [
      { identityId: 'x', facts: { name: 'Doe^Jane' } },
    ]); // prettier-ignore
    expect(rows.map(({ name }) => name)).to.deep.equal(['Doe^Jane', null, null]);
  });
});

describe('what is said of a study', () => {
  const said = (
    kind: 'order' | 'report',
    facts: Partial<StoredStudyFacts>,
    more: Partial<SaidOfStudy> = {},
  ): SaidOfStudy => ({
    kind,
    status: kind === 'order' ? 'active' : null,
    patientId: 'a',
    facts: { accessionNumber: 'ACC1', ...facts },
    ...more,
  });
  const time = { instant: '2026-04-01T00:00:00.000Z', localDate: '2026-04-01' };

  it('is nothing where nothing is said', () => {
    expect(foldStudy([])).to.equal(null);
  });

  it('is of each value the last order’s word, and a report’s where no order has one, in whatever order they come', () => {
    const order = said('order', { modality: 'CT', fillerOrderNumber: 'F1', placerOrderNumber: 'P1', scheduled: time });
    const report = said(
      'report',
      { modality: 'MR', procedureCode: 'X', procedureDescription: 'Chest', studyInstanceUid: '1.2' },
      { patientId: 'b' },
    );
    for (const all of [
      [order, report],
      [report, order],
    ]) {
      expect(foldStudy(all)).to.deep.equal({
        accessionNumber: 'ACC1',
        patientId: 'a',
        orderStatus: 'active',
        externalId: 'F1',
        placerOrderNumber: 'P1',
        fillerOrderNumber: 'F1',
        studyInstanceUid: '1.2',
        modality: 'CT',
        procedureCode: 'X',
        procedureDescription: 'Chest',
        scheduledAt: time.instant,
        studyDate: time.localDate,
        clash: null,
      });
    }
  });

  it('is the reports’ last word where there is no order, of the first one’s patient', () => {
    const folded = foldStudy([
      said('report', { modality: 'CT' }),
      said('report', { accessionNumber: 'acc1' }, { patientId: 'b' }),
    ]);
    expect(folded).to.deep.include({
      accessionNumber: 'acc1',
      patientId: 'a',
      orderStatus: 'none',
      modality: 'CT',
      externalId: null,
    });
  });

  it('is deleted by an order’s null, whatever a report says, until an order says it again', () => {
    const report = said('report', { modality: 'MR', scheduled: time });
    const nulls = said('order', { modality: null, scheduled: null }, { status: 'cancelled' });
    expect(foldStudy([said('order', { modality: 'CT' }), nulls, report])).to.deep.include({
      modality: null,
      scheduledAt: null,
      studyDate: null,
      orderStatus: 'cancelled',
      patientId: 'a',
    });
    expect(foldStudy([nulls, said('order', { modality: 'US' }), report])).to.deep.include({
      modality: 'US',
      orderStatus: 'active',
    });
    expect(foldStudy([said('report', { modality: 'MR' }), said('report', { modality: null })])).to.include({
      modality: null,
    });
  });

  it('is not moved or told of by a cancellation that names another patient', () => {
    const order = said('order', { modality: 'CT' });
    const cancelled = said(
      'order',
      { modality: 'US', accessionNumber: 'acc1' },
      { status: 'cancelled', patientId: 'b' },
    );
    const owned = { patientId: 'a', modality: 'CT', accessionNumber: 'ACC1' };
    expect(foldStudy([order, cancelled])).to.include({ ...owned, orderStatus: 'cancelled' });
    expect(foldStudy([cancelled, order])).to.include({ ...owned, orderStatus: 'active' });
    expect(foldStudy([order, said('order', {}, { patientId: 'b' })])).to.include({ patientId: 'b' });
  });

  it('is not claimed by a cancellation where a report spoke of it, but by one alone', () => {
    const report = said('report', { modality: 'CT' });
    const cancelled = said('order', { modality: 'US' }, { status: 'cancelled', patientId: 'b' });
    for (const all of [
      [report, cancelled],
      [cancelled, report],
    ]) {
      expect(foldStudy(all)).to.include({ patientId: 'a', modality: 'CT', orderStatus: 'none' });
    }
    const other = said('order', {}, { status: 'cancelled', patientId: 'c' });
    expect(foldStudy([cancelled, other])).to.include({ patientId: 'b', modality: 'US', orderStatus: 'cancelled' });
    expect(foldStudy([report, { ...cancelled, patientId: 'a' }])).to.include({ orderStatus: 'cancelled' });
  });

  it('has the filler’s number for its external one, else the placer’s', () => {
    expect(foldStudy([said('order', { placerOrderNumber: 'P1' })])).to.include({ externalId: 'P1' });
    expect(foldStudy([said('order', { placerOrderNumber: 'P1', fillerOrderNumber: null })])).to.include({
      externalId: 'P1',
    });
  });

  it('is kept with its time as text, and what is not said is not kept', () => {
    const facts = {
      accessionNumber: 'ACC1', placerOrderNumber: undefined, fillerOrderNumber: null, studyInstanceUid: undefined,
      modality: 'CT', procedureCode: undefined, procedureDescription: undefined,
    }; // prettier-ignore
    const kept = (scheduled: Parameters<typeof storedStudyFacts>[0]['scheduled']): unknown =>
      JSON.parse(JSON.stringify(storedStudyFacts({ ...facts, scheduled })));
    const base = { accessionNumber: 'ACC1', fillerOrderNumber: null, modality: 'CT' };
    expect(kept({ instant: new Date(time.instant), localDate: time.localDate })).to.deep.equal({
      ...base,
      scheduled: time,
    });
    expect(kept(null)).to.deep.equal({ ...base, scheduled: null });
    expect(kept(undefined)).to.deep.equal(base);
  });

  it('does not depend on how reports and orders are mixed, only on the order of each', () => {
    const value = fc.constantFrom(undefined, null, 'CT', 'MR');
    const some = (kind: 'order' | 'report') =>
      fc.array(
        fc
          .tuple(value, fc.constantFrom('a', 'b'))
          .map(([modality, patientId]) => said(kind, modality === undefined ? {} : { modality }, { patientId })),
        { maxLength: 4 },
      );
    fc.assert(
      fc.property(
        some('order'),
        some('report'),
        fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
        (orders, reports, picks) => {
          const [left, right] = [[...orders], [...reports]];
          const mixed = picks.flatMap((pick) => (pick ? left : right).splice(0, 1));
          expect(foldStudy([...mixed, ...left, ...right])).to.deep.equal(foldStudy([...orders, ...reports]));
        },
      ),
    );
  });
});
