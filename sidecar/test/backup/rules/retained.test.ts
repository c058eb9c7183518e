import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { limitedKinds, RETAINED } from '../../../backup/rules/retained.ts';

const KEPT = { RETAIN_HL7_DAYS: 0, RETAIN_AUDIT_DAYS: 0, RETAIN_BLOBS_DAYS: 0 };

describe('what is let go of', () => {
  it('is nothing unless a setting says so, and then that kind alone', () => {
    expect(limitedKinds(KEPT)).to.deep.equal([]);
    for (const { kind, setting } of RETAINED) {
      expect(limitedKinds({ ...KEPT, [setting]: 30 })).to.deep.equal([{ kind, days: 30 }]);
    }
  });

  it('is explained in docs/operations.md, kind by kind', () => {
    const page = readFileSync(new URL('../../../../docs/operations.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `(RETAIN_\w+)` +\| (.*)$/gm)];
    expect(rows.map(([, setting]) => setting)).to.deep.equal(RETAINED.map(({ setting }) => setting));
    for (const [at, { what }] of RETAINED.entries()) expect(rows[at]?.[2]?.startsWith(what), what).to.equal(true);
  });
});
