import type { PatientFacts } from '../core/adt.ts';
import type { Hl7Message } from '../core/hl7-message.ts';
import { Hl7Rejection } from '../core/hl7-rejection.ts';
import type { Hl7Settings, StudyFacts } from '../core/order.ts';
import { readReportMessage, type Report } from '../core/report.ts';

export interface ReportTx {
  lockLinking(): Promise<void>;
  savePatient(patient: PatientFacts, now: Date): Promise<string>;
  saveStudy(study: StudyFacts, patientId: string, status: undefined, now: Date): Promise<string>;
  studiesOfPatient(patientId: string): Promise<string[]>;
  studyOfAccession(accessionNumber: string): Promise<{ id: string; patientId: string } | undefined>;
  /** Adds the report as the study's next version. */
  saveReport(studyId: string, report: Report, hl7MessageId: string, now: Date): Promise<void>;
}

export interface ReportDeps<Tx extends ReportTx> {
  readonly settings: Hl7Settings;
  readonly studiesChanged: (tx: Tx, studyIds: readonly string[], now: Date) => Promise<void>;
}

/**
 * Applies ORU^R01 in the caller's transaction: attaches each report to its study, which PID and OBR make where no order
 * came yet, and lets the study's one text go out with the first final report.
 * @throws Hl7Rejection for what cannot be read, and 204 where the study is another patient's: a report never moves a
 * study to another patient, only an order does.
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
  const patientId = await tx.savePatient(patient, now);
  const studyIds: string[] = [];
  for (const report of reports) {
    const known = await tx.studyOfAccession(report.study.accessionNumber);
    if (known !== undefined && known.patientId !== patientId) {
      const location = { segment: 'PID', ordinal: 1, field: 3 };
      throw new Hl7Rejection(204, 'PID-3 is not the patient of this accession number', location);
    }
    const studyId = await tx.saveStudy(report.study, patientId, undefined, now);
    await tx.saveReport(studyId, report, hl7MessageId, now);
    studyIds.push(studyId);
  }
  await deps.studiesChanged(tx, [...new Set([...studyIds, ...(await tx.studiesOfPatient(patientId))])], now);
}
