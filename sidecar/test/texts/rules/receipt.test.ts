import { expect } from 'chai';
import fc from 'fast-check';
import { DELIVERY_STATUSES, standingReceipt, type Receipt } from '../../../texts/rules/receipt.ts';

const SID = `SM${'0123456789abcdef'.repeat(2)}`;
const receipt: fc.Arbitrary<Receipt> = fc.record({
  vendorId: fc.constant(SID),
  status: fc.constantFrom(...DELIVERY_STATUSES),
  errorCode: fc.constantFrom(null, 30003, 30005, 30008),
});
const ENDS = ['delivered', 'read', 'canceled', 'undelivered', 'failed'];

describe('receipts of a text', () => {
  it('add up to the same in whatever order and however often they come', () => {
    fc.assert(
      fc.property(
        fc.array(receipt, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(), { minLength: 24, maxLength: 24 }),
        (told, drawn) => {
          const standing = told.reduce(standingReceipt);
          const again = [...told, ...told].map((one, at) => ({ one, at: drawn[at] ?? 0 }));
          const shuffled = again.toSorted((one, other) => one.at - other.at).map(({ one }) => one);
          expect(shuffled.reduce(standingReceipt)).to.deep.equal(standing);
        },
      ),
    );
  });

  it('are ended by an end, which no earlier stage takes back', () => {
    fc.assert(
      fc.property(fc.array(receipt, { minLength: 1, maxLength: 12 }), (told) => {
        const ended = told.some(({ status }) => ENDS.includes(status));
        expect(ENDS.includes(told.reduce(standingReceipt).status)).to.equal(ended);
        const failed = told.some(({ status }) => status === 'failed' || status === 'undelivered');
        if (failed) expect(told.reduce(standingReceipt).status).to.match(/failed|undelivered/);
      }),
    );
  });
});
