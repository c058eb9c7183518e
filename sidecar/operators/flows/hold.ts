import type { By } from '../../audit/rules/who.ts';
import { Failure } from '../../platform/rules/failure.ts';
import { checkedBy } from '../rules/by.ts';
import type { HeldThing } from '../rules/work.ts';

type Held = { readonly studyId: string } | { readonly patientId: string };

export interface HoldTx {
  lockLinking(): Promise<void>;
  findRisStudy(accessionNumber: string): Promise<string | null>;
  findPatients(externalId: string, issuer: string | null): Promise<string[]>;
  studiesOfPatient(patientId: string): Promise<string[]>;
  /** `false`: it is held already. */
  saveHold(held: Held, by: By, now: Date): Promise<boolean>;
  /** `false`: it is not held. */
  removeHold(held: Held): Promise<boolean>;
}

export interface HoldDeps<Tx extends HoldTx> {
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  /** Decides anew whether the texts of these studies may go out. */
  readonly decided: (tx: Tx, studyIds: readonly string[], now: Date) => Promise<void>;
  readonly now: () => Date;
}

const refusal = (code: string, message: string): Failure => new Failure('permanent', code, message);

async function find(tx: HoldTx, thing: HeldThing): Promise<{ held: Held; studyIds: readonly string[] }> {
  if (thing.kind === 'study') {
    const studyId = await tx.findRisStudy(thing.accessionNumber);
    if (studyId === null) throw refusal('order-unknown', 'no study of the RIS has that accession number');
    return { held: { studyId }, studyIds: [studyId] };
  }
  const [patientId, another] = await tx.findPatients(thing.patientId, thing.issuer);
  if (patientId === undefined) throw refusal('patient-unknown', 'the RIS told of no patient of that number');
  if (another !== undefined) throw refusal('patient-ambiguous', 'several authorities gave that number: name one');
  return { held: { patientId }, studyIds: await tx.studiesOfPatient(patientId) };
}

/**
 * Keeps a study, or all of a patient, from being shown and texted, or lets go of it, in one transaction with the texts
 * that follow. It is kept with who and why.
 * @throws Failure permanent, nothing done: `order-unknown`, `patient-unknown`, `patient-ambiguous`, `held-already`,
 * `not-held`, `who-missing`, `why-missing`, `too-long`.
 */
export async function holdOrLetGo<Tx extends HoldTx>(
  deps: HoldDeps<Tx>,
  act: 'hold' | 'unhold',
  thing: HeldThing,
  said: By,
): Promise<void> {
  const by = checkedBy(said);
  await deps.transaction(async (tx) => {
    await tx.lockLinking();
    const { held, studyIds } = await find(tx, thing);
    const now = deps.now();
    const changed = act === 'hold' ? await tx.saveHold(held, by, now) : await tx.removeHold(held);
    if (!changed)
      throw refusal(act === 'hold' ? 'held-already' : 'not-held', `it is ${act === 'hold' ? '' : 'not '}held`);
    await deps.decided(tx, studyIds, now);
  });
}
