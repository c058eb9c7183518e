import type { Hl7Message } from '../core/hl7-message.ts';
import type { Hl7Settings } from '../core/hl7-settings.ts';
import { readReportMessage } from '../core/report.ts';
import { saidAt, type MessageFacts } from '../core/ris-facts.ts';

export interface ReportTx {
  lockLinking(): Promise<void>;
  /** Keeps what the message says and folds what it bears on anew; gives the ids of those RIS studies. */
  keepFacts(hl7MessageId: string, facts: MessageFacts, now: Date): Promise<string[]>;
}

export interface ReportDeps<Tx extends ReportTx> {
  readonly settings: Hl7Settings;
  readonly studiesChanged: (tx: Tx, studyIds: readonly string[], now: Date) => Promise<void>;
}

/**
 * Applies ORU^R01 in the caller's transaction: attaches each report to its study, which PID and OBR make where no order
 * came yet, and lets the study's one text go out with the first final report. A report never moves a study to another
 * patient, only an order does: one that names another patient is kept, withheld, until they agree.
 * @throws Hl7Rejection before anything is written.
 */
export async function receiveReport<Tx extends ReportTx>(
  deps: ReportDeps<Tx>,
  tx: Tx,
  message: Hl7Message,
  hl7MessageId: string,
  now: Date,
): Promise<void> {
  const { patient, reports } = readReportMessage(message, deps.settings);
  await tx.lockLinking();
  const facts = {
    saidAt: saidAt(message, now, deps.settings.timeZone),
    patients: [patient],
    merges: [],
    orders: [],
    reports: reports.map((report) => ({ patient: 0, report })),
  };
  await deps.studiesChanged(tx, await tx.keepFacts(hl7MessageId, facts, now), now);
}
