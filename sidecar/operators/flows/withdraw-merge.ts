import type { By } from '../../audit/rules/who.ts';
import { Failure } from '../../platform/rules/failure.ts';
import type { PatientIdentity } from '../../ris/rules/facts.ts';
import { foldMessages, type FactChanges, type KnownFacts, type SaidBefore } from '../../ris/rules/fold.ts';
import { checkedBy } from '../rules/by.ts';

export interface WithdrawMergeTx {
  lockLinking(): Promise<void>;
  /** Marks what made one patient of these two as taken back, whichever was the survivor; `null` where nothing did. */
  withdrawMerges(prior: PatientIdentity, survivor: PatientIdentity, by: By, now: Date): Promise<SaidBefore | null>;
  lookUp(envelopes: readonly [], messages: readonly [], before: SaidBefore): Promise<{ readonly known: KnownFacts }>;
  saveFacts(kept: readonly [], changes: FactChanges, now: Date): Promise<void>;
  /** The DICOM studies whose link rests on these studies. */
  studiesRestingOn(studyIds: readonly string[]): Promise<string[]>;
}

export interface WithdrawMergeDeps<Tx extends WithdrawMergeTx> {
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  /** Decides these DICOM studies, then the texts and labels of all that this or these studies touch. */
  readonly decided: (
    tx: Tx,
    dicomStudyIds: readonly string[],
    studyIds: readonly string[],
    patientIds: readonly string[],
    now: Date,
  ) => Promise<void>;
  readonly now: () => Date;
}

/** `NUMBER@AUTHORITY`, or a number of any authority. */
export function patientNamed(text: string): PatientIdentity {
  const [, externalId = '', issuer = ''] = /^(.*?)(?:@([^@]*))?$/.exec(text.trim()) ?? [];
  return { externalId: externalId.trim(), issuer: issuer.trim() };
}

/**
 * Takes back that one patient was merged into another, in one transaction with the links and texts that follow: each has
 * the studies that were said of it. A merge that comes later stands again.
 * @throws Failure permanent, nothing done: `merge-unknown`, `who-missing`, `why-missing`, `too-long`.
 */
export async function withdrawMerge<Tx extends WithdrawMergeTx>(
  deps: WithdrawMergeDeps<Tx>,
  prior: string,
  survivor: string,
  said: By,
): Promise<void> {
  const by = checkedBy(said);
  await deps.transaction(async (tx) => {
    await tx.lockLinking();
    const now = deps.now();
    const before = await tx.withdrawMerges(patientNamed(prior), patientNamed(survivor), by, now);
    if (before === null) throw new Failure('permanent', 'merge-unknown', 'nothing made one patient of these two');
    const { known } = await tx.lookUp([], [], before);
    const changes = foldMessages(known, []);
    await tx.saveFacts([], changes, now);
    const { studyIds } = changes;
    await deps.decided(tx, await tx.studiesRestingOn(studyIds), studyIds, before.patientIds, now);
  });
}
