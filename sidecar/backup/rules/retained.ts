/**
 * Each kind of thing that is let go of once it is old enough, in the order in which they go: the setting that says after
 * how many days (0: never), and what goes. Its statement is in sidecar/backup/io/retention-rows.ts, and
 * docs/operations.md explains it.
 */
export const RETAINED = [
  { kind: 'messages', setting: 'RETAIN_HL7_DAYS', what: 'the text of applied messages' },
  { kind: 'auditRows', setting: 'RETAIN_AUDIT_DAYS', what: 'rows of the audit log' },
  { kind: 'blobs', setting: 'RETAIN_BLOBS_DAYS', what: 'blobs of images that were deleted' },
] as const;

export type RetainedKind = (typeof RETAINED)[number]['kind'];

/** The settings that say for how many days what is kept. */
export type RetentionSetting = (typeof RETAINED)[number]['setting'];
export type RetentionDays = Readonly<Record<RetentionSetting, number>>;

/** The kinds that are not kept for ever, each with its days. */
export const limitedKinds = (settings: RetentionDays): { readonly kind: RetainedKind; readonly days: number }[] =>
  RETAINED.map(({ kind, setting }) => ({ kind, days: settings[setting] })).filter(({ days }) => days > 0);
