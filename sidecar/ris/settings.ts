import { z } from 'zod';

export const RIS_SETTINGS = z.object({
  PHONE_REGION: z
    .string()
    .regex(/^[A-Z]{2}$/, 'must be a country code such as AU')
    .default('AU'),
});
