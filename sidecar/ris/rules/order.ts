import { accessionProblem, cleanAccession } from './accession.ts';
import { readPatient, said, type PatientFacts, type Said } from './patient-update.ts';
import {
  component,
  componentOrNull,
  HL7_NULL,
  ordinal,
  segment,
  wholeComponent,
  type Hl7Message,
  type Hl7Segment,
} from '../../hl7/rules/message.ts';
import { MAX_GROUPS, tooManyGroups } from '../../hl7/rules/limits.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';
import { settingsFor, type Hl7Settings } from '../../hl7/rules/field-settings.ts';
import { statusByControl, type OrderStatus } from './order-control.ts';
import { parseHl7Time, type PracticeTime } from '../../hl7/rules/time.ts';

export type { OrderStatus } from './order-control.ts';

/** What the RIS says of one study, from an order or from the head of a report. */
export interface StudyFacts {
  readonly accessionNumber: string;
  readonly placerOrderNumber: Said<string>;
  readonly fillerOrderNumber: Said<string>;
  readonly studyInstanceUid: Said<string>;
  readonly modality: Said<string>;
  readonly procedureCode: Said<string>;
  readonly procedureDescription: Said<string>;
  readonly scheduled: Said<PracticeTime>;
}

export interface Order {
  readonly study: StudyFacts;
  readonly status: OrderStatus;
}

export interface OrderMessage {
  readonly patient: PatientFacts;
  readonly orders: readonly Order[];
}

/** One ORC/OBR group with what follows it. */
export interface OrderGroup {
  readonly message: Hl7Message;
  /** From 1. */
  readonly number: number;
  readonly segments: readonly Hl7Segment[];
  /** The first of each name among what the message says before its groups (PID, PV1). */
  readonly before: ReadonlyMap<string, Hl7Segment>;
}

/**
 * The ORC/OBR groups of an order or report message; an ORC belongs to the OBR that follows it.
 * @throws Hl7Rejection 102 where there are more than {@link MAX_GROUPS}.
 */
export function orderGroups(message: Hl7Message): OrderGroup[] {
  const groups: Hl7Segment[][] = [];
  const before = new Map<string, Hl7Segment>();
  for (const next of message.segments) {
    const current = groups.at(-1);
    const opens = next.name === 'ORC' || (next.name === 'OBR' && current?.some(({ name }) => name === 'OBR') !== false);
    if (opens) groups.push([next]);
    if (groups.length > MAX_GROUPS) throw tooManyGroups(next.name, 'orders (ORC, OBR)');
    else if (current !== undefined) current.push(next);
    else if (!before.has(next.name)) before.set(next.name, next);
  }
  return groups.map((segments, index) => ({ message, number: index + 1, segments, before }));
}

const find = (group: OrderGroup, name: string): Hl7Segment | undefined =>
  group.segments.find((candidate) => candidate.name === name);

/** A rejection that points at a field of the group's segment of that name. */
export function rejectionAt(
  group: OrderGroup,
  name: string,
  field: number,
  code: 101 | 102 | 103,
  reason: string,
): Hl7Rejection {
  const at = find(group, name);
  const which = at === undefined ? group.number : ordinal(group.message, at);
  return new Hl7Rejection(code, reason, { segment: name, ordinal: which, field });
}

const MODALITY = /^(CT|MR|US|CR|DX|DR|XR|RG|MG|NM|PT|XA|RF|BMD|BDUS|OT|IO|PX|ES|XC|ECG|IVUS|OCT|OP|RTIMAGE|MRI|PET)$/;

// Diagnostic service sections (OBR-24, HL7 table 0074) that are a modality under another name.
const MODALITY_OF_SECTION: ReadonlyMap<string, string> = new Map([
  ['NMR', 'MR'],
  ['NMS', 'NM'],
  ['RX', 'XR'],
  ['RUS', 'US'],
  ['CUS', 'US'],
  ['OUS', 'US'],
  ['VUS', 'US'],
]);

function knownModality(raw: string): string | null {
  const code = raw.trim().toUpperCase();
  return MODALITY_OF_SECTION.get(code) ?? (MODALITY.test(code) ? code : null);
}

const text = (value: string): string | null =>
  value
    .replace(/\p{Cc}/gu, ' ')
    .trim()
    .slice(0, 1024)
    .toWellFormed() || null;

/** The first of several fields that has a value, else `null` where one deletes it. */
function firstSaid<T>(...values: readonly Said<T>[]): Said<T> {
  return values.find((value) => value != null) ?? values.find((value) => value === null);
}

