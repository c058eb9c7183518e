import { expect } from 'chai';
import { asFailure } from '../../../platform/rules/failure.ts';
import { tooLarge } from '../../../hl7/rules/limits.ts';
import { parseHl7 } from '../../../hl7/rules/parse.ts';
import { replayMessage } from '../../../operators/flows/replay.ts';

/** Replays a kept message of that MSH-11; gives how often it was applied and the failure, if there was one. */
async function replay(
  processingId: string,
  reason: string | null = null,
): Promise<{ applied: number; saved: number; failure: string | null }> {
  const raw = Buffer.from(`MSH|^~\\&|RIS|X|||20260401||ORM^O01|1|${processingId}|2.5.1\r`);
  let [applied, saved] = [0, 0];
  const done = () => Promise.resolve();
  const tx = {
    lockLinking: done,
    lockMessage: () =>
      Promise.resolve({ raw, answer: 'AA' as const, reason, receivedAt: new Date(0), forgottenAt: null }),
    saveReplay: () => ((saved += 1), done()),
  };
  const failure = await replayMessage(
    {
      transaction: (work) => work(tx),
      read: (bytes) => ({ message: parseHl7(bytes.toString()), problem: null }),
      apply: () => ((applied += 1), done()),
      newControlId: () => 'n',
      now: () => new Date(0),
    },
    '1',
    { who: 'Ann', why: 'test' },
  ).then(
    () => null,
    (error: unknown) => asFailure(error).code,
  );
  return { applied, saved, failure };
}

describe('replaying a message', () => {
  it('never applies a test message (MSH-11 T) or one for debugging', async () => {
    expect(await replay('P')).to.deep.equal({ applied: 1, saved: 1, failure: null });
    for (const id of ['T', 'D']) {
      expect(await replay(id)).to.deep.equal({ applied: 0, saved: 0, failure: 'message-refused' });
    }
  });

  it('never applies one of which only the beginning is kept', async () => {
    expect(await replay('P', tooLarge(1024))).to.deep.equal({ applied: 0, saved: 0, failure: 'message-cut' });
  });
});
