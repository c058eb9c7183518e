import type { Delays } from '../../release/rules/delay.ts';
import { decideRelease } from '../../release/rules/release.ts';
import { decideSms, decideTogether, shownSince } from '../rules/hold.ts';
import { tellTogether, type PlannedText, type SmsSubject, type Together } from '../rules/together.ts';

export interface PlanSmsTx {
  /** Of these studies, and of those reported or told of together with them, those of which no text has told yet. */
  loadSmsSubjects(studyIds: readonly string[]): Promise<SmsSubject[]>;
  /** Makes or changes the one text of these studies, with a job to send it where it is queued. */
  saveSmsPlan(text: PlannedText, now: Date): Promise<void>;
  /** Takes out the texts of these studies, which have no final report at all; one that was tried is held instead. */
  takeBackTexts(studyIds: readonly string[], now: Date): Promise<void>;
  /** Has persons see of the texts that were sent what they must: `attention` in the table. */
  markAttention(studyIds: readonly string[], now: Date): Promise<void>;
}

export interface PlanSmsDeps {
  readonly body: (lead: SmsSubject) => string;
  readonly delays: Delays;
  /** Whether a study that no order tells of is texted about. */
  readonly withoutOrder: boolean;
}

/**
 * Decides anew, in the caller's transaction, whether the texts of these studies may go out. To be called after
 * anything that the decision rests on has changed: report, phone number, link, a person's word. Never touches a text
 * once it is being sent.
 */
export async function planSms(deps: PlanSmsDeps, tx: PlanSmsTx, studyIds: readonly string[], now: Date): Promise<void> {
  if (studyIds.length === 0) return;
  const [subjects] = await Promise.all([tx.loadSmsSubjects(studyIds), tx.markAttention(studyIds, now)]);
  const everFinal = subjects.filter(({ release }) => release.reports.some(({ status }) => FINAL.has(status)));
  const without = subjects.filter((subject) => subject.text !== null && !everFinal.includes(subject));
  if (without.length > 0) {
    await tx.takeBackTexts(
      without.map(({ studyId }) => studyId),
      now,
    );
  }
  for (const together of tellTogether(everFinal)) await tx.saveSmsPlan(planned(deps, together, now), now);
}

const FINAL: ReadonlySet<string> = new Set(['final', 'corrected']);

function planned(deps: PlanSmsDeps, { lead, members }: Together, now: Date): PlannedText {
  const release = decideRelease(lead.release, deps.delays, now);
  const { report } = release;
  // A person who has the text sent means all that this message reported.
  const approvedMessage = report !== null && lead.text?.approvedReportId === report.id ? report.messageId : null;
  const ordered = deps.withoutOrder || members.some(({ hasOrder }) => hasOrder);
  const { phoneNumber, phoneProblem, numberDiffers, optedOut } = lead.facts;
  const decided = (subject: SmsSubject) => {
    const own = decideRelease(subject.release, deps.delays, now);
    const shownAt = shownSince(own, subject === lead ? lead.text : null, now);
    const approved = approvedMessage !== null && own.report?.messageId === approvedMessage;
    const facts = { ...subject.facts, phoneNumber, phoneProblem, numberDiffers, optedOut };
    return { plan: decideSms({ ...facts, release: own, shownAt, ordered, approved }, now), shownAt };
  };
  const [first, ...rest] = members;
  const all = [decided(first), ...rest.map(decided)] as const;
  const times = all.flatMap(({ shownAt }) => (shownAt === null ? [] : [shownAt.getTime()]));
  const isShown = report !== null && times.length === all.length;
  return {
    ...{ lead, members },
    plan: decideTogether([all[0].plan, ...all.slice(1).map(({ plan }) => plan)]),
    body: deps.body(lead),
    shown: isShown ? { reportId: report.id, at: new Date(Math.max(...times)) } : null,
  };
}
