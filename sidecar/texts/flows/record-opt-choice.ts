import type { OptChoice } from '../rules/opt-out.ts';

export interface OptChoiceTx {
  lockLinking(): Promise<void>;
  /** Keeps the choice; `false` where that very message was kept before. */
  keepOptChoice(choice: OptChoice, now: Date): Promise<boolean>;
  /** The studies whose text waits, held or queued, for that number. */
  studiesTexting(number: string): Promise<string[]>;
}

export interface OptChoiceDeps<Tx extends OptChoiceTx> {
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  /** Decides anew whether the texts of these studies may go out. */
  readonly planTexts: (tx: Tx, studyIds: readonly string[], now: Date) => Promise<void>;
  readonly now: () => Date;
}

/**
 * Keeps what a number said for or against texts, and with it, in one transaction, decides its waiting texts anew: STOP
 * holds them with that reason, START lets go what only STOP held. The order of such messages is that in which they came
 * first: vendors do not say when one was sent. One that comes again changes nothing.
 */
export async function recordOptChoice<Tx extends OptChoiceTx>(
  deps: OptChoiceDeps<Tx>,
  choice: OptChoice,
): Promise<void> {
  await deps.transaction(async (tx) => {
    // As whatever else plans texts: else one that is being planned would not be among those that wait.
    await tx.lockLinking();
    const now = deps.now();
    if (!(await tx.keepOptChoice(choice, now))) return;
    await deps.planTexts(tx, await tx.studiesTexting(choice.number), now);
  });
}
