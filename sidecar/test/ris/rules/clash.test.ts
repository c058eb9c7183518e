import { expect } from 'chai';
import fc from 'fast-check';
import { ordersApart } from '../../../ris/rules/clash.ts';

type Status = 'active' | 'cancelled';
const order = (sender: string | null, patientId: string, status: Status = 'active', number = patientId) => ({
  ...{ status, patientId },
  facts: { accessionNumber: 'A1', ...(sender !== null && { by: { sender, patient: number } }) },
});
const apart = (...orders: ReturnType<typeof order>[]) => {
  const { own, clash } = ordersApart(orders);
  return { own: own.map((one) => orders.indexOf(one)), clash };
};

describe('orders of one accession number by several senders', () => {
  it('are the first sender’s, and those of another one that mean the same patient', () => {
    expect(apart(order('A', '1'), order('B', '1'))).to.deep.equal({ own: [0, 1], clash: null });
    expect(apart(order('A', '1'), order('B', '2', 'active', '1'))).to.deep.equal({ own: [0, 1], clash: null });
    expect(apart(order('A', '1'), order('B', '2'), order('A', '1'))).to.deep.equal({ own: [0, 2], clash: 'B' });
  });

  it('may be moved by the first sender', () => {
    expect(apart(order('A', '1'), order('A', '2'))).to.deep.equal({ own: [0, 1], clash: null });
    expect(apart(order('A', '1'), order('B', '2'), order('A', '2'))).to.deep.equal({ own: [0, 1, 2], clash: null });
  });

  it('clash no more once the other one is cancelled, and never by a cancellation', () => {
    expect(apart(order('A', '1'), order('B', '2'), order('B', '2', 'cancelled'))).to.deep.equal({
      own: [0],
      clash: null,
    });
    expect(apart(order('B', '2', 'cancelled'), order('A', '1'))).to.deep.equal({ own: [1], clash: null });
  });

  it('that were kept before senders were are the first sender’s', () => {
    expect(apart(order(null, '1'), order('B', '2'))).to.deep.equal({ own: [0, 1], clash: null });
    expect(apart(order('A', '1'), order(null, '2'))).to.deep.equal({ own: [0, 1], clash: null });
  });

  it('never change hands by another sender, whatever comes', () => {
    const some = fc.array(
      fc.tuple(
        fc.constantFrom('A', 'B', 'C'),
        fc.constantFrom('1', '2', '3'),
        fc.constantFrom<Status>('active', 'cancelled'),
      ),
    );
    fc.assert(
      fc.property(some, (drawn) => {
        const orders = [order('A', '1'), ...drawn.map((one) => order(...one))];
        const owner = orders.findLast(
          ({ status, facts }) => status === 'active' && facts.by?.sender === 'A',
        )?.patientId;
        const last = ordersApart(orders).own.findLast(({ status }) => status === 'active');
        expect(last?.patientId).to.equal(owner);
      }),
    );
  });
});
