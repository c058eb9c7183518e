import { placeName, settingsFor, type FieldPlace, type Hl7Settings } from '../../hl7/rules/field-settings.ts';
import { component, segment, wholeComponent, type Hl7Message, type Hl7Segment } from '../../hl7/rules/message.ts';
import { accessionKey, cleanAccession } from './accession.ts';
import type { MessageFacts } from './facts.ts';
import type { KnownFacts } from './fold.ts';
import { knownModality } from './modality.ts';
import { findForGroup, orderGroups, ordersOf, type OrderGroup } from './order-groups.ts';
import type { StudyFacts } from './order.ts';
import type { Warning } from './warning.ts';

/** One thing that was understood of a message. `null`: the message deletes it. */
export interface Understood {
  /** As `accession number`. */
  readonly what: string;
  readonly value: string | null;
  /** The field that gave it, as `OBR-3`; of several the one that was believed. */
  readonly from: string;
}

/** What was understood of a message: of its patient, then of each order or report, and what was odd. */
export interface Reading {
  readonly patient: readonly Understood[];
  readonly studies: readonly (readonly Understood[])[];
  readonly warnings: readonly Warning[];
}

type Entry = readonly [what: string, value: string | null | undefined, from: string];

/** What was said; what is not there was not. */
const entries = (all: readonly Entry[]): Understood[] =>
  all.flatMap(([what, value, from]) => (value === undefined ? [] : [{ what, value, from }]));

const digits = (text: string): string => text.replace(/\D/g, '');
const firstOf = <T>(places: readonly T[], fits: (place: T) => boolean): T | undefined => places.find(fits);

/** The PID field whose digits a number in E.164 ends with: without country code and leading zero. */
function phoneField(pid: Hl7Segment | undefined, number: string): string {
  const local = digits(number).slice(-8);
  const texts = (field: number): string => (pid?.fields[field] ?? []).flat(2).map(digits).join(' ');
  const field = firstOf([13, 14, 40], (one) => texts(one).includes(local));
  return field === undefined ? 'PID-13, PID-14, PID-40' : `PID-${field}`;
}

function patientOf(message: Hl7Message, facts: MessageFacts, settings: Hl7Settings): Understood[] {
  const [patient] = facts.patients;
  if (patient === undefined) return [];
  const pid = segment(message, 'PID');
  const place = firstOf(settings.patientIdFields, (one) =>
    (pid?.fields[one.field] ?? []).some(([id = []]) => id.join('&').trim() === patient.externalId),
  );
  const { phoneNumber, phoneProblem } = patient;
  return entries([
    ['patient number', patient.externalId, place === undefined ? 'PID-3' : placeName(place)],
    ['issuer of the number', patient.issuer === '' ? undefined : patient.issuer, 'PID'],
    ['name', patient.name, 'PID-5'],
    ['birth date', patient.birthDate, 'PID-7'],
    ['sex', patient.sex, 'PID-8'],
    ['mobile', phoneNumber, phoneNumber == null ? 'PID-13, PID-14, PID-40' : phoneField(pid, phoneNumber)],
    ['no mobile, since', phoneProblem ?? undefined, 'PID-13, PID-14, PID-40'],
  ]);
}

const valueAt = (group: OrderGroup, place: FieldPlace): string =>
  wholeComponent(findForGroup(group, place.segment), place.field, place.component);

function studyOf(
  group: OrderGroup | undefined,
  study: StudyFacts,
  settings: Hl7Settings,
  status: readonly Entry[],
): Understood[] {
  const at = (places: readonly FieldPlace[], fits: (value: string) => boolean): string | undefined => {
    const place = group && firstOf(places, (one) => fits(valueAt(group, one)));
    return place && placeName(place);
  };
  const accession = at(settings.accessionFields, (value) => cleanAccession(value) === study.accessionNumber);
  const modality = at(settings.modalityFields, (value) => knownModality(value) === study.modality);
  return entries([
    ['accession number', study.accessionNumber, accession ?? 'its place'],
    ['placer order number', study.placerOrderNumber, 'ORC-2, OBR-2'],
    ['filler order number', study.fillerOrderNumber, 'ORC-3, OBR-3'],
    ['modality', study.modality, modality ?? 'the words of OBR-4'],
    ['procedure code', study.procedureCode, 'OBR-4.1'],
    ['procedure', study.procedureDescription, 'OBR-4.2, OBR-4.5'],
    ['Study Instance UID', study.studyInstanceUid, 'IPC-3, ZDS-1'],
    [
      'scheduled',
      study.scheduled && study.scheduled.instant.toISOString(),
      'OBR-36, TQ1-7, ORC-7, OBR-27, OBR-7, OBR-6',
    ],
    ...status,
  ]);
}

/** What was understood of a message that says `facts`. Holds patient data, as the message does. */
export function readingOf(message: Hl7Message, facts: MessageFacts, allSettings: Hl7Settings): Reading {
  const settings = settingsFor(message, allSettings);
  const groups = facts.orders.length > 0 ? ordersOf(message) : facts.reports.length > 0 ? orderGroups(message) : [];
  const orders = facts.orders.map(({ study, status }, index) =>
    studyOf(groups[index], study, settings, [['order', status, 'ORC-1, ORC-5']]),
  );
  const reports = facts.reports.map(({ report }, index) =>
    studyOf(groups[index], report.study, settings, [
      ['report', report.status, component(segment(message, 'OBR'), 25) === '' ? 'OBX-11' : 'OBR-25, OBX-11'],
      ['words', `${report.body.length} characters`, 'OBX-5'],
      ['documents', report.attachments.length === 0 ? undefined : String(report.attachments.length), 'OBX-5'],
    ]),
  );
  return { patient: patientOf(message, facts, settings), studies: [...orders, ...reports], warnings: facts.warnings };
}

/** A reading as it is kept: without the names of its parts, so that a message's row stays short. */
export function keptReading({ patient, studies, warnings }: Reading) {
  const parts = (all: readonly Understood[]) => all.map(({ what, value, from }) => [what, value, from]);
  return { patient: parts(patient), studies: studies.map(parts), warnings };
}

const studiesOf = ({ orders, reports }: MessageFacts): readonly StudyFacts[] => [
  ...orders.map(({ study }) => study),
  ...reports.map(({ report }) => report.study),
];

/**
 * With a warning where later messages have said something of a study of it, known ones or those that came `before` it
 * with it: what stands is what was said last.
 */
export function besideKnown(
  reading: Reading,
  facts: MessageFacts,
  known: KnownFacts,
  before: readonly MessageFacts[],
): Reading {
  const keyOf = ({ accessionNumber }: Pick<StudyFacts, 'accessionNumber'>): string => accessionKey(accessionNumber);
  const keys = new Set(studiesOf(facts).map(keyOf));
  const isLater = (saidAt: Date): boolean => saidAt > facts.saidAt;
  const isOlder =
    known.studyFacts.some((one) => keys.has(keyOf(one.facts)) && isLater(one.saidAt)) ||
    before.some((one) => isLater(one.saidAt) && studiesOf(one).some((study) => keys.has(keyOf(study))));
  if (!isOlder) return reading;
  const older: Warning = {
    code: 'older-than-stands',
    field: 'MSH-7',
    detail: 'a later message of the study came before',
  };
  return { ...reading, warnings: [...reading.warnings, older] };
}
