import { z } from 'zod';
import { isPhoneRegion } from './rules/phone-region.ts';

export const RIS_SETTINGS = z.object({
  PHONE_REGION: z.string().refine(isPhoneRegion, 'must be a country code such as AU').default('AU'),
});
