import { placeName, type FieldPlace, type FieldSettings } from '../../hl7/rules/field-settings.ts';
import {
  component,
  HL7_NULL,
  ordinal,
  segment,
  wholeComponent,
  type Hl7Message,
  type Hl7Segment,
} from '../../hl7/rules/message.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';
import { isMedicareNumber, KIND_WORDS, kindOf, type ValueKind } from './place-value.ts';
import { unheard, type Warn } from './warning.ts';

export interface Identifier {
  readonly externalId: string;
  readonly issuer: string;
}

/** A component's text; what it deletes it has not. */
export const plain = (value: string): string => (value.trim() === HL7_NULL ? '' : value.trim());

/** What a CX list holds, each with its type. */
function identifiersOf(source: Hl7Segment, field: number) {
  return (source.fields[field] ?? [])
    .map(([id = [], , , [namespace = '', universalId = ''] = [], [type = ''] = []]) => ({
      externalId: id.join('&').trim(),
      issuer: [namespace, universalId].map(plain).find((one) => one !== '') ?? '',
      type: plain(type).toUpperCase(),
    }))
    .filter(({ externalId }) => externalId !== '' && externalId !== HL7_NULL);
}

/**
 * Of a CX list (PID-3, MRG-1; v2.5.1 chapter 2.A.14) the identifiers of the first of these types that is there,
 * else those without a type (all are before 2.3), never of another type, such as a Medicare or passport number. Its
 * issuer is the assigning authority's namespace, else its universal id (HD, chapter 2.A.33).
 */
export function patientIdentifiers(source: Hl7Segment, field: number, types: readonly string[]): Identifier[] {
  const given = identifiersOf(source, field);
  for (const type of [...types, '']) {
    const found = given.filter((candidate) => candidate.type === type);
    if (found.length > 0) return found.map(({ externalId, issuer }) => ({ externalId, issuer }));
  }
  return [];
}

const key = ({ externalId, issuer }: Identifier): string => `${externalId.toUpperCase()} ${issuer.toUpperCase()}`;

/** Whether two are one number; one without an assigning authority may be anybody's. */
export const isSameNumber = (a: Identifier, b: Identifier): boolean =>
  key(a) === key(b) ||
  (a.externalId.toUpperCase() === b.externalId.toUpperCase() && (a.issuer === '' || b.issuer === ''));

/**
 * The other numbers in PID-3 of the patient whose number is `main`: of the types that count, or without a type but with
 * an assigning authority. No Medicare number, which a family shares, and nothing that cannot be a number.
 */
export function otherNumbers(pid: Hl7Segment, main: Identifier, types: readonly string[]): Identifier[] {
  if (isPlaceIssuer(main.issuer)) return [];
  const all = identifiersOf(pid, 3)
    .filter(({ type, issuer }) => types.includes(type) || (type === '' && issuer !== ''))
    .filter(({ externalId }) => kindOf(externalId) === 'number' && !isMedicareNumber(externalId))
    .map(({ externalId, issuer }) => ({ externalId, issuer }));
  return [...new Map(all.map((one) => [key(one), one])).values()].filter((one) => !isSameNumber(one, main));
}

/** PID-3: the only place whose numbers name a patient for every sender. */
const isPid3 = ({ segment: name, field }: FieldPlace): boolean => name === 'PID' && field === 3;

const PLACE_ISSUER = /^[A-Z][A-Z0-9]{2}-\d+(?:\.\d+)? of /i;

/**
 * The issuer of a number that is not from PID-3, such as `PID-4 of VOYAGER|CLINIC`: nobody says whose number it is, so
 * that it is the same only as one of the same sender and place.
 */
function placeIssuer(message: Hl7Message, place: FieldPlace): string {
  const msh = segment(message, 'MSH');
  const sender = [component(msh, 3), component(msh, 4)].map(plain).filter((part) => part !== '');
  return `${placeName(place)} of ${sender.join('|')}`;
}

/** Whether an issuer is a sender's place: such a number never says that two patients are one. */
export const isPlaceIssuer = (issuer: string): boolean => PLACE_ISSUER.test(issuer.trim());

interface Looked {
  readonly place: FieldPlace;
  readonly kind: ValueKind | 'other-type' | 'medicare';
  readonly found: Identifier | null;
}

function look(message: Hl7Message, pid: Hl7Segment, place: FieldPlace, types: readonly string[]): Looked {
  const from = place.segment === 'PID' ? pid : segment(message, place.segment);
  const given = from?.fields[place.field] ?? [];
  if (from === undefined || given.length === 0) return { place, kind: 'empty', found: null };
  const whole = wholeComponent(from, place.field, place.component);
  const [identifier] =
    place.component === 1
      ? patientIdentifiers(from, place.field, types)
      : [{ externalId: plain(whole), issuer: '' }].filter(({ externalId }) => externalId !== '');
  if (identifier === undefined) {
    const anything = given.some((one) => one.some((part) => part.some((text) => plain(text) !== '')));
    return { place, kind: anything ? 'other-type' : kindOf(whole), found: null };
  }
  if (isPid3(place)) return { place, kind: 'number', found: identifier };
  if (isMedicareNumber(identifier.externalId)) return { place, kind: 'medicare', found: null };
  const kind = kindOf(identifier.externalId);
  const found = { externalId: identifier.externalId, issuer: placeIssuer(message, place) };
  return { place, kind, found: kind === 'number' ? found : null };
}

const WORDS: Readonly<Record<Looked['kind'], string>> = {
  ...KIND_WORDS,
  'other-type': 'holds numbers of other types',
  medicare: 'holds a Medicare number, which a family shares',
};

/**
 * The patient's number: from the first of its places (`HL7_PATIENT_ID_FIELDS`; HL7 v2.5.1 chapter 3.4.2, PID-2 to PID-4)
 * that holds one. One that is not from PID-3 has an issuer of its own. What cannot be a number is passed over there: a
 * name, words, a Medicare number.
 * @throws Hl7Rejection 101 where no place has one, saying what is in each and which setting names others.
 */
export function patientNumber(
  message: Hl7Message,
  pid: Hl7Segment,
  { patientIdFields, patientIdTypes }: Pick<FieldSettings, 'patientIdFields' | 'patientIdTypes'>,
  warn: Warn = unheard,
): Identifier {
  const looked = patientIdFields.map((place) => look(message, pid, place, patientIdTypes));
  const taken = looked.find(({ found }) => found !== null);
  if (taken?.found == null) {
    const { segment: name = 'PID', field = 3 } = patientIdFields[0] ?? {};
    const at = name === 'PID' ? ordinal(message, pid) : 1;
    const told = looked.map(({ place, kind }) => `${placeName(place)} ${WORDS[kind]}`).join(', ');
    const settings = 'HL7_PATIENT_ID_FIELDS and HL7_PATIENT_ID_TYPES, or patient= and ids= in HL7_SENDERS, change that';
    throw new Hl7Rejection(101, `no patient number: ${told}; ${settings}`, { segment: name, ordinal: at, field });
  }
  for (const { place, kind } of looked.slice(0, looked.indexOf(taken))) {
    if (kind === 'empty' || kind === 'deleted') continue;
    warn({ code: 'patient-number-passed-over', field: placeName(place), detail: WORDS[kind] });
  }
  if (!isPid3(taken.place)) {
    const detail = 'the number counts for this sender and field alone';
    warn({ code: 'patient-number-elsewhere', field: placeName(taken.place), detail });
  }
  return taken.found;
}
