import type { By } from '../../audit/rules/who.ts';
import { Failure } from '../../platform/rules/failure.ts';
import { accessionKey } from '../../ris/rules/accession.ts';
import { checkedBy } from '../rules/by.ts';

export interface EndWorkTx {
  /** Ends what is listed of this subject and needs no decision. Gives its kinds. */
  endWork(subject: string, accessionKey: string, by: By, now: Date): Promise<string[]>;
}

export interface EndWorkDeps<Tx extends EndWorkTx> {
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  readonly decided: (tx: Tx, kinds: readonly string[]) => Promise<void>;
  readonly now: () => Date;
}

/**
 * A person has seen to what is listed of this subject. It is listed again once something new of its kind comes. Gives the
 * kinds that it ended. Idempotent.
 * @throws Failure permanent, nothing done: `nothing-to-end` where nothing of it is listed that ends without a decision;
 * `who-missing`, `why-missing`, `too-long`.
 */
export async function endWork<Tx extends EndWorkTx>(
  deps: EndWorkDeps<Tx>,
  subject: string,
  said: By,
): Promise<readonly string[]> {
  const by = checkedBy(said);
  return deps.transaction(async (tx) => {
    const kinds = await tx.endWork(subject.trim(), accessionKey(subject), by, deps.now());
    if (kinds.length === 0) {
      const message =
        'nothing is listed of it that ends this way: images and texts are decided, see "next" in the list';
      throw new Failure('permanent', 'nothing-to-end', message);
    }
    await deps.decided(tx, kinds);
    return kinds;
  });
}
