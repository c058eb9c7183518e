import type { By } from '../../audit/rules/who.ts';
import { Failure } from '../../platform/rules/failure.ts';

/** A name that persons cannot have, since it stands for the rules. */
export const RULES = 'rules';
const MAX_LENGTH = 500;

/** How the failures of {@link checkedBy} are answered by HTTP. */
export const BY_REFUSALS = { 'who-missing': 400, 'why-missing': 400, 'too-long': 400 } as const;

const refusal = (code: keyof typeof BY_REFUSALS, message: string): Failure => new Failure('permanent', code, message);

/**
 * Who acts and why, as every act keeps it.
 * @throws Failure permanent `who-missing`, `why-missing` or `too-long`: nothing may be done then.
 */
export function checkedBy(said: By): By {
  const by = { ...said, who: said.who.trim(), why: said.why.trim() };
  if (by.who === '' || by.who.toLowerCase() === RULES) throw refusal('who-missing', 'who does it must be named');
  if (by.why === '') throw refusal('why-missing', 'why it is done must be said');
  if (by.who.length > MAX_LENGTH || by.why.length > MAX_LENGTH) {
    throw refusal('too-long', `who and why: at most ${MAX_LENGTH} characters each`);
  }
  return by;
}
