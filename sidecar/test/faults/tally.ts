import { BlobServiceClient } from '@azure/storage-blob';
import pg from 'pg';
import { z } from 'zod';
import type { PlannedOrder } from './plan.ts';
import { controlIds, mobileOf, sopInstanceUids } from './traffic.ts';
import type { World } from './world.ts';

/** Where to look. */
export type Servers = Pick<World, 'orthanc' | 'azurite' | 'sandbox' | 'databaseUrl'>;

export interface Count {
  readonly expected: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
}
export type Tally = Readonly<Record<string, Count>>;

/** Holds what there is against what there should be, each exactly once. What nobody sent counts as doubled. */
function count(expected: Iterable<string>, actual: Iterable<string>): Count {
  const times = new Map<string, number>();
  for (const one of actual) times.set(one, (times.get(one) ?? 0) + 1);
  const wanted = new Set(expected);
  return {
    expected: wanted.size,
    lost: [...wanted].filter((one) => !times.has(one)),
    doubled: [...times].filter(([one, often]) => often > 1 || !wanted.has(one)).map(([one]) => one),
  };
}

/** Rows of one column of text, asked of Postgres itself. */
export async function column(world: Servers, sql: string, values: readonly unknown[] = []): Promise<string[]> {
  const client = new pg.Client({ connectionString: world.databaseUrl });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query({ text: sql, values: [...values], rowMode: 'array' });
    return z
      .array(z.tuple([z.string()]))
      .parse(rows)
      .map(([value]) => value);
  } finally {
    await client.end();
  }
}

export async function askOrthanc(world: Servers, path: string): Promise<unknown> {
  const auth = Buffer.from(`${world.orthanc.username}:${world.orthanc.password}`).toString('base64');
  const answer = await fetch(`${world.orthanc.url}${path}`, { headers: { Authorization: `Basic ${auth}` } });
  return answer.json();
}

const HELD = z.array(z.object({ ID: z.string(), MainDicomTags: z.object({ SOPInstanceUID: z.string() }) }));

const LABELLED = z.array(z.object({ ID: z.string(), Labels: z.array(z.string()) }));

// A line a label that a study in Orthanc must carry.
const LABELS = `
  SELECT t.orthanc_id || ' ris-' || d.status FROM dicom_study_tags t JOIN dicom_studies d ON d.id = t.dicom_study_id
  UNION ALL
  SELECT t.orthanc_id || ' report-final' FROM dicom_study_tags t JOIN dicom_studies d ON d.id = t.dicom_study_id
  WHERE d.status = 'linked'
    AND (SELECT status FROM reports r WHERE r.study_id = d.study_id ORDER BY said_at DESC LIMIT 1) IN ('final', 'corrected')`;

/** The labels of Orthanc's studies against those that the rows call for. */
export async function labelsOf(world: Servers): Promise<Count> {
  const studies = LABELLED.parse(await askOrthanc(world, '/studies?expand'));
  return count(
    await column(world, LABELS),
    studies.flatMap(({ ID, Labels }) => Labels.map((label) => `${ID} ${label}`)),
  );
}

async function blobNames(world: Servers): Promise<string[]> {
  const names: string[] = [];
  const container = BlobServiceClient.fromConnectionString(world.azurite.connectionString).getContainerClient(
    'renderings',
  );
  for await (const { name } of container.listBlobsFlat()) names.push(name);
  return names;
}

/** What Orthanc holds against what the sidecar took of it. */
export async function takenOf(world: Servers): Promise<Count> {
  const held = HELD.parse(await askOrthanc(world, '/instances?expand'));
  return count(
    held.map(({ ID }) => ID),
    await column(world, 'SELECT orthanc_id FROM images'),
  );
}

/** Counts what was sent and what Orthanc holds against what became of it. */
export async function tallyOf(world: Servers, orders: readonly PlannedOrder[]): Promise<Tally> {
  const accessions = orders.map(({ accession }) => accession);
  const held = HELD.parse(await askOrthanc(world, '/instances?expand'));
  const texts = world.sandbox.messages.map(({ to }) => to);
  const urls = `
    SELECT split_part(url, '/renderings/', 2)
    FROM images, unnest(ARRAY[image_url, thumbnail_url]) AS url WHERE url IS NOT NULL`;
  const linked = `
    SELECT s.accession_number || ' ' || i.sop_instance_uid
    FROM images i JOIN series e ON e.id = i.series_id JOIN dicom_studies d ON d.id = e.dicom_study_id
    JOIN studies s ON s.id = d.study_id WHERE d.status = 'linked' AND s.source = 'ris' AND e.study_id = s.id`;
  const reports = `
    SELECT s.accession_number || ' ' || r.status || ' ' || r.version || ' ' || r.body
    FROM reports r JOIN studies s ON s.id = r.study_id`;
  return {
    'instances Orthanc took': count(
      orders.flatMap(sopInstanceUids),
      held.map(({ MainDicomTags }) => MainDicomTags.SOPInstanceUID),
    ),
    'images taken': await takenOf(world),
    'images linked to their study': count(
      orders.flatMap((order) => sopInstanceUids(order).map((uid) => `${order.accession} ${uid}`)),
      await column(world, linked),
    ),
    'images mirrored': count(
      held.map(({ ID }) => ID),
      await column(world, `SELECT orthanc_id FROM images WHERE mirror_status = 'mirrored'`),
    ),
    blobs: count(await column(world, urls), await blobNames(world)),
    'messages answered AA': count(
      orders.flatMap(controlIds),
      await column(world, `SELECT control_id FROM hl7_messages WHERE answer = 'AA'`),
    ),
    'studies of orders': count(
      accessions,
      await column(world, `SELECT COALESCE(accession_number, 'none') FROM studies`),
    ),
    'labels of studies': await labelsOf(world),
    'report versions': count(
      orders.map(({ accession, number }) => `${accession} final 1 Report ${number}.`),
      await column(world, reports),
    ),
    'texts Twilio took': count(orders.map(mobileOf), texts),
    'texts marked sent': count(
      orders.map(mobileOf),
      await column(world, `SELECT COALESCE(to_number, 'none') FROM sms_messages WHERE state = 'sent'`),
    ),
  };
}
