import type { Hl7Settings } from '../../hl7/rules/field-settings.ts';
import { component, segment, type Hl7Message } from '../../hl7/rules/message.ts';
import { parseHl7Time } from '../../hl7/rules/time.ts';
import { saidAt, type MessageFacts } from './facts.ts';
import { readOrderMessage } from './order.ts';
import { readPatientMessage } from './patient-update.ts';
import { readReportMessage } from './report.ts';

/**
 * What ORM^O01, OMG^O19 or OMI^O23 says: patient and studies, on which every link and text rests. A cancelled order lets
 * go of nothing; what was said later holds, whenever it comes.
 * @throws Hl7Rejection for one that will never be applied.
 */
export function readOrder(message: Hl7Message, settings: Hl7Settings, receivedAt: Date): MessageFacts {
  const { patient, orders } = readOrderMessage(message, settings);
  return {
    saidAt: saidAt(message, receivedAt, settings.timeZone),
    patients: [patient],
    merges: [],
    orders: orders.map((order) => ({ patient: 0, ...order })),
    reports: [],
  };
}

/**
 * What ORU^R01 says: a report for each study, which PID and OBR make where no order came yet; the study's one text goes
 * out with the first final one. A report never moves a study to another patient, only an order does: one that names
 * another patient is kept, withheld, until they agree.
 * @throws Hl7Rejection for one that will never be applied.
 */
export function readReport(message: Hl7Message, settings: Hl7Settings, receivedAt: Date): MessageFacts {
  const { patient, reports } = readReportMessage(message, settings);
  const untimed = parseHl7Time(component(segment(message, 'MSH'), 7), settings.timeZone) === null;
  return {
    saidAt: saidAt(message, receivedAt, settings.timeZone),
    patients: [patient],
    merges: [],
    orders: [],
    reports: reports.map((report) => ({
      patient: 0,
      report: { ...report, undated: untimed && report.reportedAt === null },
    })),
  };
}

/**
 * What ADT^A08, A31 (and A01, A04, A05, A28) and the merges of A40 say. Everything of a merged patient, known or not, is
 * the survivor's, now and for whatever comes later.
 * @throws Hl7Rejection for one that will never be applied.
 */
export function readPatientUpdate(message: Hl7Message, settings: Hl7Settings, receivedAt: Date): MessageFacts {
  const update = readPatientMessage(message, settings);
  const merges = update.kind === 'merge' ? update.merges : [];
  return {
    saidAt: saidAt(message, receivedAt, settings.timeZone),
    patients: update.kind === 'merge' ? merges.flatMap(({ patient, prior }) => [patient, prior]) : [update.patient],
    merges: merges.map((_, index) => ({ prior: index * 2 + 1, survivor: index * 2 })),
    orders: [],
    reports: [],
  };
}
