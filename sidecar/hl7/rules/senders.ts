import { buildAck } from './ack.ts';
import { component, segment, type Hl7Message } from './message.ts';
import { testOrder } from './test-message.ts';

/** Who may send: MSH-3, and MSH-4 unless it is `null`. */
export interface AllowedSender {
  readonly application: string;
  readonly facility: string | null;
}

const fold = (text: string): string => text.trim().toUpperCase();

/** `VOYAGER|CLINIC; OTHER`: entries parted by `;`, each MSH-3, or MSH-3|MSH-4. Gives every problem, by its entry. */
export function parseAllowedSenders(text: string): {
  readonly senders: readonly AllowedSender[];
  readonly problems: readonly string[];
} {
  const senders: AllowedSender[] = [];
  const problems: string[] = [];
  const entries = text.split(';').filter((entry) => entry.trim() !== '');
  for (const [index, entry] of entries.entries()) {
    const [application = '', facility, ...rest] = entry.split('|').map(fold);
    if (application === '' || facility === '' || rest.length > 0) {
      problems.push(`entry ${index + 1}: must be a sender: MSH-3, or MSH-3|MSH-4`);
    } else {
      senders.push({ application, facility: facility ?? null });
    }
  }
  return { senders, problems };
}

/** Whether the message says that it comes from one of these; one that cannot be read does not. */
export function isAllowedSender(message: Hl7Message | null, senders: readonly AllowedSender[]): boolean {
  const msh = message === null ? undefined : segment(message, 'MSH');
  const [application, facility] = [fold(component(msh, 3)), fold(component(msh, 4))];
  return senders.some(
    (sender) => sender.application === application && (sender.facility === null || sender.facility === facility),
  );
}

/**
 * Whether it is the test order of `axis doctor`, byte for byte but for its MSH-7 and MSH-10. That may come without being
 * listed: the doctor could not tell a list that is right from one that shuts out everybody, and listing it would let its
 * name send all else too. It is a test without effect, of some 250 bytes; of whoever copies it only some an hour are kept.
 */
export function isDoctorsTest(message: Hl7Message | null, raw: Buffer): boolean {
  const msh = message === null ? undefined : segment(message, 'MSH');
  const [at, controlId] = [component(msh, 7), component(msh, 10)];
  const alike = /^\d{14}\+0000$/.test(at) && /^DOC[0-9A-F]{16}$/.test(controlId);
  return alike && raw.equals(Buffer.from(testOrder(controlId, at)));
}

/** What the doctor is told whose test orders are too many for a sender that is not listed. */
export function tooManyTestsAck(message: Hl7Message | null, now: Date, controlId: string): string {
  const text = 'too many test orders of this sender: wait an hour, or list it in HL7_ALLOWED_SENDERS';
  return buildAck(message ?? undefined, { code: 'AR', text, errorCode: 207 }, now, controlId);
}

/**
 * What a stranger is told: AR (HL7 v2.5.1 chapter 2.9.2), with 103 of table 0357 at MSH-3, which is of the user's table
 * 0361. It says nothing of who may send.
 */
export function strangerAck(message: Hl7Message | null, now: Date, controlId: string): string {
  const text = 'this sender (MSH-3, MSH-4) is not known here';
  const location = { segment: 'MSH', ordinal: 1, field: 3 };
  return buildAck(message ?? undefined, { code: 'AR', text, errorCode: 103, location }, now, controlId);
}
