import { expect } from 'chai';
import fc from 'fast-check';
import type { StoredStudyFacts } from '../../../ris/rules/facts.ts';
import { studyKeys, type NumberedFact } from '../../../ris/rules/order-numbers.ts';

interface Fact extends NumberedFact {
  readonly name: string;
}

let count = 0;
const fact = (
  kind: Fact['kind'],
  accessionNumber: string,
  facts: Partial<StoredStudyFacts> = {},
  more: Partial<Fact> = {},
): Fact => {
  count += 1;
  return {
    ...{ name: `${kind} ${accessionNumber}`, messageId: String(count), kind, patientId: 'a' },
    status: kind === 'order' ? 'active' : null,
    facts: { accessionNumber, ...facts },
    ...more,
  };
};
const order = (accession: string, placer?: string | null, filler?: string | null, more: Partial<Fact> = {}): Fact =>
  fact('order', accession, { placerOrderNumber: placer, fillerOrderNumber: filler }, more);
const report = (accession: string, placer?: string, filler?: string, more: Partial<Fact> = {}): Fact =>
  fact('report', accession, { placerOrderNumber: placer, fillerOrderNumber: filler }, more);

const keys = (...facts: Fact[]): string[] => {
  const found = studyKeys(facts, (id) => (id === 'nobody' ? undefined : id));
  return facts.map((one) => found.get(one) ?? 'left out');
};
const last = (...facts: Fact[]): string | undefined => keys(...facts).at(-1);

