const STEPS: Readonly<Record<string, string>> = {
  'report-preliminary': 'wait for the final report',
  'report-cancelled': 'wait for a new report, or tell the patient yourself and end the text',
  'report-patient-differs': 'have the RIS correct the order or the report',
  'report-empty': 'have the RIS send the report with its words, or end the text',
  'report-old': 'see that the report is news to the patient: send the text or end it',
  'report-undated': 'see how old the report is: send the text or end it',
  'report-withdrawn': 'the patient was told of a report that was withdrawn: tell the patient, then end it',
  'report-corrected': 'the patient was told before the report was corrected: tell the patient, then end it',
  'text-to-former-patient': 'it went to the patient whose study it was before: tell both, send it again or end it',
  'patient-deceased': 'speak with the family, and end the text',
  'patient-held': 'let go of the patient when it is time: unhold',
  'study-held': 'let go of the study when it is time: unhold',
  'study-in-review': 'decide to which study the images belong: link or confirm',
  'study-contested': 'decide again to which study the images belong: link or confirm',
  'images-taken-away': 'link the right images, or send the text or end it',
  'images-deleted': 'have the right images sent, or send the text or end it',
  'no-order': 'have the RIS send the order; or send the text, or end it',
  'no-number': 'have the RIS send a mobile number, or call the patient and end the text',
  'no-mobile': 'have the RIS send a mobile number, or call the patient and end the text',
  'unusable-number': 'have the number corrected in the RIS, or call the patient and end the text',
  'number-differs':
    'ask the patient which number is right: have it put right in the RIS, or send the text to the known one',
  'opted-out': 'call the patient and end the text',
  'held-too-long': 'call the patient; or send the text, or end it',
  'end-unclear': 'ask the patient or the vendor whether it came: send the text or end it',
  'no-report': 'nothing: a report is needed first; or end the text',
};

/** What a person can do about a text that is held, failed or needs a look, in words. */
export function nextStep(reason: string | null): string {
  return (reason === null ? undefined : STEPS[reason]) ?? 'call the patient; or send the text again, or end it';
}
