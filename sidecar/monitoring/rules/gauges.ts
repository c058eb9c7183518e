/** One value of a gauge that is looked up when it is asked for; `label` and `label2` are the values of its labels. */
export interface Sample {
  readonly gauge: GaugeName;
  readonly label?: string;
  readonly label2?: string;
  readonly value: number;
}

/** Each gauge that is looked up, its help and the names of its labels, if it has any. */
export const GAUGES = {
  axis_part_ready: ['1 while that part answers, as /readyz says', 'part'],
  axis_feed_lag_changes: ["Changes of Orthanc's feed that are not taken yet, 0 when no new instance is among them"],
  axis_feed_lag_seconds: ['Time since the feed was last read to its end'],
  axis_studies: ['DICOM studies by the status of their link', 'status'],
  axis_reviews: ['DICOM studies in review by cause and by the program that sent them', 'cause', 'calling_ae'],
  axis_review_oldest_age_seconds: ['Age of the oldest DICOM study in review'],
  axis_reports_withheld: ['Reports that are withheld because they name another patient'],
  axis_mirror_images: ['Images that are not mirrored, by status', 'status'],
  axis_mirror_oldest_pending_age_seconds: ['Age of the oldest image that waits to be mirrored'],
  axis_jobs: ['Jobs of the queue by state: waiting, running, given-up', 'state'],
  axis_jobs_oldest_due_age_seconds: ['How long the oldest job that is due and not begun has been due, by task', 'task'],
  axis_sms_messages: ['Texts by state', 'state'],
  axis_sms_oldest_unsettled_age_seconds: ['Time since the oldest text whose sending has no known end was begun'],
  axis_sms_oldest_queued_age_seconds: ['Time since the oldest text that waits to be sent was queued'],
  axis_sms_undelivered_last_day: ['Texts that Twilio said in the last 24 hours it could not deliver'],
  axis_hl7_last_message_timestamp_seconds: ['When the last HL7 message came that was answered for good'],
  axis_practice_hour: ["The hour of the day in the practice's time zone, with its part"],
  axis_practice_weekday: ["The day of the week in the practice's time zone, from 1 for Monday to 7"],
  axis_failures: ['Rows of the table failures, which wait for a person, by part', 'part'],
  axis_backup_last_success_timestamp_seconds: ['When the last good backup ended'],
  axis_certificate_expiry_timestamp_seconds: [
    'When a certificate that a setting names ends, by that setting',
    'setting',
  ],
} as const;

export type GaugeName = keyof typeof GAUGES;

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
