import { z } from 'zod';
import { httpUrl, parsed, yesOrNo } from '../platform/settings.ts';
import { SENDER } from './rules/sender.ts';
import { checkTemplate, DEFAULT_TEMPLATE, parseSmsHours } from './rules/wording.ts';

// What Twilio posts to, and signs: a path may follow, so no query.
const publicUrl = httpUrl.transform((text, context) => {
  const { search, hash, username, password } = new URL(text);
  if (`${search}${hash}${username}${password}` === '' && !/[?#]$/.test(text)) return text.replace(/\/+$/, '');
  context.addIssue({ code: 'custom', message: 'must be an http(s) URL without query, fragment or credentials' });
  return z.NEVER;
});

const smsHours = parsed(parseSmsHours, 'two times such as 08:00-20:00');

const sender = z
  .string()
  .regex(
    SENDER,
    'must be a number such as +61400000000, or 3 to 11 letters, digits and blanks with a letter among them',
  );

const smsTemplate = z.string().superRefine((template, context) => {
  const problem = checkTemplate(template);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

export const TEXTS_SETTINGS = z.object({
  PORTAL_URL: httpUrl,
  PUBLIC_URL: publicUrl.optional(),
  TWILIO_ACCOUNT_SID: z.string().optional(),
  TWILIO_AUTH_TOKEN: z.string().optional(),
  TWILIO_FROM: sender.optional(),
  TWILIO_MESSAGING_SERVICE_SID: z.string().optional(),
  TWILIO_API_URL: httpUrl.optional(),
  SMS_HOURS: smsHours.prefault('08:00-20:00'),
  TEXT_WITHOUT_ORDER: yesOrNo.prefault('false'),
  PRACTICE_NAME: z.string().trim().min(1).max(40).optional(),
  SMS_TEMPLATE: smsTemplate.prefault(DEFAULT_TEMPLATE),
});

export type TextsSettings = z.output<typeof TEXTS_SETTINGS>;
