/** What is written in the audit log; the database's own list is in sql/0016-audit-opt-outs.sql. */
export const AUDIT_EVENTS = [
  'upload', 'upload-refused', 'access-refused', 'hl7-refused-sender', 'operator-act', 'operator-view', 'replay',
  'text-sent', 'text-failed', 'text-held', 'opt-out', 'opt-in', 'key-made', 'key-withdrawn', 'started', 'stopped',
  'audit-read', 'audit-forgotten', 'audit-lost',
] as const; // prettier-ignore
export type AuditEvent = (typeof AUDIT_EVENTS)[number];

export const AUDIT_OUTCOMES = ['ok', 'refused', 'failed'] as const;

/** Ids and codes only: no patient's name, number or report, nothing that a stranger sent but the address. */
export interface AuditEntry {
  readonly at: Date;
  readonly event: AuditEvent;
  /** A key's name, with the person where one is named; `''` where nobody is known. */
  readonly who: string;
  /** The address it came from, or the machine. */
  readonly source: string;
  /** A code. */
  readonly what: string;
  readonly studyInstanceUid?: string | null;
  readonly accessionNumber?: string | null;
  readonly hl7MessageId?: string | null;
  readonly outcome: (typeof AUDIT_OUTCOMES)[number];
  readonly detail?: Readonly<Record<string, string | number | boolean | readonly string[]>>;
}

/** An entry as it stands in the log. */
export interface AuditRow {
  /** Without gaps, in the order of writing. */
  readonly id: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly event: AuditEvent;
  readonly who: string;
  readonly source: string;
  readonly what: string;
  readonly studyInstanceUid: string | null;
  readonly accessionNumber: string | null;
  readonly hl7MessageId: string | null;
  readonly outcome: (typeof AUDIT_OUTCOMES)[number];
  readonly detail: Readonly<Record<string, unknown>>;
  /** SHA-256 over the former row's and this row's content, in hex. */
  readonly hash: string;
}

const UID = /^[0-9.]{1,64}$|^[0-9a-f]{8}(-[0-9a-f]{8}){4}$/;

/** `text` where it can be a Study Instance UID, or Orthanc's id of a study without one; what else was typed is not kept. */
export const uidOrNull = (text: string): string | null => (UID.test(text) ? text : null);

const MAX_LENGTH = 600;

/** As the log takes it: without control characters and lone surrogates, of bounded length. */
export const auditText = (text: string): string =>
  text
    .replace(/\p{Cc}/gu, ' ')
    .slice(0, MAX_LENGTH)
    .toWellFormed()
    .trim();
