import type { SaidOfStudy } from './facts.ts';

/** Who sent an order, and under which number it knows the patient. */
export interface OrderedBy {
  /** MSH-3 and MSH-4. */
  readonly sender: string;
  readonly patient: string;
}

/** Orders of one accession number, told apart. */
export interface Apart<T> {
  readonly own: readonly T[];
  /** The sender whose orders name another patient than those of the first one do; `null` where none does. */
  readonly clash: string | null;
}

const isCancelled = ({ status }: Pick<SaidOfStudy, 'status'>): boolean => status === 'cancelled';

/**
 * Keeps the orders of the sender that was the first to use an accession number from those of another one that means
 * another patient by it: the first is left alone, and the other is told of. One patient is known by its id, or by the same
 * number at both senders. What was kept before senders were is the first sender's. `orders` the earliest first.
 */
export function ordersApart<T extends Pick<SaidOfStudy, 'status' | 'patientId' | 'facts'>>(
  orders: readonly T[],
): Apart<T> {
  const first = orders.find((order) => !isCancelled(order))?.facts.by?.sender;
  const isOwn = ({ facts: { by } }: T): boolean => first === undefined || by === undefined || by.sender === first;
  const owner = orders.findLast((order) => isOwn(order) && !isCancelled(order));
  const isSame = ({ patientId, facts: { by } }: T): boolean =>
    patientId === owner?.patientId || (by !== undefined && by.patient === owner?.facts.by?.patient);
  const others = orders.filter((order) => owner !== undefined && !isOwn(order) && !isSame(order));
  const last = others.at(-1);
  return {
    own: orders.filter((order) => !others.includes(order)),
    clash: last === undefined || isCancelled(last) ? null : (last.facts.by?.sender ?? null),
  };
}
