import { getCountryCallingCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { HL7_NULL, repetitions, type Hl7Segment } from './hl7-message.ts';

/** One phone number of a PID segment. */
export interface PhoneCandidate {
  readonly text: string;
  /** XTN-2, table 0201: PRN is a home, WPN work, PRS one's own, EMR for an emergency, NET a mail address. */
  readonly use: string;
  /** XTN-3, table 0202: CP is a mobile, FX a fax, BP a pager, MD a modem. */
  readonly equipment: string;
}

export type ChosenPhone =
  { readonly number: string } | { readonly reason: 'no-number' | 'no-mobile' | 'unusable-number' };

/** PID-13 (home), PID-14 (business), and PID-40, which takes their place from HL7 2.7 on. */
export function phoneRepetitions(pid: Hl7Segment): readonly (readonly string[])[] {
  return [13, 14, 40].flatMap((field) => repetitions(pid, field));
}

/** The phone numbers of PID (HL7 v2.5.1 chapters 3.4.2.13 and 2.A.89), in its order. */
export function phoneCandidates(pid: Hl7Segment): PhoneCandidate[] {
  return phoneRepetitions(pid).flatMap((xtn) => {
    const at = (number: number): string => {
      const value = (xtn[number - 1] ?? '').trim();
      return value === HL7_NULL ? '' : value;
    };
    const pieces = at(7) === '' ? '' : `${at(5) === '' ? '' : `+${at(5).replace(/^\+/, '')} `}${at(6)} ${at(7)}`;
    const text = at(1) || at(12) || pieces.trim();
    return text === '' ? [] : [{ text, use: at(2).toUpperCase(), equipment: at(3).toUpperCase() }];
  });
}

const NOT_A_PHONE = new Set(['FX', 'BP', 'MD', 'SAT', 'INTERNET', 'X.400', 'TDD', 'TTY']);
/** Of no use for a text to the patient: mail, a pager, an answering service. */
const NOT_THE_PATIENT = new Set(['NET', 'BPN', 'ASN']);
/** Uses that count after all others: a number at work, and one that may be another person's. */
const LAST_USES = ['WPN', 'EMR'];

const MAX_TEXT_LENGTH = 100;

// A number may carry a note ("Mob 0412 345 678 (wife)"), and (04) is how some write the area code.
function candidateNumbers(text: string): string[] {
  const plain = text.slice(0, MAX_TEXT_LENGTH).replace(/\(\s*(\d{1,4})\s*\)/g, ' $1 ');
  return [...plain.matchAll(/\+?\d[\d\s.-]*/g)].map(([number]) => number.replace(/[^\d+]/g, ''));
}

/** Also as an international number without its `+`, but only where it begins as one: 00, or the region's own code. */
function readings(number: string, callingCode: string): string[] {
  if (number.startsWith('00')) return [number, `+${number.replace(/^00(11)?/, '')}`];
  return number.startsWith(callingCode) ? [number, `+${number}`] : [number];
}

type Found = { number: string; type: string | undefined } | null;

function parse(text: string, region: string): Found {
  if (!isSupportedCountry(region)) return null;
  const callingCode = getCountryCallingCode(region);
  for (const attempt of candidateNumbers(text).flatMap((number) => readings(number, callingCode))) {
    const parsed = parsePhoneNumberFromString(attempt, region);
    if (parsed?.isValid() === true) return { number: parsed.number, type: parsed.getType() };
  }
  return null;
}

/** `text` as E.164, read as a number of `region` (ISO 3166) unless it says otherwise; `null` if it is no number. */
export function toE164(text: string, region: string): string | null {
  return parse(text, region)?.number ?? null;
}

/**
 * The number to text: one marked as a mobile that is one before one that is one by its numbering plan only; of several
 * the first, but one's own before one at work and that before an emergency contact's. A landline is never chosen,
 * whatever it is marked as; a mail address or a pager never counts.
 */
export function chooseMobile(candidates: readonly PhoneCandidate[], region: string): ChosenPhone {
  if (candidates.length === 0) return { reason: 'no-number' };
  const phones = candidates.filter(({ use, equipment }) => !NOT_A_PHONE.has(equipment) && !NOT_THE_PATIENT.has(use));
  const parsed = phones.map(({ text, use, equipment }) => ({
    found: parse(text, region),
    rank: LAST_USES.indexOf(use) * 2 + (equipment === 'CP' ? 0 : 1),
  }));
  const mobiles = parsed.filter(
    ({ found }) => found !== null && (found.type === 'MOBILE' || found.type === 'FIXED_LINE_OR_MOBILE'),
  );
  const chosen = mobiles.toSorted((a, b) => a.rank - b.rank)[0]?.found;
  if (chosen !== null && chosen !== undefined) return { number: chosen.number };
  return {
    reason: parsed.some(({ found }) => found !== null) || phones.length === 0 ? 'no-mobile' : 'unusable-number',
  };
}
