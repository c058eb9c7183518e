import { Agent } from 'node:http';
import axios, { type AxiosInstance } from 'axios';
import pg from 'pg';
import { z } from 'zod';
import { startOrthanc, type OrthancProcess } from '../orthanc-process.ts';
import { startPostgres } from '../postgres-process.ts';
import { fillFirst } from './fill.ts';
import { linkToEnd } from './linking.ts';
import { alternate, timed, type Figure } from './measure.ts';
import { databaseWithOrders, openParts, orthancOf, scaled, withCopy, type Extent } from './world.ts';

const STUDIES = 200;
const PER_STUDY = 100;
const PAGE = 1000;
/** The loop that handles one at a time is that much slower. */
const ONE_BY_ONE = 2000;

const CHANGES = z.object({ Changes: z.array(z.object({ ID: z.string(), Seq: z.number() })), Done: z.boolean() });
const PARENTS = z.array(z.object({ ParentSeries: z.string() }));
const UIDS = z.array(z.object({ MainDicomTags: z.object({ StudyInstanceUID: z.string() }) }));
const SERIES = z.array(z.object({ ID: z.string() }));
const TAGS = z.object({ AccessionNumber: z.string(), SOPInstanceUID: z.string() });

function bareClient(orthanc: OrthancProcess, stack: AsyncDisposableStack): AxiosInstance {
  const httpAgent = stack.adopt(new Agent({ keepAlive: true, agentKeepAliveTimeoutBuffer: 400 }), (agent) => {
    agent.destroy();
  });
  const auth = { username: orthanc.username, password: orthanc.password };
  return axios.create({ baseURL: orthanc.url, auth, httpAgent, proxy: false });
}

/** Reads the feed from its start, page by page. */
async function* pages(client: AxiosInstance): AsyncGenerator<string[]> {
  for (let since = 0, done = false; !done;) {
    const params = { since, limit: PAGE, type: 'NewInstance' };
    const page = CHANGES.parse((await client.get<unknown>('/changes', { params })).data);
    since = page.Changes.at(-1)?.Seq ?? since;
    done = page.Done;
    yield page.Changes.map(({ ID }) => ID);
  }
}

/** The limit: the same feed and the same tags, and nothing done with them. */
async function readAll(client: AxiosInstance): Promise<void> {
  const ask = async (path: string, what: object): Promise<unknown> => (await client.post<unknown>(path, what)).data;
  for await (const ids of pages(client)) {
    if (ids.length === 0) continue;
    const instances = await ask('/tools/bulk-content', { Resources: ids, Level: 'Instance', Metadata: true });
    const series = new Set(PARENTS.parse(instances).map(({ ParentSeries }) => ParentSeries));
    const studies = await ask('/tools/bulk-content', { Resources: [...series], Level: 'Study', Metadata: false });
    const uids = UIDS.parse(studies).map(({ MainDicomTags }) => MainDicomTags.StudyInstanceUID);
    const Query = { StudyInstanceUID: uids.join('\\') };
    const ResponseContent = ['MainDicomTags', 'Parent'];
    const found = await ask('/tools/find', { Level: 'Series', Query, Expand: true, ResponseContent });
    if (SERIES.parse(found).length < series.size) throw new Error('not all series were found');
  }
}

/** One instance at a time: one tag read, one look-up, one insert. Gives how many a second. */
async function oneByOne(client: AxiosInstance, databaseUrl: string, limit: number): Promise<number> {
  const db = new pg.Client({ connectionString: databaseUrl });
  await db.connect();
  try {
    await db.query('CREATE TABLE one_by_one (orthanc_id text PRIMARY KEY, study_id bigint, sop_instance_uid text)');
    let handled = 0;
    const seconds = await timed(async () => {
      for await (const ids of pages(client)) {
        for (const id of ids) {
          const tags = TAGS.parse((await client.get<unknown>(`/instances/${id}/simplified-tags`)).data);
          const { rows } = await db.query<{ id: string }>('SELECT id FROM studies WHERE accession_key = $1', [
            tags.AccessionNumber,
          ]);
          await db.query('INSERT INTO one_by_one VALUES ($1, $2, $3)', [id, rows[0]?.id, tags.SOPInstanceUID]);
          handled += 1;
          if (handled >= limit) return;
        }
      }
    });
    return handled / seconds;
  } finally {
    await db.end();
  }
}

/** How fast what is already in Orthanc gets its rows and its links, its orders being known. */
export async function benchLink(extent: Extent): Promise<Figure[]> {
  await using stack = new AsyncDisposableStack();
  const orthancProcess = stack.use(await startOrthanc());
  const postgres = stack.use(await startPostgres({ durable: true }));
  const orthanc = orthancOf(orthancProcess, stack);
  const client = bareClient(orthancProcess, stack);
  const studies = scaled(STUDIES, extent);
  const total = studies * PER_STUDY;
  extent.say(`filling Orthanc with ${total} images`);
  const what = { seed: extent.seed, group: 1, studies, images: PER_STUDY, size: 16 };
  await fillFirst(orthancProcess, what);
  const databaseUrl = await databaseWithOrders(postgres, { ...what, groups: [what.group] });
  const ours = (): Promise<number> =>
    withCopy(postgres, databaseUrl, async (copyUrl) => {
      await using parts = openParts(copyUrl);
      const seconds = await timed(() => linkToEnd({ ...parts, orthanc }));
      const { rows } = await parts.db.raw<{ rows: { linked: string }[] }>(
        `SELECT count(*) AS linked FROM images i JOIN series e ON e.id = i.series_id
         JOIN dicom_studies d ON d.id = e.dicom_study_id WHERE d.status = 'linked'`,
      );
      if (rows[0]?.linked !== String(total)) throw new Error(`${rows[0]?.linked ?? 'none'} of ${total} were linked`);
      return total / seconds;
    });
  await readAll(client);
  const bare = async (): Promise<number> => total / (await timed(() => readAll(client)));
  const against = await alternate(extent.repeats, ours, bare);
  const single = (): Promise<number> =>
    withCopy(postgres, databaseUrl, (copyUrl) => oneByOne(client, copyUrl, Math.min(total, ONE_BY_ONE)));
  const slow: number[] = [];
  for (let turn = 0; turn < extent.repeats; turn += 1) slow.push(await single());
  return [
    {
      part: 'link',
      what: 'through reading alone',
      unit: 'images/s',
      ...against,
      compared: { kind: 'ratio', goal: { is: 'at least', value: 0.7 } },
    },
    {
      part: 'link',
      what: 'through one at a time',
      unit: 'images/s',
      ours: against.ours,
      bare: slow,
      compared: { kind: 'ratio', goal: { is: 'at least', value: 15 } },
    },
  ];
}
