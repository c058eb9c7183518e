import { expect } from 'chai';
import { Failure } from '../../../platform/rules/failure.ts';
import { Refusal, type RefusalMeaning } from '../../../texts/rules/vendor.ts';

describe('a refusal', () => {
  const KINDS: Readonly<Record<RefusalMeaning, Failure['kind']>> = {
    'this-number': 'permanent',
    'opted-out': 'permanent',
    'this-country': 'transient',
    'this-account': 'transient',
    away: 'transient',
    later: 'transient',
    permanent: 'permanent',
  };
  const MEANINGS = [
    'this-number', 'opted-out', 'this-country', 'this-account', 'away', 'later', 'permanent',
  ] satisfies RefusalMeaning[]; // prettier-ignore
  for (const meaning of MEANINGS) {
    it(`that says ${meaning} is ${KINDS[meaning]}, and keeps the vendor's code as it is`, () => {
      const refusal = new Refusal(meaning, 'vendor-7', 'the vendor answered 7');
      expect(refusal).to.be.instanceOf(Failure);
      expect(refusal).to.include({ meaning, kind: KINDS[meaning], code: 'vendor-7', message: 'the vendor answered 7' });
    });
  }
});
