import type { Hl7Message } from '../core/hl7-message.ts';
import type { Hl7Settings } from '../core/hl7-settings.ts';
import { readOrderMessage } from '../core/order.ts';
import { saidAt, type MessageFacts } from '../core/ris-facts.ts';

/**
 * What ORM^O01, OMG^O19 or OMI^O23 says: patient and studies, on which every link and text rests. A cancelled order lets
 * go of nothing; what was said later holds, whenever it comes.
 * @throws Hl7Rejection for one that will never be applied.
 */
export function receiveOrder(message: Hl7Message, settings: Hl7Settings, receivedAt: Date): MessageFacts {
  const { patient, orders } = readOrderMessage(message, settings);
  return {
    saidAt: saidAt(message, receivedAt, settings.timeZone),
    patients: [patient],
    merges: [],
    orders: orders.map((order) => ({ patient: 0, ...order })),
    reports: [],
  };
}
