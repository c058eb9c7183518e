/**
 * What becomes of a text, each further than the one before; of two ends that contradict each other the one that a
 * person should see. Rows keep these words, so that the file of a vendor with others says them in these.
 */
export const DELIVERY_STATUSES = [
  'accepted', 'scheduled', 'queued', 'sending', 'sent', 'delivered', 'read', 'canceled', 'undelivered', 'failed',
] as const; // prettier-ignore

export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** What a vendor said once of one text. */
export interface Receipt {
  /** The vendor's own id of the text. */
  readonly vendorId: string;
  readonly status: DeliveryStatus;
  /** The vendor's code of why it was not delivered, such as 30003. */
  readonly errorCode: number | null;
}

const further = (one: Receipt, other: Receipt): number =>
  DELIVERY_STATUSES.indexOf(one.status) - DELIVERY_STATUSES.indexOf(other.status) ||
  (one.errorCode ?? 0) - (other.errorCode ?? 0);

/**
 * Of two receipts of one text the one that holds: the furthest, whichever came first. So receipts may come in any
 * order and any number of times, and an end is never taken back by an earlier stage.
 */
export function standingReceipt(one: Receipt, other: Receipt): Receipt {
  return further(one, other) >= 0 ? one : other;
}
