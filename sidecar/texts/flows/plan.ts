import { decideSms, type SmsPlan, type SmsSubject } from '../rules/hold.ts';

export interface PlanSmsTx {
  /** Of these studies those with a final report whose text has not been begun. */
  loadSmsSubjects(studyIds: readonly string[]): Promise<SmsSubject[]>;
  /** Makes or changes the study's one text, with a job to send it where it is queued. */
  saveSmsPlan(subject: SmsSubject, plan: SmsPlan, body: string, now: Date): Promise<void>;
}

export interface PlanSmsDeps {
  readonly body: (subject: SmsSubject) => string;
}

/**
 * Decides anew, in the caller's transaction, whether the texts of these studies may go out. To be called after
 * anything that the decision rests on has changed: report, phone number, link. Never touches a text once it is being
 * sent.
 */
export async function planSms(deps: PlanSmsDeps, tx: PlanSmsTx, studyIds: readonly string[], now: Date): Promise<void> {
  if (studyIds.length === 0) return;
  for (const subject of await tx.loadSmsSubjects(studyIds)) {
    await tx.saveSmsPlan(subject, decideSms(subject.facts, now), deps.body(subject), now);
  }
}
