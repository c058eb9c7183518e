import { accessionKey } from './accession.ts';
import { MAX_GROUPS, tooManyGroups } from '../../hl7/rules/limits.ts';
import { ordinal, wholeComponent, type Hl7Message, type Hl7Segment } from '../../hl7/rules/message.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';

/** One order or report of a message: an ORC/OBR group with what follows it. */
export interface OrderGroup {
  readonly message: Hl7Message;
  /** From 1. */
  readonly number: number;
  readonly segments: readonly Hl7Segment[];
  /** The first of each name among what the message says before its groups (PID, PV1). */
  readonly before: ReadonlyMap<string, Hl7Segment>;
  /** Its ORC stands before another OBR too, so that its numbers need not be this one's. */
  readonly sharesOrc?: boolean;
  /** Its OBR has IPCs of several accession numbers, so that only IPC-1 tells them apart. */
  readonly ofSeveralIpc?: boolean;
}

/**
 * The ORC/OBR groups of an order or report message; an ORC belongs to the OBR that follows it.
 * @throws Hl7Rejection 102 where there are more than {@link MAX_GROUPS}.
 */
export function orderGroups(message: Hl7Message): OrderGroup[] {
  const groups: Hl7Segment[][] = [];
  const before = new Map<string, Hl7Segment>();
  for (const next of message.segments) {
    const current = groups.at(-1);
    const opens = next.name === 'ORC' || (next.name === 'OBR' && current?.some(({ name }) => name === 'OBR') !== false);
    if (opens) groups.push([next]);
    if (groups.length > MAX_GROUPS) throw tooManyGroups(next.name, 'orders (ORC, OBR)');
    if (opens) continue;
    if (current !== undefined) current.push(next);
    else if (!before.has(next.name)) before.set(next.name, next);
  }
  return groups.map((segments, index) => ({ message, number: index + 1, segments, before }));
}

const isNamed =
  (...names: readonly string[]) =>
  ({ name }: Hl7Segment): boolean =>
    names.includes(name);

/** An OBR without an ORC of its own is ordered by the one before it, with what stands between that and its first OBR. */
function withSharedOrc(groups: readonly OrderGroup[]): OrderGroup[] {
  let head: readonly Hl7Segment[] = [];
  const result: OrderGroup[] = [];
  for (const group of groups) {
    if (group.segments.some(isNamed('ORC'))) {
      const obr = group.segments.findIndex(isNamed('OBR'));
      head = obr < 0 ? group.segments : group.segments.slice(0, obr);
      result.push(group);
      continue;
    }
    if (head.length === 0) {
      result.push(group);
      continue;
    }
    const before = result.pop();
    if (before !== undefined) result.push({ ...before, sharesOrc: true });
    result.push({ ...group, segments: [...head, ...group.segments], sharesOrc: true });
  }
  return result;
}

/** Several accession numbers in the IPCs of one OBR (HL7 v2.5.1 chapter 4.5.6) are as many orders. */
function byIpc(group: OrderGroup): OrderGroup[] {
  const numbers = Map.groupBy(group.segments.filter(isNamed('IPC')), (ipc) => accessionKey(wholeComponent(ipc, 1)));
  const told = [...numbers].filter(([key]) => key !== '');
  if (told.length < 2) return [group];
  const rest = group.segments.filter(({ name }) => name !== 'IPC');
  return told.map(([, ipcs]) => ({ ...group, segments: [...rest, ...ipcs], ofSeveralIpc: true }));
}

/**
 * The orders of an order message (HL7 v2.5.1 chapters 4.4.1 and 4.4.12), one for each OBR, and for each accession number
 * of its IPCs.
 */
export function ordersOf(message: Hl7Message): OrderGroup[] {
  return withSharedOrc(orderGroups(message)).flatMap(byIpc);
}

/** The group's first segment of that name. */
export const findIn = (group: OrderGroup, name: string): Hl7Segment | undefined => group.segments.find(isNamed(name));

/** The segment of that name in the group, else among what the message says before its groups (PID, PV1). */
export function findForGroup(group: OrderGroup, name: string): Hl7Segment | undefined {
  return findIn(group, name) ?? group.before.get(name);
}

/** A rejection that points at a field of the group's segment of that name. */
export function rejectionAt(
  group: OrderGroup,
  name: string,
  field: number,
  code: 101 | 102 | 103,
  reason: string,
): Hl7Rejection {
  const at = findIn(group, name);
  const which = at === undefined ? group.number : ordinal(group.message, at);
  return new Hl7Rejection(code, reason, { segment: name, ordinal: which, field });
}
