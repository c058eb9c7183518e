import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { blobNames } from '../../images/rules/rendering.ts';
import { inOrthanc, type Case } from './case.ts';
import type { CrashWorld } from './world.ts';

/** What there is of a case once all is done. */
export interface Expected {
  readonly images: number;
  /** Of those that were deleted in Orthanc. */
  readonly deleted?: number;
  readonly controlIds: readonly string[];
  readonly reports: number;
  readonly texts: number;
  readonly labels: readonly string[];
  /** Words of the patient against texts. */
  readonly optOuts?: number;
}

const FOUND = z.array(z.object({ ID: z.string() }));
const LABELLED = z.array(z.object({ ID: z.string(), Labels: z.array(z.string()) }));
const IMAGE = z.object({ id: z.string(), mirrored: z.boolean(), linked: z.boolean() });
const ID = z.object({ id: z.string() });
const LINE = z.object({ line: z.string() });

const find = (world: CrashWorld, level: string, { uid }: Case): Promise<unknown> =>
  inOrthanc(world, 'POST', '/tools/find', { Level: level, Query: { StudyInstanceUID: uid }, Expand: true });

const IMAGES = `
  SELECT i.orthanc_id AS id, i.mirror_status = 'mirrored' AS mirrored,
         d.status = 'linked' AND s.source = 'ris' AND s.accession_number = $2 AND e.study_id = s.id AS linked
  FROM images i JOIN series e ON e.id = i.series_id JOIN dicom_studies d ON d.id = e.dicom_study_id
  JOIN studies s ON s.id = d.study_id
  WHERE d.study_instance_uid = $1`;

// What is counted of a case, a line a kind.
const COUNTS = `
  SELECT 'message ' || control_id || ' ' || answer || ' ' || count(*) AS line FROM hl7_messages
  WHERE control_id = ANY ($1) GROUP BY control_id, answer
  UNION ALL SELECT 'patients ' || count(*) FROM patients WHERE external_id = $2
  UNION ALL SELECT 'studies ' || count(*) FROM studies WHERE accession_number = $3
  UNION ALL SELECT 'reports ' || count(*) FROM reports r JOIN studies s ON s.id = r.study_id WHERE s.accession_number = $3
  UNION ALL SELECT 'texts sent ' || count(*) FROM sms_messages m JOIN studies s ON s.id = m.study_id
  WHERE s.accession_number = $3 AND m.state = 'sent' AND m.to_number = $4
  UNION ALL SELECT 'texts not sent ' || count(*) FROM sms_messages m JOIN studies s ON s.id = m.study_id
  WHERE s.accession_number = $3 AND m.state <> 'sent'
  UNION ALL SELECT 'opt-outs ' || count(*) FROM sms_opt_outs WHERE number = $4
  UNION ALL SELECT 'deleted ' || count(*) FROM deleted_images WHERE study_instance_uid = $5
  UNION ALL SELECT 'deleted, with blobs ' || count(*) FROM deleted_images
  WHERE study_instance_uid = $5 AND blobs_removed_at IS NULL
  UNION ALL SELECT 'failure ' || part || ' ' || code FROM failures`;

/** What is there twice or not at all of the instances that Orthanc has of the case. */
export async function untaken(world: CrashWorld, one: Case): Promise<string[]> {
  const held = FOUND.parse(await find(world, 'Instance', one)).map(({ ID }) => ID);
  const rows = await world.rows(IMAGES, IMAGE, [one.uid, one.accession]);
  const times = (id: string): number => rows.filter((row) => row.id === id).length;
  return held.filter((id) => times(id) !== 1).map((id) => `image ${id} taken ${times(id)} times`);
}

/** Blobs that are missing of those images, or still there of deleted ones. */
async function wrongBlobs(world: CrashWorld, { uid }: Case, held: readonly string[]): Promise<string[]> {
  const wrong: string[] = [];
  const isThere = (name: string): Promise<boolean> => world.container.getBlobClient(name).exists();
  const deleted = await world.rows('SELECT orthanc_id AS id FROM deleted_images WHERE study_instance_uid = $1', ID, [
    uid,
  ]);
  for (const id of held) {
    for (const name of Object.values(blobNames(id))) if (!(await isThere(name))) wrong.push(`blob ${name} missing`);
  }
  for (const { id } of deleted) {
    for (const name of Object.values(blobNames(id)))
      if (await isThere(name)) wrong.push(`blob ${name} of a deleted image`);
  }
  return wrong;
}

