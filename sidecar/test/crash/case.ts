import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { ctSeries } from '../../dev/phantoms.ts';
import { connectRis } from '../../dev/ris.ts';
import type { MessageHead, RisPatient } from '../../dev/ris-messages.ts';
import { orthancRest } from '../support/orthanc-rest.ts';
import { DAY, orderOf, reportOf, tagsOf } from '../support/people.ts';
import type { CrashWorld } from './world.ts';

/** One patient with one order, whom no other case knows. */
export interface Case {
  readonly number: number;
  readonly accession: string;
  /** Study Instance UID. */
  readonly uid: string;
  readonly patient: RisPatient;
  /** E.164. */
  readonly mobile: string;
  readonly order: ReturnType<typeof orderOf>;
  readonly report: ReturnType<typeof reportOf>;
  /** When the RIS began to speak of it. */
  readonly begun: Date;
}

const birthDate = (number: number): string =>
  new Date(Date.UTC(1920, 0, number)).toISOString().slice(0, 10).replaceAll('-', '');

export function caseOf(number: number): Case {
  const digits = String(number).padStart(6, '0');
  const accession = `CP-${number}`;
  return {
    number,
    accession,
    uid: `2.25.90${digits}`,
    patient: {
      id: `CRASH${number}`,
      name: `CRASH^Number${number}`,
      // Each has one of their own: who shares it comes into question.
      birthDate: birthDate(number),
      sex: 'F',
      phone: `0412${digits}^PRN^CP`,
    },
    mobile: `+61412${digits}`,
    order: orderOf(accession, 'CT'),
    report: reportOf(accession, 'F', 'CT'),
    begun: new Date(),
  };
}

/** One CT image of the case's study, `index` from 1; with `tags` over the modality's own. */
export function imageOf(one: Case, index = 1, tags: Readonly<Record<string, string>> = {}): Buffer {
  const series = `${one.uid}.${index}`;
  const [file = Buffer.alloc(0)] = ctSeries(
    { ...tagsOf(one.patient, one.uid, one.accession), StudyDate: DAY, ...tags },
    series,
    1,
  );
  return file;
}

const ANSWER_MS = 10_000;

/** The sidecar refused for good, which no case expects. */
export class Refused extends Error {}

/** Sends one HL7 message; gives whether AA came. Fails on AR. */
export async function send(world: CrashWorld, message: string): Promise<boolean> {
  await using ris = await connectRis(world.hl7Port);
  const answer = await Promise.race([ris.send(message), sleep(ANSWER_MS, 'late', { ref: false })]);
  if (answer.includes('MSA|AR')) throw new Refused(`refused: ${answer}`);
  return answer.includes('MSA|AA');
}

const KINDS = ['O', 'R', 'A'] as const;

/** The head of the case's order, report or patient update: the same each time it is sent, each said after the others. */
export function head({ number, begun }: Case, kind: (typeof KINDS)[number]): MessageHead {
  const now = new Date(begun.getTime() + KINDS.indexOf(kind) * 1000);
  return { now, controlId: `${kind}${number}` };
}

const STORED = z.object({ ID: z.string() });

/** Puts a file into Orthanc as a modality does; gives its Orthanc id. */
export async function store(world: CrashWorld, file: Buffer): Promise<string> {
  const { url, username, password } = world.orthanc;
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  const headers = { Authorization: `Basic ${auth}` };
  const answer = await fetch(`${url}/instances`, { method: 'POST', headers, body: new Uint8Array(file) });
  return STORED.parse(await answer.json()).ID;
}

/** One request of a person in Orthanc. */
export const inOrthanc = (world: CrashWorld, method: string, path: string, body?: object): Promise<unknown> =>
  orthancRest(world.orthanc, method, path, body);

/** The Orthanc ids of the case's studies. */
export async function studiesOf(world: CrashWorld, { uid }: Case): Promise<string[]> {
  return z
    .array(z.string())
    .parse(await inOrthanc(world, 'POST', '/tools/find', { Level: 'Study', Query: { StudyInstanceUID: uid } }));
}

/** What an operator does by HTTP; gives whether it was told to be done. */
export async function operate(world: CrashWorld, path: string, body: object = {}): Promise<boolean> {
  const answer = await fetch(`${world.httpUrl}/api/operator/${path}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${world.operatorKey}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ who: 'Ann Radiographer', why: 'asked the patient', ...body }),
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  if (answer.status >= 400 && answer.status < 500) throw new Refused(await answer.text());
  return answer.ok;
}
