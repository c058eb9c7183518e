import { expect } from 'chai';
import fc from 'fast-check';
import { decideLink, type RisStudy, type SeenStudy, type SeenTags } from '../../../linking/rules/match.ts';
import type { Policy } from '../../../linking/rules/against.ts';
import { likeness, patientsContradict } from '../../../ris/rules/same-patient.ts';

// Few values each, so that what is drawn at random agrees and disagrees often.
const patientId = fc.record({ id: fc.constantFrom('', 'P1', 'p1', 'P2'), issuer: fc.constantFrom('', 'A', 'B') });
const patientName = fc.constantFrom('', 'Doe^Jane', 'DOE^JANE', 'Doe^John', 'Roe^Max=山田', 'UNKNOWN');
const birthDate = fc.constantFrom(null, '1980-02-03', '1950-01-01', '1900-01-01');
const sex = fc.constantFrom('', 'M', 'F', 'O');
const callingAeTitles = fc.constantFrom(null, ['CT1'], ['CT1', 'CT2'], ['']);
const studyDate = fc.constantFrom(null, '2026-04-01', '2026-04-02', '2026-04-05');
const accessionNumber = fc.constantFrom('', ' ', 'ACC1', 'acc1 ', 'ACC2', '0ACC1');
const accessionNumbers = fc.array(fc.oneof(accessionNumber, fc.constantFrom('ACC1\\ACC2', 'ACC2\\ACC1\\')), {
  maxLength: 2,
});
const uid = fc.constantFrom('', '1.2.3', '1.2.4');

const tags: fc.Arbitrary<SeenTags> = fc.record({
  ...{ accessionNumbers, patientId, patientName, birthDate, sex, studyDate, callingAeTitles },
});
const policy = fc.record<Policy>({
  matching: fc.constantFrom(1, 2),
  byAccessionAlone: fc.constantFrom([], ['CT1'], ['*']),
});
const study: fc.Arbitrary<SeenStudy> = fc.record({
  studyInstanceUid: fc.constantFrom('1.2.3', '1.2.5'),
  modalities: fc.subarray(['CT', 'DX', 'SR', '']),
  tags: fc.array(tags, { minLength: 1, maxLength: 3 }),
});
const facts = fc.record({
  accessionNumber,
  studyInstanceUid: uid,
  patientRef: fc.constantFrom('1', '2'),
  patientIds: fc.array(patientId, { maxLength: 2 }),
  patientName,
  birthDate,
  sex,
  earlier: fc.array(
    fc.record({ patientIds: fc.array(patientId, { minLength: 1, maxLength: 1 }), patientName, birthDate, sex }),
    { maxLength: 2 },
  ),
  studyDate,
  modality: fc.constantFrom('', 'CT', 'XR'),
  cancelled: fc.boolean(),
});
const orders: fc.Arbitrary<RisStudy[]> = fc
  .array(facts, { maxLength: 5 })
  .map((all) => all.map((one, index) => ({ id: `s${index}`, ...one })));

/** Shares nothing with what {@link study} draws. */
const irrelevant: fc.Arbitrary<RisStudy[]> = fc.array(
  fc.nat().map((number) => ({
    id: `other-${number}`,
    accessionNumber: `OTHER${number}`,
    studyInstanceUid: `9.${number}`,
    patientRef: `other-${number}`,
    patientIds: [{ id: `X${number}`, issuer: '' }],
    patientName: 'Doe^Jane',
    birthDate: '2001-01-01',
    studyDate: '2026-04-01',
    modality: 'CT',
    cancelled: false,
  })),
  { maxLength: 3 },
);

const RUNS = { numRuns: 2000 };

