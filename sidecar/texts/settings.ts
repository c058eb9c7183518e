import { z } from 'zod';
import { httpUrl, parsed, yesOrNo } from '../platform/settings.ts';
import { checkTemplate, DEFAULT_TEMPLATE, parseSmsHours } from './rules/wording.ts';

// What Twilio posts to, and signs: a path may follow, so no query.
const publicUrl = httpUrl.transform((text, context) => {
  const { search, hash, username, password } = new URL(text);
  if (`${search}${hash}${username}${password}` === '' && !/[?#]$/.test(text)) return text.replace(/\/+$/, '');
  context.addIssue({ code: 'custom', message: 'must be an http(s) URL without query, fragment or credentials' });
  return z.NEVER;
});

const smsHours = parsed(parseSmsHours, 'two times such as 08:00-20:00');

// A number, a short code, or 3 to 11 letters, digits and blanks with a letter among them: what can be a sender at all.
const sender = z
  .string()
  .regex(
    /^(?:\+?\d{3,15}|(?=.*[A-Za-z])[A-Za-z0-9 ]{3,11})$/,
    'must be a number such as +61400000000, or 3 to 11 letters and digits with a letter among them',
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
  SMS_TEMPLATE: smsTemplate.prefault(DEFAULT_TEMPLATE),
});

export type TextsSettings = z.output<typeof TEXTS_SETTINGS>;
