import type { By } from '../../audit/rules/who.ts';
import { Failure } from '../../platform/rules/failure.ts';
import { accessionKey } from '../../ris/rules/accession.ts';
import { checkedBy } from '../rules/by.ts';
import type { TextAct } from '../rules/work.ts';

export interface StandingText {
  readonly smsId: string;
  readonly state: 'held' | 'queued' | 'sending' | 'sent' | 'failed';
  readonly reason: string | null;
  /** It was sent, and a person must see what became known since, or that it was not delivered. */
  readonly needsSight: boolean;
  readonly isDone: boolean;
  readonly studyIds: readonly string[];
}

export interface DecideTextTx {
  lockLinking(): Promise<void>;
  /** The text that tells of the study, locked until the transaction ends. */
  findText(accessionKey: string): Promise<StandingText | null>;
  /** From now on it is a text that waits, and the rules doubt it no more for the version that stands. */
  approveText(smsId: string, by: By, now: Date): Promise<void>;
  /** A person has seen to it: a text that waits is never sent. */
  endText(smsId: string, by: By, now: Date): Promise<void>;
}

export interface DecideTextDeps<Tx extends DecideTextTx> {
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  /** Decides anew whether the texts of these studies may go out. */
  readonly planTexts: (tx: Tx, studyIds: readonly string[], now: Date) => Promise<void>;
  readonly decided: (tx: Tx) => Promise<void>;
  readonly now: () => Date;
}

const refusal = (code: string, message: string): Failure => new Failure('permanent', code, message);

function refused(act: TextAct, { state, needsSight, isDone }: StandingText): Failure | null {
  if (state === 'sending' || (state === 'queued' && act.kind === 'send')) {
    return refusal('text-under-way', 'the text is on its way already');
  }
  if (act.kind === 'send') {
    return state === 'sent' && !act.again ? refusal('text-sent', 'the text was sent: say again to send another') : null;
  }
  const open = state === 'held' || state === 'queued' || (state === 'failed' && !isDone) || needsSight;
  return open ? null : refusal('nothing-to-end', 'the text needs nobody');
}

/**
 * Has the text of a study sent, or ends it, in one transaction with its plan. Who sends it overrules what the rules of
 * texts doubt, and not what the rule of release says, nor STOP.
 * @throws Failure permanent, nothing done: `text-unknown`, `text-under-way`, `text-sent`, `text-not-possible` with the
 * reason, `nothing-to-end`, `who-missing`, `why-missing`, `too-long`.
 */
export async function decideText<Tx extends DecideTextTx>(
  deps: DecideTextDeps<Tx>,
  accessionNumber: string,
  act: TextAct,
  said: By,
): Promise<void> {
  const by = checkedBy(said);
  const key = accessionKey(accessionNumber);
  await deps.transaction(async (tx) => {
    await tx.lockLinking();
    const text = await tx.findText(key);
    if (text === null) throw refusal('text-unknown', 'no text tells of that accession number');
    const no = refused(act, text);
    if (no !== null) throw no;
    const now = deps.now();
    if (act.kind === 'done') await tx.endText(text.smsId, by, now);
    else {
      await tx.approveText(text.smsId, by, now);
      await deps.planTexts(tx, text.studyIds, now);
      const planned = await tx.findText(key);
      if (planned?.state !== 'queued') {
        throw refusal('text-not-possible', `it cannot be sent: ${planned?.reason ?? 'there is no text any more'}`);
      }
    }
    await deps.decided(tx);
  });
}
