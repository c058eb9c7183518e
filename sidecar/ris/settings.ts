import { z } from 'zod';
import { DEFAULT_IGNORED_TYPES, parseIgnoredTypes, type IgnoredTypes } from './rules/ignored-types.ts';
import { isPhoneRegion } from './rules/phone.ts';
import { isTakenType } from './rules/message-kind.ts';

const ignoredTypes = z.string().transform((text, context): IgnoredTypes => {
  const { types, problems } = parseIgnoredTypes(text, isTakenType);
  for (const message of problems) context.addIssue({ code: 'custom', message });
  return types;
});

export const RIS_SETTINGS = z.object({
  PHONE_REGION: z.string().refine(isPhoneRegion, 'must be a country code such as AU').default('AU'),
  HL7_IGNORED_TYPES: ignoredTypes.prefault(DEFAULT_IGNORED_TYPES),
});
