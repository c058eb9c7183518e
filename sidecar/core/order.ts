import { cleanAccession } from './accession.ts';
import { readPatient, said, type PatientFacts, type Said } from './adt.ts';
import { component, HL7_NULL, segment, type Hl7Message, type Hl7Segment } from './hl7-message.ts';
import { Hl7Rejection } from './hl7-rejection.ts';
import { parseHl7Time, type PracticeTime } from './hl7-time.ts';

/** Where a practice's RIS puts things, and how its texts are read. */
export interface Hl7Settings {
  /** Fields that may hold the accession number, the first that has one wins: `OBR-18`. */
  readonly accessionFields: readonly { readonly segment: string; readonly field: number }[];
  readonly timeZone: string;
  readonly phoneRegion: string;
}

export type OrderStatus = 'active' | 'held' | 'cancelled' | 'completed';

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

/** One ORC/OBR group with what follows it, by segment name. `ordinal` counts OBRs from 1, as ERR-2 does. */
export interface OrderGroup {
  readonly ordinal: number;
  readonly segments: readonly Hl7Segment[];
}

// Order controls of HL7 table 0119.
const STATUS_BY_CONTROL: Readonly<Record<string, OrderStatus>> = {
  ...Object.fromEntries(['NW', 'SN', 'NA', 'OK', 'XO', 'XX', 'XR', 'RP', 'RO', 'RU', 'SC', 'SR', 'PA', 'CH', 'RL', 'OE', 'OR', 'RE', 'RF', 'AF'].map((control) => [control, 'active'])),
  ...Object.fromEntries(['CA', 'OC', 'CR', 'DC', 'OD', 'DR'].map((control) => [control, 'cancelled'])),
  ...Object.fromEntries(['HD', 'OH', 'HR'].map((control) => [control, 'held'])),
}; // prettier-ignore

// Order status (ORC-5, table 0038) as far as it says more than an active control does.
const STATUS_BY_ORC5: Readonly<Record<string, OrderStatus>> = {
  CA: 'cancelled',
  DC: 'cancelled',
  RP: 'cancelled',
  HD: 'held',
  CM: 'completed',
};

/** The ORC/OBR groups of an order or report message; an ORC belongs to the OBR that follows it. */
export function orderGroups(message: Hl7Message): OrderGroup[] {
  const groups: Hl7Segment[][] = [];
  for (const next of message.segments) {
    const current = groups.at(-1);
    const opens = next.name === 'ORC' || (next.name === 'OBR' && current?.some(({ name }) => name === 'OBR') !== false);
    if (opens) groups.push([next]);
    else current?.push(next);
  }
  return groups.map((segments, index) => ({ ordinal: index + 1, segments }));
}

const find = (group: OrderGroup, name: string): Hl7Segment | undefined =>
  group.segments.find((candidate) => candidate.name === name);

const MODALITY =
  /^(CT|MR|US|CR|DX|DR|XR|RG|MG|NM|PT|XA|RF|BMD|BDUS|OT|IO|PX|ES|XC|ECG|IVUS|OCT|OP|US|RTIMAGE|MRI|PET)$/;

const text = (value: string): string | null =>
  value
    .replace(/\p{Cc}/gu, ' ')
    .trim()
    .slice(0, 1024) || null;

/** The first of several fields that says anything. */
function firstSaid<T>(...values: readonly Said<T>[]): Said<T> {
  return values.find((value) => value !== undefined);
}

/**
 * What one ORC/OBR group says of its study: accession number where the settings look for it, modality from IPC-5 else
 * OBR-24, Study Instance UID from IPC-3 else ZDS-1, schedule from OBR-36, TQ1-7, ORC-7.4, OBR-27.4, else OBR-7.
 * @throws Hl7Rejection 101 where no field has an accession number, pointing at OBR-18.
 */
export function readStudy(group: OrderGroup, settings: Hl7Settings): StudyFacts {
  const [obr, orc, ipc, zds, tq1] = ['OBR', 'ORC', 'IPC', 'ZDS', 'TQ1'].map((name) => find(group, name));
  const accessionNumber = settings.accessionFields
    .map((place) => component(find(group, place.segment), place.field))
    .filter((value) => value !== HL7_NULL)
    .map(cleanAccession)
    .find((value) => value !== '');
  if (accessionNumber === undefined) {
    throw new Hl7Rejection(101, 'no accession number in any of its fields', {
      segment: 'OBR',
      ordinal: group.ordinal,
      field: 18,
    });
  }
  const time = (value: string): Said<PracticeTime> => said(value, (raw) => parseHl7Time(raw, settings.timeZone));
  const modality = (value: string): Said<string> =>
    said(value, (raw) => (MODALITY.test(raw.trim().toUpperCase()) ? raw.trim().toUpperCase() : null));
  return {
    accessionNumber,
    placerOrderNumber: firstSaid(said(component(orc, 2), text), said(component(obr, 2), text)),
    fillerOrderNumber: firstSaid(said(component(orc, 3), text), said(component(obr, 3), text)),
    studyInstanceUid: firstSaid(said(component(ipc, 3), text), said(component(zds, 1), text)),
    modality: firstSaid(modality(component(ipc, 5)), modality(component(obr, 24))),
    procedureCode: said(component(obr, 4), text),
    procedureDescription: firstSaid(said(component(obr, 4, 2), text), said(component(obr, 4, 5), text)),
    scheduled: firstSaid(
      time(component(obr, 36)),
      time(component(tq1, 7)),
      time(component(orc, 7, 4)),
      time(component(obr, 27, 4)),
      time(component(obr, 7)),
    ),
  };
}

function readStatus(group: OrderGroup): OrderStatus {
  const orc = find(group, 'ORC');
  const control = component(orc, 1).trim().toUpperCase();
  const status = STATUS_BY_CONTROL[control];
  if (status === undefined) {
    throw new Hl7Rejection(103, 'ORC-1 is not an order control of table 0119', {
      segment: 'ORC',
      ordinal: group.ordinal,
      field: 1,
    });
  }
  return status === 'active' ? (STATUS_BY_ORC5[component(orc, 5).trim().toUpperCase()] ?? status) : status;
}

/**
 * Reads ORM^O01 (HL7 v2.5.1 chapter 4.4.1) or OMI^O23 (4.4.12): all of its orders or none.
 * @throws Hl7Rejection pointing at the first thing that keeps it from being applied.
 */
export function readOrderMessage(message: Hl7Message, settings: Hl7Settings): OrderMessage {
  const patient = readPatient(message, settings.phoneRegion);
  const groups = orderGroups(message);
  if (segment(message, 'ORC') === undefined) throw new Hl7Rejection(100, 'ORC segment missing', { segment: 'ORC' });
  return { patient, orders: groups.map((group) => ({ study: readStudy(group, settings), status: readStatus(group) })) };
}
