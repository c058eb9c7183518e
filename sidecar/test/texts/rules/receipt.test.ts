import { expect } from 'chai';
import fc from 'fast-check';
import { DELIVERY_STATUSES, readReceipt, standingReceipt, type Receipt } from '../../../texts/rules/receipt.ts';

const SID = `SM${'0123456789abcdef'.repeat(2)}`;
const fields = (changed: Record<string, string | string[]> = {}) => ({
  MessageSid: SID,
  MessageStatus: 'undelivered',
  ErrorCode: '30003',
  ...changed,
});
const receipt: fc.Arbitrary<Receipt> = fc.record({
  sid: fc.constant(SID),
  status: fc.constantFrom(...DELIVERY_STATUSES),
  errorCode: fc.constantFrom(null, 30003, 30005, 30008),
});
const ENDS = ['delivered', 'read', 'canceled', 'undelivered', 'failed'];

describe('receipts of a text', () => {
  it('are read from a status callback', () => {
    expect(readReceipt(fields())).to.deep.equal({ sid: SID, status: 'undelivered', errorCode: 30003 });
    expect(readReceipt({ MessageSid: SID, MessageStatus: 'delivered' })).to.deep.equal({
      sid: SID,
      status: 'delivered',
      errorCode: null,
    });
  });

  it('are none where the SID or the status is not one, or came twice', () => {
    for (const changed of [
      { MessageSid: '' },
      { MessageSid: 'SM1' },
      { MessageSid: `${SID}0` },
      { MessageSid: [SID, SID] },
      { MessageStatus: '' },
      { MessageStatus: 'received' },
      { MessageStatus: 'toString' },
      { MessageStatus: ['sent', 'delivered'] },
    ]) {
      expect(readReceipt(fields(changed)), JSON.stringify(changed)).to.equal(null);
    }
  });

  it('have no error code where it is not a number', () => {
    for (const ErrorCode of ['', '0', '-1', '1e9', '99999999999', "30003' OR 1"]) {
      expect(readReceipt(fields({ ErrorCode }))?.errorCode, ErrorCode).to.equal(null);
    }
  });

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
