import { component, type Hl7Segment } from '../../hl7/rules/message.ts';

/** An OBX that tells how far the report is, and is none of its words: `STATUS` / `REPORT_COMPLETE`. */
export interface StatusRow {
  /** OBX-11. */
  readonly status: string;
  readonly isComplete: boolean;
}

const NAMED_STATUS = /^(?:(?:report|result|exam|study)[\s_-]?)?status$/i;
/** A code, as against words of a report that happens to be headed `Status`. */
const CODE = /^[A-Z]+(?:_[A-Z]+)+$/;
/** Voyager's own, under any name or as the name itself. */
const OF_REPORT = /^REPORT(?:_[A-Z]+)+$/i;
const STATE =
  /^(?:(?:report|result|exam|study)[\s_-]?)?(?:complete|completed|final|finali[sz]ed|verified|authori[sz]ed|approved|signed|incomplete|draft|prelim|preliminary|pending|in[\s_-]progress|unverified|dictated|transcribed|typed|cancelled|canceled)$/i;
const NOT_COMPLETE =
  /(?:^|[\s_-])(?:incomplete|draft|prelim|preliminary|pending|progress|unverified|dictated|transcribed|typed|cancell?ed|not|un\w+)(?:$|[\s_-])/i;

/** The OBX as a row that tells a state; `null` where it is one of the report. */
export function statusRow(obx: Hl7Segment): StatusRow | null {
  const names = [1, 2].map((part) => component(obx, 3, part).trim());
  const value = component(obx, 5).trim() || (names.find((name) => OF_REPORT.test(name)) ?? '');
  const isNamed = names.some((name) => NAMED_STATUS.test(name));
  if (!OF_REPORT.test(value) && !(isNamed && (CODE.test(value) || STATE.test(value)))) return null;
  return { status: component(obx, 11).trim().toUpperCase(), isComplete: !NOT_COMPLETE.test(value) };
}
