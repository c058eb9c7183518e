import { z } from 'zod';
import { cStore } from '../../dev/modality.ts';
import { adt, orm, oru } from '../../dev/ris-messages.ts';
import { postCallback } from '../support/twilio-callbacks.ts';
import { head, imageOf, inOrthanc, operate, Refused, send, store, studiesOf, type Case } from './case.ts';
import { untaken, untilRight, waitingJobs, type Expected } from './check.ts';
import { PUBLIC_URL, type CrashWorld } from './world.ts';

/** One thing that happens on a day, in which the process is killed. */
export interface Scenario {
  readonly name: string;
  /** What was before, in peace. */
  prepare(world: CrashWorld, one: Case): Promise<void>;
  /** Leaves the sidecar killed, for an `act` that starts it. */
  goDown?(world: CrashWorld, one: Case): Promise<void>;
  /** What happens; gives whether who did it was told that it is done. It is done again until then. */
  act(world: CrashWorld, one: Case): Promise<boolean>;
  /** Of the steps that follow its own: the first and last of these names and what is between; the rest is another's. */
  readonly from?: string;
  readonly to?: string;
  /** Steps between them that are another's too. */
  readonly not?: RegExp;
  /** Its transactions are another's, but for where they begin and end. */
  readonly transactionsOfOthers?: boolean;
  /** A restart does not take it up by itself, told or not. */
  readonly againEachTime?: boolean;
  expected(one: Case): Expected;
}

const SETTLED_MS = 15_000;

/** Waits until what was done before is through. */
export const settled = (world: CrashWorld, one: Case): Promise<void> =>
  untilRight(async () => [...(await untaken(world, one)), ...(await waitingJobs(world))], SETTLED_MS);

/** Time that passes while the process is down, as a text that is being sent sees it. */
export async function whileDown(world: CrashWorld): Promise<void> {
  await world.rows(
    `UPDATE sms_messages SET sending_since = sending_since - interval '200 s' WHERE state = 'sending'`,
    z.unknown(),
  );
}

const taken = async (sent: Promise<boolean>): Promise<void> => {
  if (!(await sent)) throw new Error('no AA in peace');
};
const order = (world: CrashWorld, one: Case, phone = one.patient.phone) =>
  send(world, orm(head(one, 'O'), { ...one.patient, phone }, one.order));
const report = (world: CrashWorld, one: Case, phone = one.patient.phone) =>
  send(world, oru(head(one, 'R'), { ...one.patient, phone }, one.report));

const linked: Omit<Expected, 'controlIds'> = { images: 1, reports: 0, texts: 0, labels: ['ris-linked'] };
const reported: Omit<Expected, 'controlIds'> = {
  images: 1,
  reports: 1,
  texts: 1,
  labels: ['report-final', 'ris-linked'],
};
const MIRRORING = /job mirror-image$|\/rendered$|blob: PUT|UPDATE images/;
const REMOVING = /(take|complete) job remove-blobs$|blob: DELETE|UPDATE deleted_images/;
/** The queue's own start, which comes before or after. */
const STARTING = /_private_tasks$/;
const ofAnother = { PatientID: 'OTHER', PatientName: 'OTHER^Person', PatientBirthDate: '19500505' };

