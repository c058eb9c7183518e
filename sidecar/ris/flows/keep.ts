import type { Hl7Message } from '../../hl7/rules/message.ts';
import type { MessageFacts } from '../rules/facts.ts';
import { foldMessages, type FactChanges, type KeptMessage, type KnownFacts, type SaidBefore } from '../rules/fold.ts';
import type { KeptOutcome } from '../rules/kept-message.ts';

export interface KeepTx {
  /** Keeps frames, writes what they said and what follows of it, but for links, texts and labels. */
  saveFacts(kept: readonly KeptOutcome[], changes: FactChanges, now: Date): Promise<void>;
  /** The DICOM studies whose link rests on these studies. */
  studiesRestingOn(studyIds: readonly string[]): Promise<string[]>;
}

export interface KeepAgainTx extends KeepTx {
  /** Takes back what a kept message said of patients and studies; gives what it was. */
  forgetFacts(messageId: string): Promise<SaidBefore>;
  /** Takes back what it brought with reports, and its reports for other studies than these. */
  forgetReports(messageId: string, accessionKeys: readonly string[]): Promise<void>;
  lookUp(
    envelopes: readonly [],
    messages: readonly MessageFacts[],
    before: SaidBefore,
  ): Promise<{ readonly known: KnownFacts }>;
}

export interface KeepDeps<Tx extends KeepTx> {
  /** Decides these DICOM studies, then the texts and labels of all that this or these studies touch. */
  readonly link: (tx: Tx, dicomStudyIds: readonly string[], studyIds: readonly string[], now: Date) => Promise<void>;
  /** Decides anew whether the texts of these studies may go out. */
  readonly planTexts: (tx: Tx, studyIds: readonly string[], now: Date) => Promise<void>;
}

/**
 * Keeps these frames and what those messages said, then writes all that follows of it, in the caller's transaction:
 * links, texts and labels. `known` must have been looked up under the linking lock of that transaction.
 */
export async function keepMessages<Tx extends KeepTx>(
  deps: KeepDeps<Tx>,
  tx: Tx,
  kept: readonly KeptOutcome[],
  known: KnownFacts,
  messages: readonly KeptMessage[],
  now: Date,
): Promise<void> {
  await keepChanges(deps, tx, kept, foldMessages(known, messages), now);
}

async function keepChanges<Tx extends KeepTx>(
  deps: KeepDeps<Tx>,
  tx: Tx,
  kept: readonly KeptOutcome[],
  changes: FactChanges,
  now: Date,
): Promise<void> {
  const { studyIds, reportedIds, emptied } = changes;
  const bornOn = [...studyIds, ...emptied.map(({ id }) => id)];
  const [, resting] = await Promise.all([tx.saveFacts(kept, changes, now), tx.studiesRestingOn(bornOn)]);
  if (resting.length > 0) await deps.link(tx, resting, studyIds, now);
  else await deps.planTexts(tx, reportedIds, now);
}

/**
 * Applies a kept message again in place of what it said before. It was said when it came, but what follows of it is
 * decided `now`.
 * @throws Hl7Rejection where it cannot be applied.
 */
export async function keepAgain<Tx extends KeepAgainTx>(
  deps: KeepDeps<Tx> & { readonly read: (message: Hl7Message, receivedAt: Date) => MessageFacts },
  tx: Tx,
  message: Hl7Message,
  messageId: string,
  receivedAt: Date,
  now: Date,
): Promise<void> {
  const facts = deps.read(message, receivedAt);
  const before = await tx.forgetFacts(messageId);
  const { known } = await tx.lookUp([], [facts], before);
  const changes = foldMessages(known, [{ id: messageId, facts }]);
  await tx.forgetReports(
    messageId,
    changes.reports.map(({ key }) => key),
  );
  await keepChanges(deps, tx, [], changes, now);
  // What it reported before may have no report now: its text is taken back.
  const reported = known.studies.filter(({ hasReports }) => hasReports);
  await deps.planTexts(
    tx,
    reported.map(({ id }) => id),
    now,
  );
}
