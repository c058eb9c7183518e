import type { Hl7Message } from '../core/hl7-message.ts';
import type { Hl7Settings } from '../core/hl7-settings.ts';
import { readReportMessage } from '../core/report.ts';
import { saidAt, type MessageFacts } from '../core/ris-facts.ts';

/**
 * What ORU^R01 says: a report for each study, which PID and OBR make where no order came yet; the study's one text goes
 * out with the first final one. A report never moves a study to another patient, only an order does: one that names
 * another patient is kept, withheld, until they agree.
 * @throws Hl7Rejection for one that will never be applied.
 */
export function receiveReport(message: Hl7Message, settings: Hl7Settings, receivedAt: Date): MessageFacts {
  const { patient, reports } = readReportMessage(message, settings);
  return {
    saidAt: saidAt(message, receivedAt, settings.timeZone),
    patients: [patient],
    merges: [],
    orders: [],
    reports: reports.map((report) => ({ patient: 0, report })),
  };
}