/** The segment of that name in the group, else among what the message says before its groups. */
const findForGroup = (group: OrderGroup, name: string): Hl7Segment | undefined =>
  find(group, name) ?? group.before.get(name);

/**
 * What one ORC/OBR group says of its study: accession number and modality where the settings look for them (where the
 * modality is none that is known, the next place counts), Study Instance UID from IPC-3 else ZDS-1, schedule from
 * OBR-36, TQ1-7, ORC-7.4, OBR-27.4, OBR-7, else OBR-6 (before HL7 2.3).
 * @throws Hl7Rejection 101 where no field has an accession number, pointing at the first of its places; 102 where the first
 * that has one has none that can be taken ({@link accessionProblem}).
 */
export function readStudy(group: OrderGroup, settings: Hl7Settings): StudyFacts {
  const [obr, orc, ipc, zds, tq1] = ['OBR', 'ORC', 'IPC', 'ZDS', 'TQ1'].map((name) => find(group, name));
  const { accessionFields, modalityFields } = settings;
  const given = accessionFields
    .map((place) => ({
      place,
      value: wholeComponent(findForGroup(group, place.segment), place.field, place.component),
    }))
    .find(({ value }) => value.trim() !== HL7_NULL && cleanAccession(value) !== '');
  if (given === undefined) {
    const { segment: name, field } = accessionFields[0] ?? { segment: 'OBR', field: 18 };
    throw rejectionAt(group, name, field, 101, 'no accession number in any of its fields');
  }
  const problem = accessionProblem(given.value);
  if (problem !== null) {
    const reason = `${problem}; where it is in another field, HL7_ACCESSION_FIELDS or HL7_SENDERS say so`;
    throw rejectionAt(group, given.place.segment, given.place.field, 102, reason);
  }
  const accessionNumber = cleanAccession(given.value);
  const time = (value: string): Said<PracticeTime> => said(value, (raw) => parseHl7Time(raw, settings.timeZone));
  const words = (from: Hl7Segment | undefined, field: number, part = 1): Said<string> =>
    said(componentOrNull(from, field, part), text);
  return {
    accessionNumber,
    placerOrderNumber: firstSaid(words(orc, 2), words(obr, 2)),
    fillerOrderNumber: firstSaid(words(orc, 3), words(obr, 3)),
    studyInstanceUid: firstSaid(words(ipc, 3), words(zds, 1)),
    modality: firstSaid(
      ...modalityFields.map((place) =>
        said(componentOrNull(findForGroup(group, place.segment), place.field, place.component), knownModality),
      ),
    ),
    procedureCode: words(obr, 4),
    procedureDescription: firstSaid(words(obr, 4, 2), words(obr, 4, 5)),
    scheduled: firstSaid(
      time(component(obr, 36)),
      time(component(tq1, 7)),
      time(componentOrNull(orc, 7, 4)),
      time(componentOrNull(obr, 27, 4)),
      time(component(obr, 7)),
      time(component(obr, 6)),
    ),
  };
}

const code = (orc: Hl7Segment | undefined, field: number): string => component(orc, field).trim().toUpperCase();

/** How the order of a group stands; `unchanged` where it says nothing of that. */
function readStatus(group: OrderGroup, replacedBeside: boolean): OrderStatus | 'unchanged' {
  const orc = find(group, 'ORC');
  const control = code(orc, 1);
  const status = statusByControl(control, code(orc, 5), replacedBeside);
  if (status !== 'unknown') return status;
  const missing = control === '' || control === HL7_NULL;
  throw rejectionAt(group, 'ORC', 1, missing ? 101 : 103, 'ORC-1 is not an order control of table 0119');
}

/**
 * Reads ORM^O01 (HL7 v2.5.1 chapter 4.4.1), OMG^O19 (4.4.2) or OMI^O23 (4.4.12): all of its orders or none. A group that
 * only answers or asks is no order.
 * @throws Hl7Rejection pointing at the first thing that keeps it from being applied.
 */
export function readOrderMessage(message: Hl7Message, allSettings: Hl7Settings): OrderMessage {
  const settings = settingsFor(message, allSettings);
  const patient = readPatient(message, settings);
  if (segment(message, 'ORC') === undefined) throw new Hl7Rejection(100, 'ORC segment missing', { segment: 'ORC' });
  const replacedBeside = message.segments.some((one) => one.name === 'ORC' && code(one, 1) === 'RO');
  const orders = orderGroups(message).flatMap((group): Order[] => {
    const status = readStatus(group, replacedBeside);
    return status === 'unchanged' ? [] : [{ study: readStudy(group, settings), status }];
  });
  return { patient, orders };
}
