import { accessionKey, cleanAccession, hasUnseen } from './accession.ts';
import { findForGroup, rejectionAt, type OrderGroup } from './order-groups.ts';
import { KIND_WORDS, kindOf, type ValueKind } from './place-value.ts';
import type { Warn } from './warning.ts';
import { placeName, type FieldPlace } from '../../hl7/rules/field-settings.ts';
import { wholeComponent } from '../../hl7/rules/message.ts';

/** The accession number that a group gives, and the other numbers in places where one may be, in their order. */
export interface AccessionNumbers {
  readonly accessionNumber: string;
  readonly elsewhere: readonly string[];
}

interface Looked {
  readonly place: FieldPlace;
  readonly kind: ValueKind;
  readonly value: string;
}

function look(group: OrderGroup, place: FieldPlace): Looked {
  const from = findForGroup(group, place.segment);
  const raw = wholeComponent(from, place.field, place.component);
  const value = cleanAccession(raw);
  const given = place.component === 1 ? (from?.fields[place.field]?.[0] ?? []).map((part) => part.join('&')) : [];
  const kind = kindOf(value, given);
  return { place, kind: kind === 'number' && hasUnseen(raw) ? 'unseen' : kind, value };
}

const isAt = ({ place }: Looked, segment: string, field: number): boolean =>
  place.segment === segment && place.field === field && place.component === 1;

/** OBR-2 and OBR-3 that are one number; `''` where they are not. */
function agreedNumber(group: OrderGroup): string {
  const obr = findForGroup(group, 'OBR');
  const [placer, filler] = [2, 3].map((field) => cleanAccession(wholeComponent(obr, field)));
  return placer !== undefined && filler !== undefined && accessionKey(placer) === accessionKey(filler) ? filler : '';
}

/** Where OBR-2 and OBR-3 agree, an OBR-18 that differs is only looked at behind them: it may be a number of any kind. */
function behindAgreed(found: readonly Looked[], group: OrderGroup, warn: Warn): readonly Looked[] {
  const agreed = accessionKey(agreedNumber(group));
  const differing = found.find((one) => isAt(one, 'OBR', 18) && accessionKey(one.value) !== agreed);
  const filler = found.findIndex((one) => isAt(one, 'OBR', 3) && accessionKey(one.value) === agreed);
  if (agreed === '' || differing === undefined || filler < found.indexOf(differing)) return found;
  warn({ code: 'accession-differs', field: 'OBR-18', detail: 'OBR-2 and OBR-3 agree on another number' });
  return [...found.slice(0, filler + 1).filter((one) => one !== differing), differing, ...found.slice(filler + 1)];
}

/** Which of the places comes first where not the settings alone can say. */
function inOrder(found: readonly Looked[], group: OrderGroup, warn: Warn): readonly Looked[] {
  const fromOrc = (one: Looked): boolean => one.place.segment === 'ORC';
  const own = group.sharesOrc === true ? found.filter((one) => !fromOrc(one)) : found;
  const told = own.length > 0 ? own : found;
  const ofIpc = (one: Looked): boolean => one.place.segment === 'IPC';
  if (group.ofSeveralIpc === true && told.some(ofIpc)) return told.filter(ofIpc);
  return behindAgreed(told, group, warn);
}

/**
 * The numbers of a group in the places of accession numbers (`HL7_ACCESSION_FIELDS`), the one to believe first. What
 * cannot be an accession number is passed over: a name, words without a digit, more than 64 characters, unseen ones.
 * @throws Hl7Rejection where no place has one, with the setting that names others: 102 where one has a number that cannot
 * be taken as it is, else 101, saying what is in each.
 */
export function accessionNumbers(group: OrderGroup, places: readonly FieldPlace[], warn: Warn): AccessionNumbers {
  const looked = places.map((place) => look(group, place));
  const found = looked.filter(({ kind }) => kind === 'number');
  const [first, ...others] = inOrder(found, group, warn);
  if (first === undefined) {
    const { segment: name, field } = places[0] ?? { segment: 'OBR', field: 18 };
    const told = looked.map(({ place, kind }) => `${placeName(place)} ${KIND_WORDS[kind]}`).join(', ');
    const setting = 'HL7_ACCESSION_FIELDS, or accession= in HL7_SENDERS, names other fields';
    const wrong = looked.find(({ kind }) => kind === 'too-long' || kind === 'unseen');
    if (wrong !== undefined) {
      const reason = `the accession number ${KIND_WORDS[wrong.kind]}; ${setting}`;
      throw rejectionAt(group, wrong.place.segment, wrong.place.field, 102, reason);
    }
    throw rejectionAt(group, name, field, 101, `no accession number: ${told}; ${setting}`);
  }
  for (const { place, kind } of looked) {
    if (kind === 'number' || kind === 'empty' || kind === 'deleted') continue;
    warn({ code: 'accession-passed-over', field: placeName(place), detail: KIND_WORDS[kind] });
  }
  const byKey = new Map([first, ...others].toReversed().map(({ value }) => [accessionKey(value), value]));
  byKey.delete(accessionKey(first.value));
  return { accessionNumber: first.value, elsewhere: [...byKey.values()].toReversed() };
}
