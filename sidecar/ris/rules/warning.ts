/**
 * What was odd in a message that was taken all the same:
 * - `accession-passed-over`: a place of accession numbers holds what cannot be one;
 * - `accession-differs`: OBR-2 and OBR-3 agree on a number, and OBR-18 has another one;
 * - `patient-number-passed-over`: a place of patient numbers holds what cannot be one;
 * - `patient-number-elsewhere`: the patient's number is not from PID-3, so that it counts for this sender and field alone;
 * - `modality-unknown`: neither a code nor the words of OBR-4 say a modality that is known;
 * - `birth-date-unreadable`, `time-unreadable`: a field holds no day or no time;
 * - `phone-not-used`: a note says that a number is somebody else's or is not to be used;
 * - `result-status-unknown`: OBX-11 is of no table, and OBR-25 was believed;
 * - `rows-shared`: the rows of another OBR are this one's too;
 * - `report-without-words`: a final report has neither words nor attachments.
 */
export type WarningCode =
  | 'accession-passed-over'
  | 'accession-differs'
  | 'patient-number-passed-over'
  | 'patient-number-elsewhere'
  | 'modality-unknown'
  | 'birth-date-unreadable'
  | 'time-unreadable'
  | 'phone-not-used'
  | 'result-status-unknown'
  | 'rows-shared'
  | 'report-without-words';

/** One thing to tell an operator. `field` and `detail` name fields, kinds and rules, never what a field holds. */
export interface Warning {
  readonly code: WarningCode;
  /** `OBR-18`. */
  readonly field: string;
  readonly detail: string;
}

/** Is told of each warning while a message is read. */
export type Warn = (warning: Warning) => void;

export const unheard: Warn = () => undefined;

/** These, each once: every group of a message reads the same PID and PV1. */
export function distinctWarnings(warnings: readonly Warning[]): Warning[] {
  const byText = new Map(warnings.map((one) => [[one.code, one.field, one.detail].join('\n'), one]));
  return [...byText.values()];
}
