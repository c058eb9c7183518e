import type { By } from '../../audit/rules/who.ts';
import { Failure } from '../../platform/rules/failure.ts';
import { accessionKey } from '../../ris/rules/accession.ts';
import { foldMessages, type FactChanges, type KnownFacts, type SaidBefore } from '../../ris/rules/fold.ts';
import { checkedBy } from '../rules/by.ts';

export interface WithdrawTx {
  lockLinking(): Promise<void>;
  /** Marks what orders have said of that accession number as taken back; gives what it bore on, `null` for nothing. */
  withdrawOrders(key: string, by: By, now: Date): Promise<SaidBefore | null>;
  lookUp(envelopes: readonly [], messages: readonly [], before: SaidBefore): Promise<{ readonly known: KnownFacts }>;
  saveFacts(kept: readonly [], changes: FactChanges, now: Date): Promise<void>;
  /** The DICOM studies whose link rests on these studies. */
  studiesRestingOn(studyIds: readonly string[]): Promise<string[]>;
}

export interface WithdrawDeps<Tx extends WithdrawTx> {
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  /** Decides these DICOM studies, then the texts and labels of all that this or these studies touch. */
  readonly decided: (tx: Tx, dicomStudyIds: readonly string[], studyIds: readonly string[], now: Date) => Promise<void>;
  readonly now: () => Date;
}

/**
 * Takes back what orders have said of an accession number, in one transaction with the links and texts that follow: the
 * rules no longer link to it. Its messages and reports stay. An order that comes later makes it stand again.
 * @throws Failure permanent, nothing done: `accession-unknown`, `who-missing`, `why-missing`, `too-long`.
 */
export async function withdrawOrder<Tx extends WithdrawTx>(
  deps: WithdrawDeps<Tx>,
  accessionNumber: string,
  said: By,
): Promise<void> {
  const by = checkedBy(said);
  const key = accessionKey(accessionNumber);
  await deps.transaction(async (tx) => {
    await tx.lockLinking();
    const now = deps.now();
    const before = await tx.withdrawOrders(key, by, now);
    if (before === null) throw new Failure('permanent', 'accession-unknown', 'no order has that accession number');
    const { known } = await tx.lookUp([], [], before);
    await tx.saveFacts([], foldMessages(known, []), now);
    const studyIds = known.studies.filter((study) => study.key === key && study.row !== null).map(({ id }) => id);
    await deps.decided(tx, await tx.studiesRestingOn(studyIds), studyIds, now);
  });
}
