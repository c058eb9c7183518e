import type { ReleaseSettings } from '../release/settings.ts';
import { planSms, type PlanSmsTx } from './flows/plan.ts';
import type { SmsSubject } from './rules/together.ts';
import { smsText } from './rules/wording.ts';
import type { TextsSettings } from './settings.ts';

/** Decides anew, in the caller's transaction, whether the texts of these studies may go out. */
export type PlanTexts = (tx: PlanSmsTx, studyIds: readonly string[], at: Date) => Promise<void>;

/** Plans texts by the rules and in the words that the settings give. */
export function createPlanTexts(
  settings: Pick<TextsSettings, 'SMS_TEMPLATE' | 'PRACTICE_NAME' | 'TEXT_WITHOUT_ORDER'> &
    ReleaseSettings & { readonly PORTAL_URL?: string | undefined },
): PlanTexts {
  const { SMS_TEMPLATE: template, PORTAL_URL: portalUrl, PRACTICE_NAME: practice } = settings;
  const body = ({ modality, accessionNumber }: SmsSubject): string =>
    portalUrl === undefined ? '' : smsText({ template, portalUrl, practice, modality, accessionNumber });
  const deps = { body, delays: settings.RELEASE_DELAY, withoutOrder: settings.TEXT_WITHOUT_ORDER };
  return (tx, studyIds, at) => planSms(deps, tx, studyIds, at);
}
