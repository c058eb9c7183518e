/** What texts come from: a number, a short code, or a name of 3 to 11 letters, digits and blanks. */
export const SENDER = /^(?:\+?\d{3,15}|(?=.*[A-Za-z])[A-Za-z0-9 ]{3,11})$/;

const NAME = /[A-Za-z]/;

/** A thing about the sender that works and yet should be mended. */
export interface SenderWarning {
  readonly seen: string;
  readonly todo: string;
}

/**
 * What patients cannot do or see because of the sender and the words of texts. In Australia texts must name who sends them
 * and how to say stop (Spam Act 2003), and names must be registered (SMS Sender ID Register).
 */
export function senderWarnings(settings: {
  readonly from: string | undefined;
  readonly template: string;
  readonly practice: string | undefined;
}): SenderWarning[] {
  const { from, template, practice } = settings;
  const named = practice !== undefined && template.toLowerCase().includes(practice.toLowerCase());
  const warnings: SenderWarning[] = [];
  if (from !== undefined && NAME.test(from)) {
    warnings.push({
      seen: 'texts come from a name, which nobody can answer STOP to',
      todo: 'Let them come from a number. Else say in SMS_TEMPLATE how to have no more of them, and register the name: in Australia with the SMS Sender ID Register.',
    });
  }
  if (!template.includes('{practice}') && !named) {
    warnings.push({
      seen: 'texts do not say who sends them',
      todo: 'Put {practice} into SMS_TEMPLATE, and set PRACTICE_NAME.',
    });
  }
  return warnings;
}
