import { expect } from 'chai';
import fc from 'fast-check';
import { tellTogether, type OpenText, type SmsSubject } from '../../../texts/rules/together.ts';

const CAME = new Date('2026-04-07T23:00:00Z');

/** A study `id` with a final report of `message`; reports are numbered as their studies are. */
function subject(id: string, message: string | null, changed: Partial<SmsSubject> = {}): SmsSubject {
  const report = { id, messageId: message ?? '', status: 'final', withheld: null, empty: false } as const;
  return {
    ...{ studyId: id, patientId: 'anna', accessionNumber: `A${id}`, modality: 'CT', hasOrder: true, hasImages: false },
    release: {
      ...{ modality: 'CT', procedureCode: '', claims: [], deceased: false, studyHeld: false, patientHeld: false },
      reports: message === null ? [] : [{ ...report, cameAt: CAME, toldAt: CAME }],
    },
    facts: {
      ...{ phoneNumber: '+61412345678', phoneProblem: null, numberDiffers: false, optedOut: false },
      ...{ imagesTaken: false, imagesDeleted: false },
    },
    text: null,
    ...changed,
  };
}

const text = (id: string, studyId: string, attempts = 0): OpenText => ({
  ...{ id, studyId, attempts, reason: null, reportId: null, shownAt: null, approvedReportId: null },
});

/** The studies of each text, the one that its link leads to first. */
const told = (...subjects: readonly SmsSubject[]): string[] =>
  tellTogether(subjects)
    .map(({ lead, members }) =>
      [lead, ...members.filter((one) => one !== lead)].map(({ studyId }) => studyId).join(' '),
    )
    .toSorted();

describe('the studies that one text tells of', () => {
  it('are those of one patient that one message reported, led by the first that it names', () => {
    expect(told(subject('2', 'm'), subject('1', 'm'))).to.deep.equal(['1 2']);
    expect(told(subject('1', 'm'), subject('2', 'n'))).to.deep.equal(['1', '2']);
    expect(told(subject('9', 'm'), subject('10', 'm'))).to.deep.equal(['9 10']);
  });

  it('are never those of two patients who both have orders', () => {
    expect(told(subject('1', 'm'), subject('2', 'm', { patientId: 'bob' }))).to.deep.equal(['1', '2']);
  });

  it('are those without an order too, though their patient is known by another number', () => {
    const without = (patientId: string) => subject('1', 'm', { hasOrder: false, patientId, hasImages: true });
    expect(told(without('anna'), subject('2', 'm'))).to.deep.equal(['2 1']);
    expect(told(without('anna, elsewhere'), subject('2', 'm'))).to.deep.equal(['2 1']);
    const both = [subject('2', 'm'), subject('3', 'm', { patientId: 'bob' })] as const;
    expect(told(without('anna, elsewhere'), ...both)).to.deep.equal(['1', '2', '3']);
    expect(told(without('anna'), subject('4', 'm', { hasOrder: false, patientId: 'bob' }))).to.deep.equal(['1', '4']);
  });

  it('are led by one with images where none has an order', () => {
    const without = { hasOrder: false };
    expect(told(subject('1', 'm', without), subject('2', 'm', { ...without, hasImages: true }))).to.deep.equal(['2 1']);
  });

  it('stay together when one of them is reported again, and keep the link of a text that was tried', () => {
    const one = text('7', '2', 1);
    expect(told(subject('1', 'm', { text: one }), subject('2', 'n', { text: one }))).to.deep.equal(['2 1']);
    expect(
      told(subject('1', 'm', { text: text('7', '2') }), subject('2', 'n', { text: text('7', '2') })),
    ).to.deep.equal(['1 2']);
  });

  it('are one each where no report of theirs stands', () => {
    expect(told(subject('1', null, { text: text('7', '1') }), subject('2', null))).to.deep.equal(['1', '2']);
  });

  it('do not depend on the order in which they are looked at', () => {
    const any = fc.record({
      id: fc.constantFrom('1', '2', '3', '4', '5', '10'),
      message: fc.constantFrom('m', 'n', 'o'),
      hasOrder: fc.boolean(),
      patientId: fc.constantFrom('anna', 'bob'),
      textId: fc.constantFrom(null, '7', '8'),
    });
    const some = fc.uniqueArray(any, { selector: ({ id }) => id, minLength: 1 });
    fc.assert(
      fc.property(some, (all) => {
        const subjects = all.map(({ id, message, textId, ...rest }) =>
          subject(id, message, { ...rest, text: textId === null ? null : text(textId, '1') }),
        );
        expect(told(...subjects.toReversed())).to.deep.equal(told(...subjects));
      }),
    );
  });
});
