/**
 * What Twilio says becomes of a message (MessageStatus), each further than the one before; of two ends that contradict
 * each other the one that a person should see.
 */
export const DELIVERY_STATUSES = [
  'accepted', 'scheduled', 'queued', 'sending', 'sent', 'delivered', 'read', 'canceled', 'undelivered', 'failed',
] as const; // prettier-ignore

export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** One status callback. */
export interface Receipt {
  /** Twilio's SID of the message. */
  readonly sid: string;
  readonly status: DeliveryStatus;
  /** Twilio's code of why it was not delivered, such as 30003. */
  readonly errorCode: number | null;
}

/** The fields of a callback's body; a name that came twice has several values. */
export type CallbackFields = Readonly<Record<string, string | readonly string[]>>;

/** The one value of a field, trimmed; empty for one that is not there or came twice. */
export function callbackField(fields: CallbackFields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value.trim() : '';
}

/** A message's SID at Twilio. */
export const MESSAGE_SID = /^(?:SM|MM)[0-9a-f]{32}$/;

/** The receipt of a status callback; `null` where it is none that is known. */
export function readReceipt(fields: CallbackFields): Receipt | null {
  const sid = callbackField(fields, 'MessageSid');
  const status = DELIVERY_STATUSES.find((one) => one === callbackField(fields, 'MessageStatus').toLowerCase());
  if (status === undefined || !MESSAGE_SID.test(sid)) return null;
  const code = callbackField(fields, 'ErrorCode');
  return { sid, status, errorCode: /^[1-9]\d{0,5}$/.test(code) ? Number(code) : null };
}

const further = (one: Receipt, other: Receipt): number =>
  DELIVERY_STATUSES.indexOf(one.status) - DELIVERY_STATUSES.indexOf(other.status) ||
  (one.errorCode ?? 0) - (other.errorCode ?? 0);

/**
 * Of two receipts of one message the one that holds: the furthest, whichever came first. So receipts may come in any
 * order and any number of times, and an end is never taken back by an earlier stage.
 */
export function standingReceipt(one: Receipt, other: Receipt): Receipt {
  return further(one, other) >= 0 ? one : other;
}
