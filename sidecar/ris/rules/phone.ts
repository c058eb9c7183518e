import {
  getCountryCallingCode,
  isSupportedCountry,
  parsePhoneNumberFromString,
  type CountryCode,
} from 'libphonenumber-js/max';
import { hasBarringNote, isBarring, phonePieces } from './phone-note.ts';
import { HL7_NULL, repetitions, type Hl7Segment } from '../../hl7/rules/message.ts';

/** One phone number of a PID segment. */
export interface PhoneCandidate {
  readonly text: string;
  /** XTN-2, table 0201: PRN is a home, WPN work, PRS one's own, EMR for an emergency, NET a mail address. */
  readonly use: string;
  /** XTN-3, table 0202: CP is a mobile, FX a fax, BP a pager, MD a modem. */
  readonly equipment: string;
}

/** PID-13 (home), PID-14 (business), and PID-40, which takes their place from HL7 2.7 on. */
export const PHONE_FIELDS = [13, 14, 40] as const;
export type PhoneField = (typeof PHONE_FIELDS)[number];
const BUSINESS = 14;

/** Nobody has more of one kind, and each costs a look. */
const MOST_OF_A_FIELD = 50;

/** The repetitions of a field of PID that hold anything. */
export function phoneRepetitions(pid: Hl7Segment, field: PhoneField): readonly (readonly string[])[] {
  const all = repetitions(pid, field).slice(0, MOST_OF_A_FIELD);
  return all.filter((xtn) => xtn.some((part) => part.trim() !== ''));
}

/** The phone numbers of a field of PID (HL7 v2.5.1 chapters 3.4.2.13 and 2.A.89); in PID-14 one is at work unless it says. */
export function phoneCandidates(pid: Hl7Segment, field: PhoneField): PhoneCandidate[] {
  return phoneRepetitions(pid, field).flatMap((xtn) => candidateOf(xtn, field === BUSINESS));
}

/** XTN-2 and XTN-3 of a mail address. */
const MAIL = new Set(['NET', 'INTERNET', 'X.400']);

/** Whether a repetition is a mail address, which says nothing of phones. */
export function isMail(xtn: readonly string[]): boolean {
  return [xtn[1], xtn[2]].some((code = '') => MAIL.has(code.trim().toUpperCase()));
}

function candidateOf(xtn: readonly string[], business: boolean): PhoneCandidate[] {
  const at = (number: number): string => {
    const value = (xtn[number - 1] ?? '').trim();
    return value === HL7_NULL ? '' : value;
  };
  const pieces = at(7) === '' ? '' : `${at(5) === '' ? '' : `+${at(5).replace(/^\+/, '')} `}${at(6)} ${at(7)}`;
  const number = at(1) || at(12) || pieces.trim();
  // XTN-9 is any text, such as whose it is.
  const text = number !== '' && isBarring(at(9)) ? `${number} (${at(9)})` : number;
  const use = at(2).toUpperCase() || (business ? AT_WORK : '');
  return text === '' ? [] : [{ text, use, equipment: at(3).toUpperCase() }];
}

const NOT_A_PHONE = new Set(['FX', 'BP', 'MD', 'SAT', 'INTERNET', 'X.400', 'TDD', 'TTY']);
/** Of no use for a text to the patient: mail, a pager, an answering service, whom to call in an emergency. */
const NOT_THE_PATIENT = new Set(['NET', 'BPN', 'ASN', 'EMR']);
const AT_WORK = 'WPN';

const MAX_TEXT_LENGTH = 100;

const RUN = /\+?\d[\d\s.-]*/g;

/** The runs of digits of a text, each cut where a sender may have meant blanks; (04) is how some write the area code. */
function runs(text: string): string[][] {
  const plain = text.slice(0, MAX_TEXT_LENGTH).replace(/\(\s*(\d{1,4})\s*\)/g, ' $1 ');
  return [...plain.matchAll(RUN)].map(([run]) => run.split(/[\s.-]+/).filter((group) => group !== ''));
}

/** Also as an international number without its `+`, but only where it begins as one: 00, or the region's own code. */
function readings(number: string, callingCode: string): string[] {
  if (number.startsWith('00')) return [number, `+${number.replace(/^00(11)?/, '')}`];
  return number.startsWith(callingCode) ? [number, `+${number}`] : [number];
}

interface Found {
  readonly number: string;
  readonly mobile: boolean;
}

// The numbering plan keeps all of 04 for mobiles, and hands out new ranges of it before any library knows them.
const AUSTRALIAN_MOBILE = /^\+614\d{8}$/;
/** Such a number as most write it in Australia, which needs no library to be read. */
const WRITTEN_AT_HOME = /^(?:0|61|\+61)(4\d{8})$/;

