import { HL7_NULL, type Hl7Segment } from '../../hl7/rules/message.ts';
import {
  isMail,
  mobilesIn,
  PHONE_FIELDS,
  phoneCandidates,
  phoneRepetitions,
  type Mobiles,
  type PhoneField,
} from './phone.ts';

/** What the fields of PID say of phones, each of its own: one that is not there says nothing. */
export type SaidPhones = { readonly [Field in PhoneField]?: Mobiles | undefined };

/** The number to text, E.164, or why there is none. */
export interface Phone {
  readonly phoneNumber: string | null;
  readonly phoneProblem: string | null;
}

const DELETED: Mobiles = { number: null, rank: 0, problem: 'no-number', barred: [] };

/** A mail address alone says nothing of phones, `""` deletes what the field said before. */
function saidIn(pid: Hl7Segment, field: PhoneField, region: string): Mobiles | undefined {
  const written = phoneRepetitions(pid, field);
  if (written.every(isMail)) return undefined;
  const deletes = written.every((xtn) => xtn.every((part) => ['', HL7_NULL].includes(part.trim())));
  return deletes ? DELETED : mobilesIn(phoneCandidates(pid, field), region);
}

/** What PID-13, PID-14 and PID-40 say; no field where they say nothing. */
export function saidPhones(pid: Hl7Segment, region: string): SaidPhones {
  const said = PHONE_FIELDS.map((field) => [field, saidIn(pid, field, region)] as const);
  return Object.fromEntries(said.filter(([, mobiles]) => mobiles !== undefined));
}

const PROBLEMS = ['no-mobile', 'unusable-number', 'no-number'] as const;

/**
 * The number to text of all that the fields say: the first of the lowest rank that no field says is somebody else's. No
 * number and no problem where nothing was said.
 */
export function phoneOf(said: SaidPhones): Phone {
  const fields = PHONE_FIELDS.flatMap((field) => said[field] ?? []);
  const barred = new Set(fields.flatMap((field) => field.barred));
  const usable = fields.filter(({ number }) => number !== null && !barred.has(number));
  const [best] = usable.toSorted((a, b) => a.rank - b.rank);
  if (best !== undefined) return { phoneNumber: best.number, phoneProblem: null };
  if (fields.some(({ number }) => number !== null)) return { phoneNumber: null, phoneProblem: 'no-mobile' };
  const problem = PROBLEMS.find((one) => fields.some((field) => field.problem === one));
  return { phoneNumber: null, phoneProblem: problem ?? null };
}
