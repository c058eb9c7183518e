/** One value of a gauge that is looked up when it is asked for; `label` and `label2` are the values of its labels. */
export interface Sample {
  readonly gauge: GaugeName;
  readonly label?: string;
  readonly label2?: string;
  readonly value: number;
}

/**
 * Each gauge that is looked up: what looks it up, its help and the name of its label, if it has one. Beside this it needs
 * only what looks it up: a statement in sidecar/monitoring/io/gauge-rows.ts for those of the database, else a collector
 * in sidecar/monitoring/scrapes.ts.
 */
export const GAUGES = {
  axis_part_ready: { source: 'parts', help: '1 while that part answers, as /readyz says', label: 'part' },
  axis_feed_lag_changes: {
    source: 'feed',
    help: "Changes of Orthanc's feed that are not taken yet, 0 when no new instance is among them",
  },
  axis_feed_lag_seconds: { source: 'database', help: 'Time since the feed was last read to its end' },
  axis_studies: { source: 'database', help: 'DICOM studies by the status of their link', label: 'status' },
  axis_reviews: {
    source: 'database',
    help: 'DICOM studies in review by cause and by the program that sent them',
    label: 'cause',
    label2: 'calling_ae',
  },
  axis_review_oldest_age_seconds: { source: 'database', help: 'Age of the oldest DICOM study in review' },
  axis_reports_withheld: {
    source: 'database',
    help: 'Reports that are withheld because they name another patient',
  },
  axis_mirror_images: { source: 'database', help: 'Images that are not mirrored, by status', label: 'status' },
  axis_mirror_oldest_pending_age_seconds: {
    source: 'database',
    help: 'Age of the oldest image that waits to be mirrored',
  },
  axis_jobs: { source: 'database', help: 'Jobs of the queue by state: waiting, running, given-up', label: 'state' },
  axis_jobs_oldest_due_age_seconds: {
    source: 'database',
    help: 'How long the oldest job that is due and not begun has been due, by task',
    label: 'task',
  },
  axis_sms_messages: { source: 'database', help: 'Texts by state', label: 'state' },
  axis_sms_oldest_unsettled_age_seconds: {
    source: 'database',
    help: 'Time since the oldest text whose sending has no known end was begun',
  },
  axis_sms_oldest_queued_age_seconds: {
    source: 'database',
    help: 'Time since the oldest text that waits to be sent was queued',
  },
  axis_sms_without_order: {
    source: 'database',
    help: 'Texts that wait since more than an hour for an order',
  },
  axis_sms_without_order_share: {
    source: 'database',
    help: 'Share of them in the texts of the day that ended an hour ago',
  },
  axis_sms_undelivered_last_day: {
    source: 'database',
    help: 'Texts that the vendor said in the last 24 hours it could not deliver',
  },
  axis_hl7_last_message_timestamp_seconds: {
    source: 'database',
    help: 'When the last HL7 message came that was answered for good',
  },
  axis_practice_hour: { source: 'clock', help: "The hour of the day in the practice's time zone, with its part" },
  axis_practice_weekday: {
    source: 'clock',
    help: "The day of the week in the practice's time zone, from 1 for Monday to 7",
  },
  axis_failures: {
    source: 'database',
    help: 'Rows of the table failures, which wait for a person, by part',
    label: 'part',
  },
  axis_backup_last_success_timestamp_seconds: { source: 'database', help: 'When the last good backup ended' },
  axis_certificate_expiry_timestamp_seconds: {
    source: 'certificates',
    help: 'When a certificate that a setting names ends, by that setting',
    label: 'setting',
  },
} as const;

export type GaugeName = keyof typeof GAUGES;

/** What looks gauges up: together, so that they are there or absent together. */
export type SourceName = (typeof GAUGES)[GaugeName]['source'];

export const isGauge = (name: unknown): name is GaugeName => typeof name === 'string' && Object.hasOwn(GAUGES, name);

// Labels are bounded, so that what a sender writes never becomes one.

/** The message types (HL7 v2.5.1 table 0076 with 0003) that are told apart: those that are taken. */
export const HL7_TYPE_LABELS: readonly string[] = [
  'ORM^O01', 'OMI^O23', 'OMG^O19', 'ORU^R01', 'ADT^A01', 'ADT^A04', 'ADT^A05', 'ADT^A08', 'ADT^A18', 'ADT^A28', 'ADT^A31',
  'ADT^A34', 'ADT^A36', 'ADT^A40', 'other',
]; // prettier-ignore

/** The `type` label of a message: `ORM^O01` and the like, else `other`. An ORM or ORU without an event has but one. */
export function hl7TypeLabel(type: string, event: string): string {
  const meant = event === '' && (type === 'ORM' || type === 'ORU') ? { ORM: 'O01', ORU: 'R01' }[type] : event;
  const label = `${type}^${meant}`;
  return HL7_TYPE_LABELS.includes(label) ? label : 'other';
}

/** The `answer` label of an acknowledgment: MSA-1, or `none` where it has none. */
export function hl7AnswerLabel(acknowledgment: string): 'AA' | 'AE' | 'AR' | 'none' {
  const answer = /\rMSA\|(AA|AE|AR)/.exec(acknowledgment)?.[1];
  return answer === 'AA' || answer === 'AE' || answer === 'AR' ? answer : 'none';
}