describe('deciding a link, for any study and any orders', () => {
  it('does not depend on the order in which the RIS studies are given', () => {
    const shuffled = orders.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
    );
    fc.assert(
      fc.property(study, shuffled, policy, (seen, [all, other], how) => {
        expect(decideLink(seen, other, how)).to.deep.equal(decideLink(seen, all, how));
      }),
      RUNS,
    );
  });

  it('does not depend on the order in which the parts of the study were seen', () => {
    fc.assert(
      fc.property(study, orders, policy, (seen, all, how) => {
        const reversed = { ...seen, tags: seen.tags.toReversed(), modalities: seen.modalities.toReversed() };
        expect(decideLink(reversed, all, how)).to.deep.equal(decideLink(seen, all, how));
      }),
      RUNS,
    );
  });

  it('does not depend on how often a part of the study was seen', () => {
    fc.assert(
      fc.property(study, orders, policy, (seen, all, how) => {
        const twice = { ...seen, tags: [...seen.tags, ...seen.tags] };
        expect(decideLink(twice, all, how)).to.deep.equal(decideLink(seen, all, how));
      }),
      RUNS,
    );
  });

  it('is not changed by RIS studies that have nothing to do with it', () => {
    fc.assert(
      fc.property(study, orders, irrelevant, (seen, all, others) => {
        expect(decideLink(seen, [...others, ...all])).to.deep.equal(decideLink(seen, all));
      }),
      RUNS,
    );
  });

  it('never links to a RIS study whose patient a part contradicts, as he is or ever was', () => {
    fc.assert(
      fc.property(study, orders, (seen, all) => {
        const decision = decideLink(seen, all);
        if (decision.status !== 'linked') return;
        const chosen = all.find(({ id }) => id === decision.studyId);
        expect(chosen).not.to.equal(undefined);
        for (const { patientId: id, ...part } of seen.tags) {
          const side = { ...part, patientIds: decision.rule === 'patient-id-date' ? [] : [id] };
          const versions = chosen === undefined ? [] : [chosen, ...(chosen.earlier ?? [])];
          expect(versions.some((version) => likeness(side, version) !== 'contradict')).to.equal(true);
        }
      }),
      RUNS,
    );
  });

  it('never links by accession number where nothing agrees, except for programs that are named', () => {
    fc.assert(
      fc.property(study, orders, (seen, all) => {
        const decision = decideLink(seen, all);
        if (decision.status !== 'linked' || decision.rule !== 'accession') return;
        const chosen = all.find(({ id }) => id === decision.studyId);
        const versions = chosen === undefined ? [] : [chosen, ...(chosen.earlier ?? [])];
        const agrees = seen.tags.some(({ patientId: id, ...part }) =>
          versions.some((version) => likeness({ ...part, patientIds: [id] }, version) === 'agree'),
        );
        expect(agrees).to.equal(true);
      }),
      RUNS,
    );
  });

  it('links to one candidate only, or to all that the study names itself, of one patient, and sends to review only what a person can decide', () => {
    fc.assert(
      fc.property(study, orders, (seen, all) => {
        const decision = decideLink(seen, all);
        expect(decision.candidateIds).to.deep.equal([...new Set(decision.candidateIds)].sort());
        for (const id of decision.candidateIds) expect(all.map((one) => one.id)).to.include(id);
        if (decision.status === 'linked') {
          const { studyId, alsoStudyIds = [] } = decision;
          expect(decision.candidateIds).to.deep.equal([studyId, ...alsoStudyIds].sort());
          const chosen = all.filter(({ id }) => decision.candidateIds.includes(id));
          expect(new Set(chosen.map(({ patientRef }) => patientRef)).size).to.equal(1);
          if (chosen.length > 1)
            expect(seen.tags.some((part) => part.accessionNumbers.join().includes('\\'))).to.equal(true);
        }
        if (decision.status === 'review' && decision.reason === 'several-candidates') {
          expect(decision.candidateIds.length).to.be.greaterThan(1);
        }
      }),
      RUNS,
    );
  });

  it('is the same again when nothing has changed', () => {
    fc.assert(
      fc.property(study, orders, (seen, all) => {
        expect(decideLink(structuredClone(seen), structuredClone(all))).to.deep.equal(decideLink(seen, all));
      }),
    );
  });

  it('takes any texts at all', () => {
    const text = fc.string({ unit: 'binary' });
    const wild: fc.Arbitrary<SeenTags> = fc.record({
      accessionNumbers: fc.array(text),
      patientId: fc.record({ id: text, issuer: text }),
      patientName: text,
      birthDate: fc.option(text),
      studyDate: fc.option(text),
    });
    fc.assert(
      fc.property(fc.array(wild, { maxLength: 3 }), fc.array(text), text, orders, (parts, modalities, uidText, all) => {
        const decision = decideLink({ studyInstanceUid: uidText, modalities, tags: parts }, all);
        expect(decision.status).to.be.oneOf(['linked', 'provisional', 'review']);
      }),
    );
  });

  it('sees a contradiction the same way from either side', () => {
    const side = fc.record({ patientIds: fc.array(patientId, { maxLength: 2 }), patientName, birthDate, sex });
    fc.assert(
      fc.property(side, side, (a, b) => {
        expect(likeness(a, b)).to.equal(likeness(b, a));
        for (const matching of [1, 2] as const) {
          expect(patientsContradict(a, b, matching)).to.equal(patientsContradict(b, a, matching));
        }
      }),
      RUNS,
    );
  });
});
