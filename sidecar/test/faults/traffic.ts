import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { cStore } from '../../dev/modality.ts';
import type { OrthancProcess } from '../../dev/orthanc-process.ts';
import { ctSeries } from '../../dev/phantoms.ts';
import { connectRis, type Ris } from '../../dev/ris.ts';
import { orm, oru } from '../../dev/ris-messages.ts';
import type { PlannedOrder } from './plan.ts';

const ANSWER_WITHIN_MS = 8000;
const STORED = z.object({ ID: z.string() });

/** Sends one message until it gets AA: again, as it is, after AE, no answer and a lost connection. Gives how often. */
async function tell(port: number, message: string): Promise<number> {
  for (let sends = 1; ; sends += 1) {
    let ris: Ris | undefined;
    try {
      ris = await connectRis(port);
      const late = sleep(ANSWER_WITHIN_MS, 'late', { ref: false });
      const answer = await Promise.race([ris.send(message), late]);
      if (answer.includes('MSA|AA')) return sends;
      if (answer.includes('MSA|AR')) throw new TypeError(`refused: ${answer}`);
    } catch (error) {
      if (error instanceof TypeError) throw error;
    } finally {
      await ris?.[Symbol.asyncDispose]();
    }
    await sleep(200);
  }
}

async function storeByRest(orthanc: OrthancProcess, file: Buffer): Promise<boolean> {
  const auth = Buffer.from(`${orthanc.username}:${orthanc.password}`).toString('base64');
  const options = { method: 'POST', headers: { Authorization: `Basic ${auth}` }, body: new Uint8Array(file) };
  try {
    const answer = await fetch(`${orthanc.url}/instances`, { ...options, signal: AbortSignal.timeout(15_000) });
    return answer.ok && STORED.safeParse(await answer.json()).success;
  } catch {
    return false;
  }
}

async function storeAll(orthanc: OrthancProcess, files: readonly Buffer[], how: PlannedOrder['how']): Promise<void> {
  if (how === 'c-store') {
    const to = { port: orthanc.dicomPort, calledAeTitle: orthanc.aeTitle };
    while (!(await cStore(files, to)).ok) await sleep(300);
    return;
  }
  for (const file of files) while (!(await storeByRest(orthanc, file))) await sleep(200);
}

/** A mobile number of this order's patient, whom nobody else is. */
export const mobileOf = (order: PlannedOrder): string => `+61412${String(order.number).padStart(6, '0')}`;
export const sopInstanceUids = (order: PlannedOrder): string[] =>
  Array.from({ length: order.images }, (_, index) => `2.25.7${order.number}.1.${index + 1}`);
export const controlIds = (order: PlannedOrder): string[] => [`O${order.number}`, `R${order.number}`];

/** Plays one order with its images and its final report, each step until it is taken. Gives how often it had to send HL7 again. */
export async function playOrder(order: PlannedOrder, to: { hl7Port: number; orthanc: OrthancProcess }) {
  const { number, accession } = order;
  const phone = `0${mobileOf(order).slice(3)}^PRN^CP`;
  const patient = { id: `PAT${number}`, name: `FAULT^Number${number}`, birthDate: '19800102', sex: 'F', phone };
  const what = { accessionNumber: accession, modality: 'CT', procedure: 'CT HEAD' };
  const [orderId = '', reportId = ''] = controlIds(order);
  const tags = {
    StudyInstanceUID: `2.25.7${number}`,
    AccessionNumber: accession,
    PatientID: patient.id,
    PatientName: patient.name,
    PatientBirthDate: patient.birthDate,
    StudyDate: '20260714',
  };
  let again = 0;
  const send = async (message: string): Promise<void> => {
    again += (await tell(to.hl7Port, message)) - 1;
  };
  for (const step of order.steps) {
    if (step === 'order') {
      await send(orm({ now: new Date(), controlId: orderId }, patient, { ...what, scheduled: '202607140900' }));
    } else if (step === 'report') {
      const report = { ...what, status: 'F', lines: [`Report ${number}.`], reported: '' };
      await send(oru({ now: new Date(), controlId: reportId }, patient, report));
    } else {
      await storeAll(to.orthanc, ctSeries(tags, `${tags.StudyInstanceUID}.1`, order.images), order.how);
    }
  }
  return again;
}
