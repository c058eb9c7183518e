import { z } from 'zod';
import { parseDelays } from './rules/delay.ts';

const delays = z.string().transform((text, context) => {
  const read = parseDelays(text);
  if (read !== null) return read;
  context.addIssue({ code: 'custom', message: 'must be a list such as CT=2d,*=0 in days, hours (h) or minutes (m)' });
  return z.NEVER;
});

export const RELEASE_SETTINGS = z.object({
  RELEASE_DELAY: delays.prefault('*=0'),
});

export type ReleaseSettings = z.output<typeof RELEASE_SETTINGS>;