/** What of the case is not as expected, a line each: lost, doubled, failed or not yet done. */
export async function problems(world: CrashWorld, one: Case, expected: Expected): Promise<string[]> {
  const held = FOUND.parse(await find(world, 'Instance', one)).map(({ ID }) => ID);
  const rows = await world.rows(IMAGES, IMAGE, [one.uid, one.accession]);
  const wrong = await untaken(world, one);
  if (held.length !== expected.images) wrong.push(`images in Orthanc: ${held.length}, not ${expected.images}`);
  for (const { id, mirrored, linked } of rows) {
    if (!held.includes(id)) wrong.push(`image ${id} is not in Orthanc`);
    if (!mirrored) wrong.push(`image ${id} not mirrored`);
    if (!linked) wrong.push(`image ${id} not linked`);
  }
  const { controlIds, reports, texts } = expected;
  const lines = (await world.rows(COUNTS, LINE, [controlIds, one.patient.id, one.accession, one.mobile, one.uid])).map(
    ({ line }) => line,
  );
  const wanted = [
    ...controlIds.map((id) => `message ${id} AA 1`),
    'patients 1',
    'studies 1',
    `reports ${reports}`,
    `texts sent ${texts}`,
    'texts not sent 0',
    `opt-outs ${expected.optOuts ?? 0}`,
    `deleted ${expected.deleted ?? 0}`,
    'deleted, with blobs 0',
  ];
  wrong.push(...wanted.filter((line) => !lines.includes(line)).map((line) => `not so: ${line}`));
  wrong.push(...lines.filter((line) => !wanted.includes(line)).map((line) => `instead: ${line}`));
  const taken = world.sandbox.messages.filter(({ to }) => to === one.mobile).length;
  if (taken !== texts) wrong.push(`texts Twilio took: ${taken}, not ${texts}`);
  for (const { ID, Labels } of LABELLED.parse(await find(world, 'Study', one))) {
    const labels = Labels.toSorted().join(' ');
    if (labels !== expected.labels.join(' ')) wrong.push(`labels of ${ID}: ${labels}`);
  }
  if (wrong.length > 0) return wrong;
  return wrongBlobs(world, one, held);
}

// A job that a killed process holds is another matter; one that looks later whether something was deleted waits.
const WAITING = `
  SELECT task_identifier || ' ' || attempts || ' ' || COALESCE(last_error, '') AS line FROM graphile_worker.jobs
  WHERE (locked_at IS NULL OR locked_at >= $1) AND NOT (task_identifier = 'look-for-deleted' AND run_at > now())`;

/** Jobs that are not done, or failed, apart from those that a killed process holds. */
export const waitingJobs = async (world: CrashWorld): Promise<string[]> =>
  (await world.rows(WAITING, LINE, [world.startedAt])).map(({ line }) => `job ${line}`);

const HELD = `SELECT task_identifier AS line FROM graphile_worker.jobs WHERE locked_at < $1`;

/** Jobs that a killed process holds. */
export const heldJobs = async (world: CrashWorld): Promise<string[]> =>
  (await world.rows(HELD, LINE, [world.startedAt])).map(({ line }) => `held: ${line}`);

/** Waits until nothing is wrong; fails with what still is. */
export async function untilRight(look: () => Promise<string[]>, limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs;
  for (let wrong = await look(); wrong.length > 0; wrong = await look()) {
    if (Date.now() > deadline) throw new Error(wrong.join('; '));
    await sleep(50);
  }
}

// What a killed process still holds is not to come in the way of the next case.
const FORGET_HELD = 'DELETE FROM graphile_worker._private_jobs WHERE locked_at < $1';

export const forgetHeldJobs = (world: CrashWorld) => world.rows(FORGET_HELD, z.unknown(), [world.startedAt]);
