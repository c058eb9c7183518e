import { expect } from 'chai';
import fc from 'fast-check';
import { asFailure, Failure, httpFailureKind, retryDelayMs } from '../../../platform/rules/failure.ts';

describe('failures', () => {
  it('stay themselves', () => {
    const failure = new Failure('permanent', 'orthanc-415', 'no pixels');
    expect(asFailure(failure)).to.equal(failure);
  });

  it('are transient where nobody foresaw them, and keep their cause', () => {
    const cause = new TypeError('odd');
    expect(asFailure(cause)).to.include({ kind: 'transient', code: 'unexpected', message: 'odd', cause });
    expect(asFailure('text')).to.include({ kind: 'transient', message: 'text' });
  });

  for (const [outcome, kind] of [
    [{ status: 429, idempotent: false }, 'transient'],
    [{ status: 400, idempotent: true }, 'permanent'],
    [{ status: 404, idempotent: false }, 'permanent'],
    [{ status: 503, idempotent: true }, 'transient'],
    [{ status: 503, idempotent: false }, 'ambiguous'],
    [{ code: 'ECONNREFUSED', idempotent: false }, 'transient'],
    [{ code: 'ENOTFOUND', idempotent: false }, 'transient'],
    [{ code: 'ECONNRESET', idempotent: false }, 'ambiguous'],
    [{ code: 'ECONNRESET', idempotent: true }, 'transient'],
    [{ idempotent: false }, 'ambiguous'],
    [{ idempotent: true }, 'transient'],
  ] as const) {
    it(`of HTTP are ${kind} after ${JSON.stringify(outcome)}`, () => {
      expect(httpFailureKind(outcome)).to.equal(kind);
    });
  }

  it('of a call that may be repeated are never ambiguous', () => {
    fc.assert(
      fc.property(fc.option(fc.integer({ min: 300, max: 599 }), { nil: undefined }), fc.string(), (status, code) => {
        const outcome = status === undefined ? { code } : { status };
        expect(httpFailureKind({ ...outcome, idempotent: true })).not.to.equal('ambiguous');
      }),
    );
  });
});

describe('the wait before the next attempt', () => {
  it('doubles up to its ceiling, half of it by chance', () => {
    expect([1, 2, 3, 4, 50, 5000].map((attempt) => retryDelayMs(attempt, 1, 100, 1000))).to.deep.equal([
      100, 200, 400, 800, 1000, 1000,
    ]);
    expect([1, 2, 3].map((attempt) => retryDelayMs(attempt, 0, 100, 1000))).to.deep.equal([50, 100, 200]);
  });

  it('is never above its ceiling or below half of its base', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempt, random) => {
          expect(retryDelayMs(attempt, random)).to.be.within(250, 30_000);
        },
      ),
    );
  });
});