const ID = z.object({ id: z.string() });
const LAST = z.object({ Last: z.number() });

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'an order for images that are there',
    async prepare(world, one) {
      await store(world, imageOf(one));
    },
    act: order,
    expected: ({ number }) => ({ ...linked, controlIds: [`O${number}`] }),
  },
  {
    name: 'an image',
    prepare: (world, one) => taken(order(world, one)),
    async act({ orthanc }, one) {
      const to = { port: orthanc.dicomPort, calledAeTitle: orthanc.aeTitle };
      return (await cStore([imageOf(one)], to)).ok;
    },
    from: 'orthanc: GET /changes',
    expected: ({ number }) => ({ ...linked, controlIds: [`O${number}`] }),
  },
  {
    name: 'a final report',
    async prepare(world, one) {
      await taken(order(world, one));
      await store(world, imageOf(one));
    },
    act: report,
    expected: ({ number }) => ({ ...reported, controlIds: [`O${number}`, `R${number}`] }),
  },
  {
    name: 'a text whose end is unclear',
    async prepare(world, one) {
      await taken(order(world, one));
      await store(world, imageOf(one));
    },
    async goDown(world, one) {
      const reached = world.reach({ step: 'twilio: POST Messages', nth: 1, when: 'after' });
      // Its answer may be on its way still; committed it is.
      const sent = report(world, one).catch(() => false);
      await reached;
      await world.kill();
      await sent;
      await whileDown(world);
    },
    act: async (world) => world.start().then(() => true),
    from: 'postgres: take job send-sms',
    to: 'postgres: complete job send-sms',
    // Of the start itself, which asks for the job.
    not: /add job/,
    expected: ({ number }) => ({ ...reported, controlIds: [`O${number}`, `R${number}`] }),
  },
  {
    name: 'an upload',
    prepare: (world, one) => taken(order(world, one)),
    async act(world, one) {
      const headers = { Authorization: `Bearer ${world.uploadKey}`, 'Content-Type': 'application/dicom' };
      const body = new Uint8Array(imageOf(one));
      const answer = await fetch(`${world.httpUrl}/api/modality/dicom`, { method: 'POST', headers, body });
      if (answer.status >= 400 && answer.status < 500) throw new Refused(await answer.text());
      return answer.ok;
    },
    to: 'http: answer to POST /api/modality/dicom',
    not: /GET \/changes|bulk-content|postgres/,
    expected: ({ number }) => ({ ...linked, controlIds: [`O${number}`] }),
  },
  {
    name: 'a patient’s number, which a held text waits for',
    async prepare(world, one) {
      await taken(order(world, one, ''));
      await store(world, imageOf(one));
      await taken(report(world, one, ''));
    },
    act: (world, one) => send(world, adt('A08', head(one, 'A'), one.patient)),
    to: 'hl7: ACK',
    expected: ({ number }) => ({ ...reported, controlIds: [`O${number}`, `R${number}`, `A${number}`] }),
  },
  {
    name: 'a link by an operator',
    async prepare(world, one) {
      await taken(order(world, one));
      await store(world, imageOf(one, 1, { ...ofAnother, AccessionNumber: '' }));
    },
    act: (world, { uid, accession }) =>
      operate(world, `studies/${uid}/link`, { accessionNumber: accession, despitePatient: true }),
    to: 'http: answer to POST /api/operator/studies/{uid}/link',
    expected: ({ number }) => ({ ...linked, controlIds: [`O${number}`] }),
  },
  {
    name: 'a failed image that an operator has mirrored again',
    async prepare(world, one) {
      await taken(order(world, one));
      await store(world, imageOf(one));
      await settled(world, one);
      await world.rows(
        `UPDATE images SET mirror_status = 'failed', mirror_reason = 'test', image_url = NULL, thumbnail_url = NULL
         FROM series e JOIN dicom_studies d ON d.id = e.dicom_study_id
         WHERE e.id = images.series_id AND d.study_instance_uid = $1`,
        z.unknown(),
        [one.uid],
      );
    },
    async act(world, { uid }) {
      try {
        return await operate(world, 'images/retry', { studyInstanceUid: uid });
      } catch (error) {
        // Told of nothing, an operator asks again, and hears that there is nothing left to be done.
        if (error instanceof Refused && error.message.includes('not-failed')) return true;
        throw error;
      }
    },
    to: 'http: answer to POST /api/operator/images/retry',
    expected: ({ number }) => ({ ...linked, controlIds: [`O${number}`] }),
  },
  {
    name: 'a patient’s STOP',
    async prepare(world, one) {
      await taken(order(world, one));
      await store(world, imageOf(one));
    },
    async act(world, { number, mobile }) {
      const path = '/api/sms/inbound';
      const fields = {
        MessageSid: `SM${String(number).padStart(32, '0')}`,
        From: mobile,
        To: '+61480000000',
        Body: 'STOP',
      };
      const port = Number(new URL(world.httpUrl).port);
      return (await postCallback({ port, path, signedUrl: `${PUBLIC_URL}${path}`, fields })).status === 200;
    },
    to: 'http: answer to POST /api/sms/inbound',
    expected: ({ number }) => ({ ...linked, optOuts: 1, controlIds: [`O${number}`] }),
  },
  {
    name: 'a replay by an operator',
    async prepare(world, one) {
      await taken(order(world, one));
      await store(world, imageOf(one));
      await taken(report(world, one));
    },
    async act(world, { number }) {
      const [message] = await world.rows('SELECT id FROM hl7_messages WHERE control_id = $1', ID, [`R${number}`]);
      return operate(world, `messages/${message?.id ?? ''}/replay`);
    },
    to: 'http: answer to POST /api/operator/messages/{id}/replay',
    expected: ({ number }) => ({ ...reported, controlIds: [`O${number}`, `R${number}`] }),
  },
  {
    name: 'a patient corrected in Orthanc',
    async prepare(world, one) {
      await taken(order(world, one));
      await store(world, imageOf(one, 1, ofAnother));
      await settled(world, one);
      const [study = ''] = await studiesOf(world, one);
      const { id, name, birthDate } = one.patient;
      await inOrthanc(world, 'POST', `/studies/${study}/modify`, {
        Replace: { PatientID: id, PatientName: name, PatientBirthDate: birthDate },
        Keep: ['StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID'],
        Force: true,
        KeepSource: false,
      });
      await settled(world, one);
      // It is looked three seconds after the modification, here when the scenario says so.
      await world.rows(
        `UPDATE graphile_worker._private_jobs SET run_at = run_at + interval '1 hour' WHERE key LIKE 'look-for-deleted:%'`,
        z.unknown(),
      );
    },
    async act(world, { uid }) {
      const now = `SELECT graphile_worker.add_job('look-for-deleted', json_build_object('dicomStudyId', CAST(id AS text), 'look', 0),
        job_key := 'look-for-deleted:' || id) IS NOT NULL FROM dicom_studies WHERE study_instance_uid = $1`;
      await world.rows(now, z.unknown(), [uid]);
      return true;
    },
    from: 'postgres: take job look-for-deleted',
    againEachTime: true,
    expected: ({ number }) => ({ ...linked, deleted: 1, controlIds: [`O${number}`] }),
  },
  {
    name: 'a sweep that finds an image too many, one too few and a label gone',
    async prepare(world, one) {
      await taken(order(world, one));
      await store(world, imageOf(one, 1));
      await store(world, imageOf(one, 2));
    },
    async goDown(world, one) {
      await world.kill();
      const [study = ''] = await studiesOf(world, one);
      const second = await store(world, imageOf(one, 2));
      await inOrthanc(world, 'DELETE', `/instances/${second}`);
      await store(world, imageOf(one, 3));
      await inOrthanc(world, 'DELETE', `/studies/${study}/labels/ris-linked`);
      const { Last } = LAST.parse(await inOrthanc(world, 'GET', '/changes?last'));
      await world.rows('UPDATE feed_cursor SET seq = $1', z.unknown(), [Last]);
    },
    act: async (world) => world.start(true).then(() => true),
    from: 'orthanc: GET /instances',
    not: new RegExp(`${MIRRORING.source}|${REMOVING.source}|${STARTING.source}`),
    transactionsOfOthers: true,
    expected: ({ number }) => ({ ...linked, images: 2, deleted: 1, controlIds: [`O${number}`] }),
  },
];
