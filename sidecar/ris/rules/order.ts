import { accessionNumbers } from './accession-place.ts';
import { knownModality, modalityInWords } from './modality.ts';
import { statusByControl, statusByOrderStatus, type OrderStatus } from './order-control.ts';
import { findForGroup, findIn, ordersOf, rejectionAt, type OrderGroup } from './order-groups.ts';
import { readPatient, said, type PatientFacts, type Said } from './patient-update.ts';
import { distinctWarnings, unheard, type Warn, type Warning } from './warning.ts';
import { placeName, settingsFor, type Hl7Settings } from '../../hl7/rules/field-settings.ts';
import {
  component,
  componentOrNull,
  HL7_NULL,
  segment,
  type Hl7Message,
  type Hl7Segment,
} from '../../hl7/rules/message.ts';
import { Hl7Rejection } from '../../hl7/rules/rejection.ts';
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
  /** For each of these the other numbers in the places of its accession number. */
  readonly elsewhere: readonly (readonly string[])[];
  readonly warnings: readonly Warning[];
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

type Told = (field: number, part?: number) => Said<string>;

/** What a code in one of the places says, else the words of OBR-4. */
function readModality(group: OrderGroup, { modalityFields }: Hl7Settings, obr4: readonly Said<string>[], warn: Warn) {
  const byCode = firstSaid(
    ...modalityFields.map((place) =>
      said(componentOrNull(findForGroup(group, place.segment), place.field, place.component), knownModality),
    ),
  );
  if (byCode !== undefined) return byCode;
  const words = obr4.filter((one) => one != null);
  const byWords = words.map(modalityInWords).find((one) => one !== null);
  if (byWords === undefined) {
    const detail = 'no field has a code, and the words say none or several';
    warn({ code: 'modality-unknown', field: [...modalityFields.map(placeName), 'OBR-4'].join(', '), detail });
  }
  return byWords;
}

/** What a group says of its study, and the other numbers in the places of its accession number. */
export interface StudyInPlaces {
  readonly study: StudyFacts;
  readonly elsewhere: readonly string[];
}

/**
 * What one ORC/OBR group says of its study: accession number and modality where the settings look for them (where the
 * modality is none that is known, the next place counts, and last the words of OBR-4), Study Instance UID from IPC-3 else
 * ZDS-1, schedule from OBR-36, TQ1-7, ORC-7.4, OBR-27.4, OBR-7, else OBR-6 (before HL7 2.3).
 * @throws Hl7Rejection 101 where no field has an accession number, pointing at the first of its places.
 */
export function readStudyInPlaces(group: OrderGroup, settings: Hl7Settings, warn: Warn = unheard): StudyInPlaces {
  const [obr, orc, ipc, zds, tq1] = ['OBR', 'ORC', 'IPC', 'ZDS', 'TQ1'].map((name) => findIn(group, name));
  const { accessionNumber, elsewhere } = accessionNumbers(group, settings.accessionFields, warn);
  const time = (value: string, field: string): Said<PracticeTime> => {
    const at = said(value, (raw) => parseHl7Time(raw, settings.timeZone));
    if (at === undefined && value.trim() !== '') warn({ code: 'time-unreadable', field, detail: 'is no time' });
    return at;
  };
  const wordsOf =
    (from: Hl7Segment | undefined): Told =>
    (field, part = 1) =>
      said(componentOrNull(from, field, part), text);
  const [ofObr, ofOrc] = [wordsOf(obr), wordsOf(orc)];
  const number = (field: 2 | 3): Said<string> =>
    group.sharesOrc === true ? firstSaid(ofObr(field), ofOrc(field)) : firstSaid(ofOrc(field), ofObr(field));
  const procedure = [ofObr(4, 2), ofObr(4, 5), ofObr(4)];
  return {
    study: {
      accessionNumber,
      placerOrderNumber: number(2),
      fillerOrderNumber: number(3),
      studyInstanceUid: firstSaid(wordsOf(ipc)(3), wordsOf(zds)(1)),
      modality: readModality(group, settings, procedure, warn),
      procedureCode: ofObr(4),
      procedureDescription: firstSaid(ofObr(4, 2), ofObr(4, 5)),
      scheduled: firstSaid(
        time(component(obr, 36), 'OBR-36'),
        time(component(tq1, 7), 'TQ1-7'),
        time(componentOrNull(orc, 7, 4), 'ORC-7.4'),
        time(componentOrNull(obr, 27, 4), 'OBR-27.4'),
        time(component(obr, 7), 'OBR-7'),
        time(component(obr, 6), 'OBR-6'),
      ),
    },
    elsewhere,
  };
}

/** As {@link readStudyInPlaces}, without the numbers elsewhere. */
export const readStudy = (group: OrderGroup, settings: Hl7Settings): StudyFacts =>
  readStudyInPlaces(group, settings).study;

const code = (orc: Hl7Segment | undefined, field: number): string => component(orc, field).trim().toUpperCase();

/** How the order of a group stands; `unchanged` where it says nothing of that. */
function readStatus(group: OrderGroup, replacedBeside: boolean): OrderStatus | 'unchanged' {
  const orc = findIn(group, 'ORC');
  const control = code(orc, 1);
  const status = statusByControl(control, code(orc, 5), replacedBeside);
  if (status !== 'unknown') return status;
  const missing = control === '' || control === HL7_NULL;
  const byStatus = missing ? statusByOrderStatus(code(orc, 5)) : undefined;
  if (byStatus !== undefined) return byStatus;
  throw rejectionAt(group, 'ORC', 1, missing ? 101 : 103, 'ORC-1 is not an order control of table 0119');
}

/**
 * Reads ORM^O01 (HL7 v2.5.1 chapter 4.4.1), OMG^O19 (4.4.2) or OMI^O23 (4.4.12): all of its orders or none. A group that
 * only answers or asks is no order.
 * @throws Hl7Rejection pointing at the first thing that keeps it from being applied.
 */
export function readOrderMessage(message: Hl7Message, allSettings: Hl7Settings): OrderMessage {
  const settings = settingsFor(message, allSettings);
  const heard: Warning[] = [];
  const warn = (warning: Warning): void => void heard.push(warning);
  const patient = readPatient(message, settings, warn);
  if (segment(message, 'ORC') === undefined) throw new Hl7Rejection(100, 'ORC segment missing', { segment: 'ORC' });
  const replacedBeside = message.segments.some((one) => one.name === 'ORC' && code(one, 1) === 'RO');
  const read = ordersOf(message).flatMap((group) => {
    const status = readStatus(group, replacedBeside);
    return status === 'unchanged' ? [] : [{ status, ...readStudyInPlaces(group, settings, warn) }];
  });
  return {
    patient,
    orders: read.map(({ study, status }) => ({ study, status })),
    elsewhere: read.map(({ elsewhere }) => elsewhere),
    warnings: distinctWarnings(heard),
  };
}