/** A number written in these digits, as one of `region`; `null` where they are none. */
function numberIn(digits: string, region: CountryCode): Found | null {
  const own = region === 'AU' ? WRITTEN_AT_HOME.exec(digits)?.[1] : undefined;
  if (own !== undefined) return { number: `+61${own}`, mobile: true };
  for (const attempt of readings(digits, getCountryCallingCode(region))) {
    const parsed = parsePhoneNumberFromString(attempt, region);
    if (parsed === undefined) continue;
    if (AUSTRALIAN_MOBILE.test(parsed.number)) return { number: parsed.number, mobile: true };
    if (!parsed.isValid()) continue;
    const type = parsed.getType();
    return { number: parsed.number, mobile: type === 'MOBILE' || type === 'FIXED_LINE_OR_MOBILE' };
  }
  return null;
}

/** How the second of two numbers in one run begins: as one that is written whole. */
const BEGINS_WHOLE = /^(?:\+|0|61|1[38])/;
/** A landline without its area code: no number to text, but one to step over. */
const LOCAL = /^[2-9]\d{7}$/;
const SHORTEST = 6;
const LONGEST = 16;
const MOST_WAYS = 20;

/**
 * Every way to cut a run of digit groups into whole numbers, with nothing left over. Blanks part numbers and parts of one
 * number alike: `0398765432 0412 345 678`.
 */
function waysToCut(groups: readonly string[], region: CountryCode): Found[][] {
  const ways: Found[][] = [];
  const cut = (from: number, found: readonly Found[]): void => {
    if (ways.length >= MOST_WAYS) return;
    if (from === groups.length) {
      ways.push([...found]);
      return;
    }
    let digits = '';
    for (let to = from; to < groups.length && digits.length <= LONGEST; to += 1) {
      digits += groups[to] ?? '';
      if (digits.length < SHORTEST) continue;
      if (LOCAL.test(digits)) cut(to + 1, found);
      const number = BEGINS_WHOLE.test(digits) ? numberIn(digits, region) : null;
      if (number !== null) cut(to + 1, [...found, number]);
    }
  };
  cut(0, []);
  return ways;
}

const mobilesOf = (way: readonly Found[]): string =>
  way
    .filter(({ mobile }) => mobile)
    .map(({ number }) => number)
    .join();

/** The numbers of one run of digits: one, or several where there is one way only to read their mobiles. */
function numbersIn(groups: readonly string[], region: CountryCode): Found[] {
  const whole = numberIn(groups.join(''), region);
  if (whole !== null) return [whole];
  const [way = [], ...others] = waysToCut(groups, region);
  return others.every((other) => mobilesOf(other) === mobilesOf(way)) ? way : [];
}

/** Every number of a text that holds one or more, whatever its notes say. */
function parse(text: string, region: string): Found[] {
  if (!isSupportedCountry(region)) return [];
  return runs(text).flatMap((groups) => numbersIn(groups, region));
}

/** Whether numbers can be read as those of this country (ISO 3166, in capitals). */
export const isPhoneRegion = (text: string): boolean => isSupportedCountry(text);

/** `text` as E.164, read as a number of `region` (ISO 3166) unless it says otherwise; `null` if it is no number. */
export function toE164(text: string, region: string): string | null {
  return parse(text, region)[0]?.number ?? null;
}

/** What some phone numbers come to. */
export interface Mobiles {
  /** The number to text, E.164. */
  readonly number: string | null;
  /** Of several, that of the lowest rank is texted. */
  readonly rank: number;
  /** Why there is none. */
  readonly problem: string | null;
  /** Mobiles that are somebody else's or not to be used, E.164. */
  readonly barred: readonly string[];
}

/**
 * The number to text: one of the patient's own before one at work; of several, one marked as a mobile before one that is
 * a mobile by its numbering plan only; of several still, the first. A landline is never chosen, whatever it is marked
 * as; a mail address, a pager or whom to call in an emergency never counts, nor does a number of which a note beside any
 * of them says that it is somebody else's or not to be used.
 */
export function mobilesIn(candidates: readonly PhoneCandidate[], region: string): Mobiles {
  if (candidates.length === 0) return { number: null, rank: 0, problem: 'no-number', barred: [] };
  const phones = candidates.filter(({ use, equipment }) => !NOT_A_PHONE.has(equipment) && !NOT_THE_PATIENT.has(use));
  const found = phones.flatMap(({ text, use, equipment }) => {
    const allBarred = isBarring(use) || isBarring(equipment);
    return phonePieces(text).flatMap((piece) => {
      const rank = (use === AT_WORK || piece.atWork ? 2 : 0) + (equipment === 'CP' ? 0 : 1);
      return parse(piece.text, region).map((one) => ({ ...one, rank, barred: allBarred || piece.barred }));
    });
  });
  const mobiles = found.filter(({ mobile }) => mobile);
  const barred = [...new Set(mobiles.filter((one) => one.barred).map(({ number }) => number))];
  const [chosen] = mobiles.filter(({ number }) => !barred.includes(number)).toSorted((a, b) => a.rank - b.rank);
  if (chosen !== undefined) return { number: chosen.number, rank: chosen.rank, problem: null, barred };
  const isBarred = phones.some(({ text, use, equipment }) => hasBarringNote(text, use, equipment));
  const problem = found.length > 0 || phones.length === 0 || isBarred ? 'no-mobile' : 'unusable-number';
  return { number: null, rank: 0, problem, barred };
}
