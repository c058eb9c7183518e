import { settingsFor, type Hl7Settings } from '../../hl7/rules/field-settings.ts';
import { component, segment, type Hl7Message } from '../../hl7/rules/message.ts';
import { latestMeant, parseHl7Time } from '../../hl7/rules/time.ts';
import { saidAt, type MessageFacts } from './facts.ts';
import { readOrderMessage } from './order.ts';
import {
  readMovementDeath,
  readMovementMerges,
  readPatientMessage,
  type PatientFacts,
  type PatientMerge,
} from './patient-update.ts';
import type { Identifier } from './patient-number.ts';
import { readReportMessage } from './report.ts';
import type { Warning } from './warning.ts';

/** The zone that the sender's MSH-7 is in. */
function clockZone(message: Hl7Message, settings: Hl7Settings): string {
  const { clockZone: zone, timeZone } = settingsFor(message, settings);
  return zone ?? timeZone;
}

const AHEAD_MS = 5 * 60_000;
const BEHIND_MS = 3_600_000;

/** What is odd in MSH-7: no time, or one that this sender's clock, zone or queue makes differ from ours. */
function timeWarning(written: string, receivedAt: Date, timeZone: string): Warning | null {
  if (written === '') return null;
  const at = parseHl7Time(written, timeZone)?.instant;
  if (at === undefined) {
    const detail = 'is no time; the message counts as said when it came';
    return { code: 'time-unreadable', field: 'MSH-7', detail };
  }
  const last = latestMeant(written, timeZone, receivedAt) ?? at;
  const behindMs = receivedAt.getTime() - (at > receivedAt ? at : last).getTime();
  if (behindMs <= BEHIND_MS && behindMs >= -AHEAD_MS) return null;
  const hours = (Math.abs(behindMs) / 3_600_000).toFixed(1);
  const detail =
    behindMs > 0 ? `is ${hours} h behind: late, or another time zone (clock= in HL7_SENDERS)` : `is ${hours} h ahead`;
  return { code: 'sender-clock', field: 'MSH-7', detail };
}

/** The warnings of a message, one on its MSH-7 among them. */
function withTime(
  message: Hl7Message,
  settings: Hl7Settings,
  receivedAt: Date,
  warnings: readonly Warning[],
): readonly Warning[] {
  const written = component(segment(message, 'MSH'), 7).trim();
  const odd = timeWarning(written, receivedAt, clockZone(message, settings));
  return odd === null ? warnings : [odd, ...warnings];
}

type Merged = Pick<MessageFacts, 'patients' | 'merges'>;

/** These patients, and after them their other numbers, each the same patient's. */
function withOthers(all: readonly (PatientFacts | Identifier)[], merges: MessageFacts['merges']): Merged {
  const numbers = all.flatMap((one, survivor) =>
    'others' in one ? (one.others ?? []).map((other) => ({ other, survivor })) : [],
  );
  const patients = all.map((one) => {
    if (!('others' in one)) return one;
    const { others, ...patient } = one;
    return others === undefined ? one : patient;
  });
  return {
    patients: [...patients, ...numbers.map(({ other }) => other)],
    merges: [
      ...merges,
      ...numbers.map(({ survivor }, index) => ({ prior: all.length + index, survivor, kind: 'same' as const })),
    ],
  };
}

/** Each survivor before its prior. */
function mergesOf(merges: readonly PatientMerge[]): Merged {
  const known = new Set<PatientFacts>();
  const patients = merges.flatMap(({ patient, prior }) => {
    const isFirst = !known.has(patient);
    known.add(patient);
    return [isFirst ? patient : { ...patient, others: undefined }, prior];
  });
  return withOthers(
    patients,
    merges.map((_, index) => ({ prior: index * 2 + 1, survivor: index * 2 })),
  );
}

/**
 * What ORM^O01, OMG^O19 or OMI^O23 says: patient and studies, on which every link and text rests. A cancelled order lets
 * go of nothing; what was said later holds, whenever it comes.
 * @throws Hl7Rejection for one that will never be applied.
 */
export function readOrder(message: Hl7Message, settings: Hl7Settings, receivedAt: Date): MessageFacts {
  const { patient, orders, elsewhere, warnings } = readOrderMessage(message, settings);
  const msh = segment(message, 'MSH');
  return {
    sender: [component(msh, 3), component(msh, 4)].map((part) => part.trim().toUpperCase()).join('|'),
    saidAt: saidAt(message, receivedAt, clockZone(message, settings)),
    ...withOthers([patient], []),
    orders: orders.map((order, index) => ({ patient: 0, ...order, elsewhere: elsewhere[index] ?? [] })),
    reports: [],
    warnings: withTime(message, settings, receivedAt, warnings),
  };
}

/**
 * What ORU^R01 says: a report for each study, which PID and OBR make where no order came yet; the study's one text goes
 * out with the first final one. A report never moves a study to another patient, only an order does: one that names
 * another patient is kept, withheld, until they agree.
 * @throws Hl7Rejection for one that will never be applied.
 */
export function readReport(message: Hl7Message, settings: Hl7Settings, receivedAt: Date): MessageFacts {
  const { patient, reports, warnings } = readReportMessage(message, settings);
  const untimed = parseHl7Time(component(segment(message, 'MSH'), 7), settings.timeZone) === null;
  return {
    saidAt: saidAt(message, receivedAt, clockZone(message, settings)),
    ...withOthers([patient], []),
    orders: [],
    reports: reports.map((report) => ({
      patient: 0,
      report: { ...report, undated: untimed && report.reportedAt === null },
    })),
    warnings: withTime(message, settings, receivedAt, warnings),
  };
}

/**
 * What ADT^A08, A31 (and A01, A04, A05, A28) and the merges of A40 say. Everything of a merged patient, known or not, is
 * the survivor's, now and for whatever comes later, until A37 takes it back.
 * @throws Hl7Rejection for one that will never be applied.
 */
export function readPatientUpdate(message: Hl7Message, settings: Hl7Settings, receivedAt: Date): MessageFacts {
  const update = readPatientMessage(message, settings);
  const merged = (): Merged => {
    if (update.kind === 'merge') return mergesOf(update.merges);
    if (update.kind === 'update') return withOthers([update.patient], []);
    return { patients: update.patients, merges: [{ prior: 0, survivor: 1, kind: 'apart' }] };
  };
  return {
    saidAt: saidAt(message, receivedAt, clockZone(message, settings)),
    ...merged(),
    orders: [],
    reports: [],
    warnings: withTime(message, settings, receivedAt, update.warnings),
  };
}

/**
 * What a message of an ignored type says all the same: the merges of an ADT, of whose survivor its number alone counts, and
 * else whether the patient has died (PID-30).
 */
export function readIgnored(message: Hl7Message, settings: Hl7Settings, receivedAt: Date): MessageFacts {
  const isAdt = component(segment(message, 'MSH'), 9) === 'ADT';
  const merges = isAdt ? readMovementMerges(message, settings) : [];
  const death = isAdt && merges.length === 0 ? readMovementDeath(message, settings) : null;
  return {
    saidAt: saidAt(message, receivedAt, clockZone(message, settings)),
    patients: [
      ...merges.flatMap(({ patient: { externalId, issuer }, prior }) => [{ externalId, issuer }, prior]),
      ...(death === null ? [] : [death]),
    ],
    merges: merges.map((_, index) => ({ prior: index * 2 + 1, survivor: index * 2 })),
    orders: [],
    reports: [],
    warnings: [],
  };
}
