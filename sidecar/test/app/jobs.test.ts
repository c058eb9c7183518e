import { expect } from 'chai';
import { z } from 'zod';
import { startJobs } from '../../app/jobs.ts';
import { defineJob, defineJobOfSeveral, type JobContext, type Later } from '../../platform/jobs.ts';
import { requeue } from '../../platform/postgres/job-rows.ts';
import { query } from '../../platform/postgres/query.ts';
import { Failure } from '../../platform/rules/failure.ts';
import { benchStudy } from '../../dev/bench/data.ts';
import { dicomBatch } from '../../dev/dicom-batch.ts';
import { startTcpProxy } from '../../dev/tcp-proxy.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { NOW } from '../support/episode.ts';
import { pause } from '../support/mllp-sender.ts';
import { eventually } from '../support/rig.ts';
import { REQUEUE_IMAGES } from '../../images/io/image-rows.ts';
import { imageRetryStatements } from '../../operators/io/retry-rows.ts';

const JOB = z.object({
  id: z.string(),
  images: z.array(z.string()),
  attempts: z.number(),
  due: z.boolean(),
});
const JOBS = `
  SELECT CAST(j.id AS text) AS id, j.attempts, j.run_at <= now() AS due,
         ARRAY(SELECT image ->> 'imageId' FROM json_array_elements(j.payload) image) AS images
  FROM graphile_worker._private_jobs j JOIN graphile_worker._private_tasks t ON t.id = j.task_id
  WHERE t.identifier = 'mirror-image' AND j.locked_at IS NULL ORDER BY j.id`;

const TOMORROW = new Date(Date.now() + 86_400_000);
const refused = new Failure('transient', 'blob-503', 'blob-503');

type MirrorImage = (imageId: string, context: JobContext) => Promise<Later<{ imageId: string }>>;

const requeueUnfinished = (db: TestDatabase['db']): Promise<number> => requeue(db, [REQUEUE_IMAGES]);

describe('the jobs of several images', () => {
  const started = new AsyncDisposableStack();
  let database: TestDatabase;
  let group = 0;
  beforeEach(async () => {
    database = started.use(await startDatabase());
  });
  after(() => started.disposeAsync());

  const jobs = () => query(database.db, JOBS, {}, JOB);
  const takeImages = (count: number): Promise<number> => {
    const batch = dicomBatch([benchStudy(1, (group += 1), 1)], count);
    return database.operations.transaction((tx) => database.operations.take(tx, batch, NOW));
  };
  const warned: object[] = [];
  /** Lets the queue run these, until `done`; gives each call with whether it was told to be the last. */
  const run = async (mirrorImage: MirrorImage, done: (called: number) => Promise<boolean>): Promise<string[]> => {
    const calls: string[] = [];
    const job = defineJobOfSeveral({
      name: 'mirror-image',
      payload: z.object({ imageId: z.string() }),
      waitsForBlobs: true,
      run: ({ imageId }, context) => {
        calls.push(`${imageId}${context.lastAttempt ? ' for the last time' : ''}`);
        return mirrorImage(imageId, context);
      },
    });
    await using stack = new AsyncDisposableStack();
    stack.use(
      startJobs([job], {
        databaseUrl: database.url,
        concurrency: 2,
        blobsRest: () => false,
        closeTimeoutMs: 1000,
        vouch: () => Promise.resolve(),
        log: { warn: (fields) => void warned.push(fields) },
      }),
    );
    await eventually('the jobs to be run', () => done(calls.length));
    return calls.toSorted();
  };

  it('are made with the rows, four images each, and an image that has none gets one anew', async () => {
    expect(await takeImages(10)).to.equal(10);
    const made = await jobs();
    expect(made.map(({ images }) => images.length)).to.deep.equal([4, 4, 2]);
    expect(new Set(made.flatMap(({ images }) => images)).size).to.equal(10);
    expect(await requeueUnfinished(database.db)).to.equal(0);
    const [lost, used] = made;
    await query(database.db, 'DELETE FROM graphile_worker._private_jobs WHERE id = :id', { id: lost!.id }, z.unknown());
    const useUp = 'UPDATE graphile_worker._private_jobs SET attempts = max_attempts WHERE id = :id';
    await query(database.db, useUp, { id: used!.id }, z.unknown());
    const [mirrored] = lost!.images;
    const mirror = `UPDATE images SET mirror_status = 'mirrored', image_url = 'https://a', thumbnail_url = 'https://b' WHERE id = :id`;
    await query(database.db, mirror, { id: mirrored! }, z.unknown());
    expect(await requeueUnfinished(database.db)).to.equal(2);
    const anew = (await jobs()).filter(({ id }) => made.every((job) => job.id !== id));
    expect(anew.flatMap(({ images }) => images)).to.have.members([...lost!.images.slice(1), ...used!.images]);
    expect(await requeueUnfinished(database.db)).to.equal(0);
  });

  it('try those again that failed, put those off that wait, and are done with the others', async () => {
    await takeImages(4);
    const [job] = await jobs();
    const [a, b, c, d] = job!.images;
    const mirrorImage: MirrorImage = (imageId) => {
      if (imageId === b) return Promise.reject(refused);
      return Promise.resolve(imageId === c || imageId === d ? { again: TOMORROW } : null);
    };
    const calls = await run(mirrorImage, async (called) => called >= 4 && (await jobs()).length === 2);
    expect(calls).to.have.members([a, b, c, d]);
    const about = { job: job!.id, task: 'mirror-image', attempt: 1, code: 'blob-503', kind: 'transient' };
    expect(warned).to.deep.equal([about]);
    const left = await jobs();
    expect(left.map(({ images, attempts, due }) => ({ images, attempts, due }))).to.have.deep.members([
      { images: [b], attempts: 1, due: false },
      { images: [c, d], attempts: 0, due: false },
    ]);
    // It is still to be mirrored, whatever the one that ran it said.
    expect(await requeueUnfinished(database.db)).to.equal(1);
    expect((await jobs()).at(-1)?.images).to.deep.equal([a]);
  });

  it('are made for images that are to be tried again, which are counted', async () => {
    await takeImages(6);
    await query(database.db, 'DELETE FROM graphile_worker._private_jobs', {}, z.unknown());
    await query(database.db, `UPDATE images SET mirror_status = 'failed', mirror_reason = 'x'`, {}, z.unknown());
    const which = { image: null, studyInstanceUid: null, reason: 'x' };
    const again = await database.db.transaction((trx) =>
      imageRetryStatements(trx).retryImages(which, { who: 'Ann', why: 'asked' }, NOW),
    );
    expect(again).to.equal(6);
    expect((await jobs()).map(({ images }) => images.length)).to.deep.equal([4, 2]);
  });

  it('leave nothing behind after the last try', async () => {
    await takeImages(3);
    await query(database.db, 'UPDATE graphile_worker._private_jobs SET attempts = max_attempts - 1', {}, z.unknown());
    const [job] = await jobs();
    const calls = await run(
      () => Promise.resolve(null),
      async (called) => called >= 3 && (await jobs()).length === 0,
    );
    expect(calls).to.have.members(job!.images.map((id) => `${id} for the last time`));
  });
});

