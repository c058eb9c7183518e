import { component, segment, type Hl7Message } from './message.ts';
import { isTimeZone } from '../../platform/rules/time-zone.ts';

/** A component of a field: `OBR-18`, `OBR-3.2`. */
export interface FieldPlace {
  readonly segment: string;
  readonly field: number;
  readonly component: number;
}

/** Where a RIS puts what each puts elsewhere. */
export interface FieldSettings {
  /** Where the accession number may be; the first that has one wins. */
  readonly accessionFields: readonly FieldPlace[];
  /** Where the modality may be; the first that has one wins. */
  readonly modalityFields: readonly FieldPlace[];
  /** Where the patient's number may be; the first that has one wins. */
  readonly patientIdFields: readonly FieldPlace[];
  /** Types (table 0203) of the identifiers of these fields and MRG-1 that are a patient's here, the preferred first. */
  readonly patientIdTypes: readonly string[];
}

/** What differs in the messages of one sender: MSH-3, and MSH-4 unless it is `null`. */
export interface SenderSettings extends Partial<FieldSettings> {
  readonly application: string;
  readonly facility: string | null;
  /** The zone of its MSH-7 where that has no offset; every other time of it is the practice's. */
  readonly clockZone?: string;
  /** Its reports have a say in phones as orders have. */
  readonly reportsRulePhones?: boolean;
}

/** Where a practice's RIS puts things, and how its texts are read. */
export interface Hl7Settings extends FieldSettings {
  readonly senders: readonly SenderSettings[];
  readonly timeZone: string;
  readonly phoneRegion: string;
  readonly clockZone?: string;
  readonly reportsRulePhones?: boolean;
}

const fold = (text: string): string => text.trim().toUpperCase();

/** The settings that hold for this message: its sender's own before those of all; one with MSH-4 before one without. */
export function settingsFor(message: Hl7Message, settings: Hl7Settings): Hl7Settings {
  if (settings.senders.length === 0) return settings;
  const msh = segment(message, 'MSH');
  const [application, facility] = [fold(component(msh, 3)), fold(component(msh, 4))];
  const of = settings.senders.filter((sender) => fold(sender.application) === application);
  const own =
    of.find((sender) => sender.facility !== null && fold(sender.facility) === facility) ??
    of.find((sender) => sender.facility === null);
  if (own === undefined) return settings;
  const {
    accessionFields = settings.accessionFields,
    modalityFields = settings.modalityFields,
    patientIdFields = settings.patientIdFields,
    patientIdTypes = settings.patientIdTypes,
    clockZone = settings.timeZone,
    reportsRulePhones = false,
  } = own;
  const fields = { accessionFields, modalityFields, patientIdFields, patientIdTypes };
  return { ...settings, ...fields, clockZone, reportsRulePhones };
}

const PLACE = /^(PID|PV1|PV2|ORC|OBR|IPC|TQ1|Z[A-Z0-9]{2})-([1-9]\d?)(?:\.([1-9]\d?))?$/;
const ID_TYPE = /^[A-Z]{1,5}$/;

/** A list such as `OBR-18,IPC-1,OBR-3.1`; `null` if it is none. */
export function parseFieldPlaces(text: string): readonly FieldPlace[] | null {
  const places = text.split(',').map((one) => PLACE.exec(one.trim()));
  const found = places.flatMap((match) => {
    const [, name, field, part = '1'] = match ?? [];
    return name === undefined ? [] : [{ segment: name, field: Number(field), component: Number(part) }];
  });
  return found.length === places.length ? found : null;
}

/** A list such as `MR,PI,PT`; `null` if it is none. */
export function parseIdTypes(text: string): readonly string[] | null {
  const types = text.split(',').map(fold);
  return types.every((type) => ID_TYPE.test(type)) ? types : null;
}

/** A place as the settings write it: `OBR-18`, `OBR-3.2`. */
export const placeName = ({ segment: name, field, component: part }: FieldPlace): string =>
  `${name}-${field}${part === 1 ? '' : `.${part}`}`;

/** What may follow a sender, and the setting that each takes the place of. */
const PLACES = {
  accession: 'accessionFields',
  modality: 'modalityFields',
  patient: 'patientIdFields',
} as const satisfies Record<string, keyof FieldSettings>;

const EXAMPLE = {
  accession: 'a list of fields such as OBR-18,OBR-3.1',
  modality: 'a list of fields such as IPC-5,OBR-24',
  patient: 'a list of fields such as PID-3,PID-4',
  ids: 'a list of identifier types such as MR,PI',
  clock: 'a time zone such as Etc/UTC',
  phones: 'reports',
} as const;

type Own = Omit<SenderSettings, 'application' | 'facility'>;

function parseAssignment(text: string): { readonly own: Own } | { readonly problem: string } {
  const [name = '', value = '', ...more] = text.split('=');
  const wrong = (key: keyof typeof EXAMPLE) => ({ problem: `${key}= must be ${EXAMPLE[key]}` });
  if (more.length === 0 && name === 'ids') {
    const patientIdTypes = parseIdTypes(value);
    return patientIdTypes === null ? wrong(name) : { own: { patientIdTypes } };
  }
  if (more.length === 0 && name === 'clock') return isTimeZone(value) ? { own: { clockZone: value } } : wrong(name);
  if (more.length === 0 && name === 'phones') {
    return value.toLowerCase() === 'reports' ? { own: { reportsRulePhones: true } } : wrong(name);
  }
  if (more.length > 0 || (name !== 'accession' && name !== 'modality' && name !== 'patient')) {
    return {
      problem:
        'only accession=, modality=, patient=, ids=, clock= and phones= may follow the sender, separated by blanks',
    };
  }
  const places = parseFieldPlaces(value);
  return places === null ? wrong(name) : { own: { [PLACES[name]]: places } };
}

/**
 * `VOYAGER: accession=OBR-3,ORC-3 modality=OBR-24; OTHER|SITE2: accession=OBR-18`: entries parted by `;`, each a
 * sender's MSH-3, or MSH-3|MSH-4, and what differs for it. Gives every problem, by the number of its entry.
 */
export function parseSenders(text: string): { senders: SenderSettings[]; problems: string[] } {
  const senders: SenderSettings[] = [];
  const problems: string[] = [];
  const entries = text.split(';').filter((entry) => entry.trim() !== '');
  for (const [index, entry] of entries.entries()) {
    const problem = (what: string): void => void problems.push(`entry ${index + 1}: ${what}`);
    const colon = entry.indexOf(':');
    const [application = '', facility, ...rest] = entry.slice(0, Math.max(colon, 0)).split('|').map(fold);
    if (application === '' || facility === '' || rest.length > 0) {
      problem('must begin with the sender: MSH-3, or MSH-3|MSH-4, and a colon');
      continue;
    }
    if (senders.some((one) => one.application === application && one.facility === (facility ?? null))) {
      problem('names a sender that an entry before it names');
    }
    const assignments = entry
      .slice(colon + 1)
      .split(/\s+/)
      .filter((one) => one !== '')
      .map(parseAssignment);
    if (assignments.length === 0) problem('says nothing of the sender');
    for (const one of assignments) if ('problem' in one) problem(one.problem);
    const own = assignments.flatMap((one) => ('own' in one ? [one.own] : []));
    if (new Set(own.flatMap((one) => Object.keys(one))).size < own.length) problem('says the same thing twice');
    senders.push({ application, facility: facility ?? null, ...own.reduce((all, one) => ({ ...all, ...one }), {}) });
  }
  return { senders, problems };
}
