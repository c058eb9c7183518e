import { hl7Timestamp } from '../hl7/rules/ack.ts';

/** A patient as the RIS knows one. `identifiers` instead of `id` gives PID-3 as it is. */
export interface RisPatient {
  readonly id: string;
  readonly issuer?: string | undefined;
  readonly identifiers?: string | undefined;
  /** XPN: `FAMILY^Given`. */
  readonly name: string;
  /** `YYYYMMDD`. */
  readonly birthDate?: string | undefined;
  readonly sex?: string | undefined;
  /** PID-13 as it is. */
  readonly phone?: string | undefined;
}

export interface RisOrder {
  readonly accessionNumber: string;
  readonly modality: string;
  readonly procedure: string;
  /** `YYYYMMDDHHMM`, the practice's time. */
  readonly scheduled: string;
  readonly placer?: string;
  readonly filler?: string;
  /** ORC-1; NW unless said. */
  readonly control?: string;
  readonly studyInstanceUid?: string;
}

export interface RisReport {
  readonly accessionNumber: string;
  readonly modality: string;
  readonly procedure: string;
  /** OBR-25. */
  readonly status: string;
  readonly lines: readonly string[];
  readonly reported: string;
}

/** What makes a message one of its own: MSH-7 and MSH-10. */
export interface MessageHead {
  readonly now: Date;
  readonly controlId: string;
}

const msh = (type: string, { now, controlId }: MessageHead): string =>
  `MSH|^~\\&|VOYAGER|AXIS|AXIS_PORTAL|AXIS|${hl7Timestamp(now)}||${type}|${controlId}|P|2.5.1||||||UNICODE UTF-8`;

const pid = ({ id, issuer = 'AXIS', identifiers, name, birthDate = '', sex = '', phone = '' }: RisPatient): string =>
  `PID|1||${identifiers ?? `${id}^^^${issuer}^MR`}||${name}||${birthDate}|${sex}|||||${phone}`;

function orderSegments(order: RisOrder, index: number): string[] {
  const { accessionNumber, modality, procedure, scheduled, control = 'NW', studyInstanceUid } = order;
  const { placer = `P${accessionNumber}`, filler = `F${accessionNumber}` } = order;
  return [
    `ORC|${control}|${placer}|${filler}`,
    `TQ1|1||||||${scheduled}`,
    `OBR|${index + 1}|${placer}|${filler}|${procedure}^${procedure}^L||||||||||||||${accessionNumber}||||||${modality}`,
    ...(studyInstanceUid === undefined ? [] : [`ZDS|${studyInstanceUid}^^Application^DICOM`]),
  ];
}

/** ORM^O01 (HL7 v2.5.1 chapter 4.4.1) with one or more orders. */
export function orm(head: MessageHead, patient: RisPatient, ...orders: readonly RisOrder[]): string {
  return [msh('ORM^O01^ORM_O01', head), pid(patient), 'PV1|1|O', ...orders.flatMap(orderSegments)].join('\r');
}

function reportSegments(report: RisReport, index: number): string[] {
  const { accessionNumber, modality, procedure, status, lines, reported } = report;
  const after = `${reported}||${modality}|${status}`;
  return [
    `OBR|${index + 1}|P${accessionNumber}|F${accessionNumber}|${procedure}^${procedure}^L||||||||||||||${accessionNumber}||||${after}`,
    ...lines.map((line, at) => `OBX|${at + 1}|TX|${procedure}^${procedure}^L||${line}||||||${status}`),
  ];
}

/** ORU^R01 (HL7 v2.5.1 chapter 7.3.1) with one or more reports. */
export function oru(head: MessageHead, patient: RisPatient, ...reports: readonly RisReport[]): string {
  return [msh('ORU^R01^ORU_R01', head), pid(patient), 'PV1|1|O', ...reports.flatMap(reportSegments)].join('\r');
}

/** ADT^A08 and the like (HL7 v2.5.1 chapter 3.3). */
export function adt(event: string, head: MessageHead, patient: RisPatient): string {
  return [msh(`ADT^${event}^ADT_A01`, head), `EVN|${event}|${hl7Timestamp(head.now)}`, pid(patient)].join('\r');
}

/** ADT^A40 (HL7 v2.5.1 chapter 3.3.40): `prior` becomes `patient`. */
export function merge(
  head: MessageHead,
  patient: RisPatient,
  prior: { id: string; issuer?: string | undefined },
): string {
  const mrg = `MRG|${prior.id}^^^${prior.issuer ?? 'AXIS'}^MR`;
  return [msh('ADT^A40^ADT_A39', head), `EVN|A40|${hl7Timestamp(head.now)}`, pid(patient), mrg].join('\r');
}