describe('the job queue', () => {
  it('is started anew where the ends of several jobs could not be written', async () => {
    await using database = await startDatabase();
    await using stack = new AsyncDisposableStack();
    const url = new URL(database.url);
    let lost = 0;
    const proxy = stack.use(
      await startTcpProxy({
        port: Number(url.port),
        onSent: (bytes) => {
          if (lost >= 2 || !/delete from \S*_private_jobs/.test(bytes.toString('latin1'))) return true;
          lost += 1;
          proxy.cut();
          return false;
        },
      }),
    );
    url.port = String(proxy.port);
    const add = `SELECT count(graphile_worker.add_job('label-study', json_build_object('dicomStudyId', name))) AS count
                 FROM unnest(ARRAY['a', 'b', 'c']) AS name`;
    await query(database.db, add, {}, z.unknown());
    const gates = new Map(['a', 'b', 'c'].map((name) => [name, Promise.withResolvers<undefined>()]));
    const calls: string[] = [];
    const job = defineJob({
      name: 'label-study',
      payload: z.object({ dicomStudyId: z.string() }),
      run: async ({ dicomStudyId: id }) => {
        calls.push(id);
        await gates.get(id)?.promise;
        if (id === 'c' && calls.length === 3) throw refused;
        return null;
      },
    });
    stack.use(
      startJobs([job], {
        databaseUrl: url.href,
        concurrency: 3,
        blobsRest: () => false,
        closeTimeoutMs: 1000,
        vouch: () => Promise.resolve(),
        log: { warn: () => undefined },
      }),
    );
    await eventually('all to be in work', () => Promise.resolve(calls.length === 3));
    for (const [index, name] of ['a', 'b'].entries()) {
      gates.get(name)?.resolve(undefined);
      await eventually('an end to be lost', () => Promise.resolve(lost > index));
      await pause(100);
    }
    gates.get('c')?.resolve(undefined);
    const left = `SELECT CAST(id AS text) AS id FROM graphile_worker.jobs WHERE attempts < 2`;
    await eventually(
      'a and b to be run again',
      async () => (await query(database.db, left, {}, z.unknown())).length <= 1 && calls.length >= 5,
      20_000,
    );
    expect(calls.slice(3).filter((id) => id !== 'c')).to.have.members(['a', 'b']);
  });
});
