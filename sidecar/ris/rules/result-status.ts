import type { Observation, ReportRows } from './report-text.ts';
import { findIn, rejectionAt, type OrderGroup } from './order-groups.ts';
import type { StatusRow } from './status-row.ts';
import { component, HL7_NULL } from '../../hl7/rules/message.ts';

export type ReportStatus = 'preliminary' | 'final' | 'corrected' | 'cancelled';

const each = (status: ReportStatus, codes: string): [string, ReportStatus][] =>
  codes.split('').map((code) => [code, status]);

// OBR-25, table 0123; M (corrected, not final) and N (procedure done, results pending) of later versions.
const BY_OBR25: ReadonlyMap<string, ReportStatus> = new Map([
  ...each('preliminary', 'OISAPRYZMN'),
  ...each('final', 'F'),
  ...each('corrected', 'C'),
  ...each('cancelled', 'X'),
]);

// OBX-11, table 0085 (A, B and V of later versions), of rows that were not taken back; O and N say nothing of a result.
const BY_OBX11: ReadonlyMap<string, ReportStatus> = new Map([
  ...each('preliminary', 'PRSI'),
  ...each('final', 'FUABV'),
  ...each('corrected', 'C'),
]);

// Of the rest of table 0085: not a result, no results yet, taken back.
const OTHER_OBX11 = new Set(['', HL7_NULL, 'O', 'N', 'D', 'W', 'X']);

/** Whether OBX-11 `code` is of table 0085, in any case and with blanks around it. */
export function isResultStatus(code: string): boolean {
  const status = code.trim().toUpperCase();
  return BY_OBX11.has(status) || OTHER_OBX11.has(status);
}

/** Whether a report of this status is one that the patient may read: the first such sends the text. */
export function isFinal(status: ReportStatus): boolean {
  return status === 'final' || status === 'corrected';
}

/** The least final of these that is among `statuses`. */
export const leastFinal = (statuses: readonly (ReportStatus | undefined)[]): ReportStatus | undefined =>
  (['preliminary', 'corrected', 'final'] as const).find((status) => statuses.includes(status));

/** OBX-11 U: what was sent as preliminary is final as it was, and was not sent again. */
export const standsAsSent = (row: Observation): boolean => row.status === 'U' && row.isBlank;

/** OBR-25 as it was sent, in upper case, with what it says; `undefined` where it says nothing that is known. */
export function statusOfObr(group: OrderGroup): { readonly code: string; readonly said: ReportStatus | undefined } {
  const code = component(findIn(group, 'OBR'), 25).trim().toUpperCase();
  return { code, said: BY_OBR25.get(code) };
}

/**
 * OBR-25 by the rows: a report with a row that is not final yet is not either; one that has nothing left to read, since
 * rows were taken back, is cancelled. Without an OBR-25 the rows alone decide.
 * @throws Hl7Rejection 103 at an OBR-25 of no table, 101 where neither it nor a row says a status.
 */
export function readResultStatus(
  group: OrderGroup,
  { observations, anyRemoved }: ReportRows,
  statusRows: readonly StatusRow[],
): ReportStatus {
  const { code, said } = statusOfObr(group);
  if (said === undefined && code !== '' && code !== HL7_NULL) {
    throw rejectionAt(group, 'OBR', 25, 103, 'OBR-25 is not a result status of table 0123');
  }
  if (said === 'cancelled' || said === 'preliminary') return said;
  if (anyRemoved && observations.every((row) => row.isBlank && !standsAsSent(row))) return 'cancelled';
  if (statusRows.some(({ isComplete }) => !isComplete)) return 'preliminary';
  const rows = observations.length > 0 ? observations : statusRows;
  const byRows = leastFinal(rows.map(({ status }) => BY_OBX11.get(status)));
  const status = byRows === 'preliminary' ? byRows : (said ?? byRows);
  if (status === undefined) throw rejectionAt(group, 'OBR', 25, 101, 'neither OBR-25 nor OBX-11 says a status');
  return status;
}
