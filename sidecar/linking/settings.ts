import { z } from 'zod';
import type { Policy } from './rules/against.ts';

const aeTitles = z.string().transform((text, context) => {
  const titles = text.split(',').map((title) => title.trim());
  if (titles.every((title) => /^[^\p{Cc}\\,]{1,16}$/u.test(title))) return titles;
  context.addIssue({ code: 'custom', message: 'must be AE titles of at most 16 characters, parted by commas, or *' });
  return z.NEVER;
});

export const LINKING_SETTINGS = z.object({
  MATCHING: z
    .enum(['1', '2'])
    .transform((rules) => (rules === '1' ? 1 : 2))
    .prefault('2'),
  LINK_BY_ACCESSION_ALONE: aeTitles.optional(),
});

export type LinkingSettings = z.output<typeof LINKING_SETTINGS>;

/** How strictly is matched, as the settings say. */
export const policyOf = ({ MATCHING, LINK_BY_ACCESSION_ALONE = [] }: LinkingSettings): Policy => ({
  matching: MATCHING,
  byAccessionAlone: LINK_BY_ACCESSION_ALONE,
});