describe('which study a fact is of', () => {
  it('is the one whose accession number it gives, if an order of the patient has that or none has its numbers', () => {
    expect(keys(order('a1', 'P1', 'F1'), report('A1'), report('B1', 'P2', 'F2'))).to.deep.equal(['A1', 'A1', 'B1']);
    expect(last(order('A1', 'P1', 'F1'), order('A2', 'P2', 'F2'), report('A2', 'P1', 'F1'))).to.equal('A2');
  });

  it('is that of the order with the filler number of a report, else with its placer number', () => {
    expect(last(order('A1', 'P1', 'F1'), report('F1', 'P1', 'F1'))).to.equal('A1');
    expect(last(order('A1', 'P1', 'F1'), report('X1', 'other 9', ' f1 '))).to.equal('A1');
    expect(last(order('A1', 'P1', null), report('X1', 'P1', 'F1'))).to.equal('A1');
    expect(last(order('A1', 'P1', 'F1'), report('X1', 'P1'))).to.equal('A1');
  });

  it('is none that a filler number speaks against, though the placer number is the same', () => {
    expect(last(order('A1', 'P1', 'F1'), report('X1', 'P1', 'F2'))).to.equal('X1');
  });

  it('is not told by a number that two orders have, unless the other number does', () => {
    const two = [order('A1', 'P1', 'F1'), order('A2', 'P2', 'F1')];
    expect(last(...two, report('X1', undefined, 'F1'))).to.equal('X1');
    expect(last(...two, report('X1', 'P2', 'F1'))).to.equal('A2');
    expect(last(order('A1', 'P1'), order('A2', 'P1'), report('X1', 'P1'))).to.equal('X1');
  });

  it('is not told by a number without a digit, nor by one that an order no longer has', () => {
    expect(last(order('A1', 'RAD', 'RAD'), report('X1', 'RAD', 'RAD'))).to.equal('X1');
    expect(last(order('A1', 'P1', 'F1'), order('A1', null, 'F2'), report('X1', 'P1', 'F1'))).to.equal('X1');
    expect(last(order('A1', 'P1', 'F1'), order('A1', undefined, 'F2'), report('X1', undefined, 'F2'))).to.equal('A1');
  });

  it('is not told by the orders of another patient, or of one who is not known', () => {
    expect(last(order('A1', 'P1', 'F1'), report('F1', 'P1', 'F1', { patientId: 'b' }))).to.equal('F1');
    expect(last(order('A1', 'P1', 'F1'), report('F1', 'P1', 'F1', { patientId: 'nobody' }))).to.equal('left out');
  });

  it('is the known one of the numbers in its places', () => {
    const elsewhere = (...numbers: string[]) => ({ elsewhere: numbers });
    expect(last(order('A1'), fact('report', 'X1', elsewhere('Y1', 'a1')))).to.equal('A1');
    expect(last(order('A1'), order('X1'), fact('report', 'X1', elsewhere('A1')))).to.equal('X1');
    expect(last(fact('order', 'A1', elsewhere('F1')), fact('order', 'F1'), fact('report', 'F1'))).to.equal('F1');
    expect(last(fact('order', 'A1', elsewhere('F1')), fact('report', 'F1'))).to.equal('F1');
  });

  it('is of an order that stands the one that it says, whatever others say', () => {
    const elsewhere = (...numbers: string[]) => ({ elsewhere: numbers });
    const [full, bare] = [
      fact('order', 'A1', { ...elsewhere('F1'), fillerOrderNumber: 'F1' }),
      order('F1', undefined, 'F1'),
    ];
    expect(keys(full, bare)).to.deep.equal(['A1', 'F1']);
    expect(keys(order('A1'), fact('order', 'X1', elsewhere('A1')))).to.deep.equal(['A1', 'X1']);
  });

  it('is of a cancellation the order that it is of, as of a report', () => {
    const cancelled = { status: 'cancelled' as const };
    const numbers = { elsewhere: ['A1'], placerOrderNumber: 'P1' };
    expect(last(order('A1', 'P1', 'F1'), order('F1', 'P1', 'F1', cancelled))).to.equal('A1');
    expect(last(order('A1', 'P1', 'F1'), fact('order', 'X1', numbers, cancelled))).to.equal('A1');
    expect(last(order('A1', 'P1', 'F1'), order('X1', 'P1', 'F2', cancelled))).to.equal('X1');
    expect(keys(order('F1', 'P1', 'F1', cancelled), report('X1', 'P1'))).to.deep.equal(['F1', 'F1']);
    const one = { messageId: 'replaced' };
    expect(keys(order('A2', 'P1', 'F1', one), order('A1', 'P1', 'F1', { ...cancelled, ...one }))).to.deep.equal([
      'A2',
      'A1',
    ]);
  });

  it('is never one for two facts of one message by such numbers', () => {
    const one = { messageId: 'same' };
    const numbered = order('A1', 'P1');
    expect(keys(numbered, report('X1', 'P1', undefined, one), report('X2', 'P1', undefined, one)).slice(1)).to.deep.equal(['X1', 'X2']); // prettier-ignore
    expect(keys(numbered, report('A1', 'P1', undefined, one), report('X2', 'P1', undefined, one)).slice(1)).to.deep.equal(['A1', 'X2']); // prettier-ignore
  });

  it('is the same in whatever order the facts of different orders come', () => {
    const number = fc.constantFrom(undefined, 'N1', 'N2', 'N3');
    const said = fc.record({
      status: fc.constantFrom('active' as const, 'cancelled' as const),
      kind: fc.constantFrom('order' as const, 'report' as const),
      accession: fc.constantFrom('A1', 'A2', 'N1', 'N2'),
      patientId: fc.constantFrom('a', 'b'),
      facts: fc.record({
        placerOrderNumber: number,
        fillerOrderNumber: number,
        elsewhere: fc.subarray(['A1', 'N2', 'X9']),
      }),
    });
    // Of what is said of one order the last counts, which is no question of the order in which messages come.
    const once = fc.uniqueArray(said, { maxLength: 7, selector: (one) => JSON.stringify([one.accession, one.kind]) });
    const drawn = once
      .map((all) => all.map(({ kind, accession, facts, ...more }) => fact(kind, accession, facts, more)))
      .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })));
    fc.assert(
      fc.property(drawn, ([all, shuffled]) => {
        const [left, right] = [all, shuffled].map((facts) => studyKeys(facts, (id) => id));
        const orderKeys = all.filter(({ kind }) => kind === 'order').map((one) => left?.get(one));
        fc.pre(new Set(orderKeys).size === orderKeys.length);
        for (const one of all) expect(right?.get(one)).to.equal(left?.get(one));
      }),
      { numRuns: 2000 },
    );
  });
});
