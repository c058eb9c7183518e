import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { z } from 'zod';
import { deletedImages } from '../../images/io/deleted-rows.ts';
import { imageStatements } from '../../images/io/image-rows.ts';
import { execute, query } from '../../platform/postgres/query.ts';
import { createRenderingLock, type RenderingLock } from '../../images/io/rendering-lock.ts';
import { Failure } from '../../platform/rules/failure.ts';
import { mirrorImage, type MirrorDeps } from '../../images/flows/mirror.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { NOW } from '../support/episode.ts';
import { eventually } from '../support/rig.ts';

const ROW = z.object({ status: z.string(), reason: z.string().nullable(), begun: z.number() });
const JPEG = Buffer.from('a picture');
const failing = (kind: 'transient' | 'permanent', code: string) => () => Promise.reject(new Failure(kind, code, code));

async function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'done',
    (error: unknown) => (error instanceof Failure ? `${error.kind} ${error.code}` : String(error)),
  );
}

describe('mirroring one image', () => {
  const started = new AsyncDisposableStack();
  let database: TestDatabase;
  let lock: RenderingLock;
  let images = 0;
  before(async () => {
    database = started.use(await startDatabase());
    lock = started.use(createRenderingLock(database.url, { size: 4, waitMs: 5000, togetherMs: 0 }));
  });
  after(() => started.disposeAsync());

  const newImage = async (): Promise<string> => {
    const number = String((images += 1)).padStart(8, '0');
    const orthancId = `${number}-00000000-00000000-00000000-00000000`;
    await database.operations.transaction((tx) =>
      database.operations.take(
        tx,
        {
          instances: [
            {
              orthancId,
              orthancSeriesId: 'series',
              sopInstanceUid: `1.2.3.${number}`,
              sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
              transferSyntaxUid: '1.2.840.10008.1.2.1',
              instanceNumber: 1,
              numberOfFrames: 3,
              modifiedFrom: null,
              fileUuid: '1',
              said: null,
              resent: null,
            },
          ],
          series: [
            { orthancId: 'series', orthancStudyId: 'study', seriesInstanceUid: '1.2.3', modality: 'CT', seriesDescription: '' },
          ],
          studies: [
            {
              orthancId: 'study',
              studyInstanceUid: '1.2',
              accessionNumber: '',
              patientId: 'P1',
              issuerOfPatientId: '',
              patientName: '',
              patientBirthDate: '',
              patientSex: '',
              studyDate: '',
              studyDescription: '',
            },
          ],
        },
        NOW,
      ),
    ); // prettier-ignore
    const rows = await query(database.db, 'SELECT max(id) AS id FROM images', {}, z.object({ id: z.string() }));
    return rows[0]!.id;
  };
  const row = async (id: string) => {
    const sql =
      'SELECT mirror_status AS status, mirror_reason AS reason, render_begun AS begun FROM images WHERE id = :id';
    return (await query(database.db, sql, { id }, ROW))[0];
  };
  const mirror = (id: string, more: Partial<MirrorDeps> = {}, stop = new AbortController().signal, last = false) => {
    const deps: MirrorDeps = {
      ...imageStatements(database.db),
      mirrorAgain: deletedImages(database.db).mirrorAgain,
      inTurn: (work) => work(),
      rendering: lock.run,
      orthancAnswers: () => Promise.resolve(),
      renderByOrthanc: () => Promise.resolve(JPEG),
      renderHere: failing('permanent', 'undecodable'),
      thumbnail: () => Promise.resolve(JPEG),
      write: (name) => Promise.resolve(`https://blobs.example/${name}`),
      now: () => NOW,
      ...more,
    };
    return outcome(mirrorImage(deps, id, { lastAttempt: () => last, stop }));
  };
  const pending = (begun: number) => ({ status: 'pending', reason: null, begun });

  it('counts its rendering as begun, for all to see, until it has come to an end', async () => {
    const id = await newImage();
    let meanwhile: unknown;
    const renderByOrthanc = async () => {
      meanwhile = await row(id);
      return JPEG;
    };
    expect(await mirror(id, { renderByOrthanc })).to.equal('done');
    expect(meanwhile).to.deep.equal(pending(1));
    expect(await row(id)).to.deep.equal({ status: 'mirrored', reason: null, begun: 0 });
  });

  for (const [what, deps] of [
    ['an Orthanc that is away', { renderByOrthanc: failing('transient', 'orthanc-unreachable') }],
    ['an Orthanc that is slow', { renderByOrthanc: failing('transient', 'orthanc-timeout') }],
    ['a blob store that refuses', { write: failing('transient', 'blob-403') }],
  ] as const) {
    it(`does not hold ${what} against the image, in company or alone`, async () => {
      const id = await newImage();
      expect(await mirror(id, deps)).to.match(/^transient /);
      expect(await row(id)).to.deep.equal(pending(0));
      await execute(database.db, 'UPDATE images SET render_begun = 2 WHERE id = :id', { id });
      expect(await mirror(id, deps)).to.match(/^transient /);
      // Where it was drawn and only not taken by the blob store, nothing hangs over it any more.
      expect(await row(id)).to.deep.equal(pending('write' in deps ? 0 : 2));
      expect(await mirror(id, deps, undefined, true)).to.equal('done');
      expect(await row(id)).to.deep.include({ status: 'failed', begun: 0 });
    });
  }

  it('does not hold a stop against the image', async () => {
    const id = await newImage();
    const stop = new AbortController();
    const call = mirror(id, { renderByOrthanc: () => new Promise(() => undefined) }, stop.signal);
    while ((await row(id))?.begun === 0) await sleep(5);
    stop.abort();
    expect(await call).to.equal('transient render-stopped');
    expect(await row(id)).to.deep.equal(pending(0));
  });

  it('is not begun alone while Orthanc does not answer', async () => {
    const id = await newImage();
    expect(await mirror(id, { renderByOrthanc: failing('transient', 'orthanc-went-away') })).to.equal(
      'transient orthanc-went-away',
    );
    expect(await row(id)).to.deep.equal(pending(1));
    const orthancAnswers = failing('transient', 'orthanc-unreachable');
    const renderByOrthanc = () => Promise.reject(new Error('must not be asked'));
    expect(await mirror(id, { orthancAnswers, renderByOrthanc })).to.equal('transient orthanc-unreachable');
    expect(await row(id)).to.deep.equal(pending(1));
    expect(await mirror(id)).to.equal('done');
    expect(await row(id)).to.deep.equal({ status: 'mirrored', reason: null, begun: 0 });
  });

  it('is tried twice more after a crash of the own renderer, then the next drawing, then set aside', async () => {
    const id = await newImage();
    const frames: number[] = [];
    const deps = {
      renderByOrthanc: (_id: string, frame: number) => {
        frames.push(frame);
        return failing('permanent', 'orthanc-415')();
      },
      renderHere: failing('transient', 'render-crashed'),
    };
    expect([await mirror(id, deps), await mirror(id, deps)]).to.deep.equal([
      'transient render-crashed',
      'transient render-crashed',
    ]);
    expect(await row(id)).to.deep.equal(pending(2));
    expect(await mirror(id, deps)).to.equal('done');
    expect(await row(id)).to.deep.equal({ status: 'failed', reason: 'orthanc-415, render-crashed', begun: 0 });
    expect(frames).to.deep.equal([1, 1, 1, 0]);
  });

  it('is begun once where it is asked for twice at the same moment', async () => {
    const id = await newImage();
    const { begin } = imageStatements(database.db);
    const begun = await Promise.all([begin(id, false), begin(id, false)]);
    expect(begun.filter((image) => image !== null)).to.have.length(1);
    expect(await row(id)).to.deep.equal(pending(1));
  });

  it('is set aside without a further rendering when three processes ended in one', async () => {
    const id = await newImage();
    await execute(database.db, 'UPDATE images SET render_begun = 3 WHERE id = :id', { id });
    expect(await mirror(id, { renderByOrthanc: () => Promise.reject(new Error('must not be asked')) })).to.equal(
      'done',
    );
    expect(await row(id)).to.deep.equal({ status: 'failed', reason: 'rendering-kills', begun: 0 });
  });
});

describe('the lock of rendering', () => {
  const started = new AsyncDisposableStack();
  let database: TestDatabase;
  const stop = new AbortController().signal;
  before(async () => {
    database = started.use(await startDatabase());
  });
  after(() => started.disposeAsync());
  const another = (waitMs = 5000, togetherMs = 0) =>
    started.use(createRenderingLock(database.url, { size: 4, waitMs, togetherMs }));

  /** Waits until so many wait for the lock. */
  const waiting = (count: number): Promise<void> =>
    eventually(`${count} to wait`, async () => {
      const sql = `SELECT count(*) AS count FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database =
                     (SELECT oid FROM pg_database WHERE datname = current_database())`;
      return (await query(database.db, sql, {}, z.object({ count: z.coerce.number() })))[0]?.count === count;
    });

  it('lets many render together, in several processes, and one alone, in turn', async () => {
    const [one, two] = [another(), another()];
    const [inside, seen] = [new Set<string>(), new Map<string, string[]>()];
    const together = Promise.withResolvers<undefined>();
    const work = (lock: RenderingLock, name: string, alone: boolean) =>
      lock.run(alone, stop, async () => {
        inside.add(name);
        seen.set(name, [...inside]);
        if (name === 'a' || name === 'b') await together.promise;
        for (const other of inside) seen.get(name)?.push(other);
        inside.delete(name);
      });
    const calls = [work(one, 'a', false)];
    await eventually('a to render', () => Promise.resolve(inside.has('a')));
    calls.push(work(two, 'b', false));
    await eventually('b to render', () => Promise.resolve(inside.has('b')));
    calls.push(work(one, 'alone', true));
    await waiting(1);
    calls.push(work(two, 'c', false));
    await waiting(2);
    together.resolve(undefined);
    await Promise.all(calls);
    expect(new Set([...seen.get('a')!, ...seen.get('b')!])).to.deep.equal(new Set(['a', 'b']));
    expect(new Set(seen.get('alone'))).to.deep.equal(new Set(['alone']));
    expect([...seen.keys()]).to.deep.equal(['a', 'b', 'alone', 'c']);
  });

  it('is taken once by those who begin within a moment, and given back when the last of them ends', async () => {
    const [lock, other] = [another(5000, 60_000), another()];
    const held = (): Promise<{ count: number }[]> => {
      const sql = `SELECT count(*) AS count FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND database =
                     (SELECT oid FROM pg_database WHERE datname = current_database())`;
      return query(database.db, sql, {}, z.object({ count: z.coerce.number() }));
    };
    const ends = [1, 2, 3].map(() => Promise.withResolvers<undefined>());
    const runs = ends.map(({ promise }) => lock.run(false, stop, () => promise));
    await eventually('the lock to be held', async () => (await held())[0]?.count === 1);
    const alone = other.run(true, stop, () => Promise.resolve('alone'));
    await waiting(1);
    for (const { resolve } of ends.slice(1)) resolve(undefined);
    await Promise.all(runs.slice(1));
    expect(await held()).to.deep.equal([{ count: 1 }]);
    ends[0]?.resolve(undefined);
    await Promise.all(runs);
    expect(await alone).to.equal('alone');
    expect(await held()).to.deep.equal([{ count: 0 }]);
  });

  it('is waited for one by one by those here who are to be alone, and by none of them after a stop', async () => {
    const lock = started.use(createRenderingLock(database.url, { size: 1, waitMs: 5000, togetherMs: 0 }));
    let inside = 0;
    const alone = (signal: AbortSignal) =>
      lock.run(true, signal, async () => {
        inside += 1;
        expect(inside).to.equal(1);
        await sleep(10);
        inside -= 1;
      });
    const many = Array.from({ length: 12 });
    expect(await Promise.all(many.map(() => outcome(alone(stop))))).to.deep.equal(many.map(() => 'done'));
    const [ending, end] = [new AbortController(), Promise.withResolvers<undefined>()];
    const first = lock.run(true, ending.signal, () => end.promise);
    const others = many.map(() => outcome(alone(ending.signal)));
    ending.abort();
    end.resolve(undefined);
    await outcome(first);
    expect(new Set(await Promise.all(others))).to.deep.equal(new Set(['transient render-stopped']));
  });

  it('is not shared with later ones once its connection is lost', async () => {
    const lock = another(5000, 60_000);
    const end = Promise.withResolvers<undefined>();
    const first = lock.run(false, stop, () => end.promise);
    const cut = `SELECT pg_terminate_backend(pid) AS ended FROM pg_locks
                 WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted AND database =
                   (SELECT oid FROM pg_database WHERE datname = current_database())`;
    await eventually(
      'the lock to be held and cut',
      async () => (await query(database.db, cut, {}, z.unknown())).length === 1,
    );
    await eventually('a lock of its own', () =>
      lock.run(
        false,
        stop,
        async () =>
          (await query(database.db, cut.replace('pg_terminate_backend(pid)', 'true'), {}, z.unknown())).length === 1,
      ),
    );
    end.resolve(undefined);
    await first;
  });

  it('waits no longer than its limit, and no longer than a stop', async () => {
    const [holder, hasty, patient] = [another(), another(50), another()];
    const held = Promise.withResolvers<undefined>();
    const begun = Promise.withResolvers<undefined>();
    const holding = holder.run(true, stop, () => (begun.resolve(undefined), held.promise));
    await begun.promise;
    expect(await outcome(hasty.run(false, stop, () => Promise.resolve()))).to.equal('transient postgres-55P03');
    const soon = AbortSignal.timeout(50);
    expect(await outcome(patient.run(false, soon, () => Promise.resolve()))).to.match(/^transient /);
    expect(await outcome(patient.run(false, soon, () => Promise.resolve()))).to.equal('transient render-stopped');
    held.resolve(undefined);
    await holding;
    expect(await outcome(hasty.run(true, stop, () => Promise.resolve()))).to.equal('done');
  });

  it('is freed when the connection that holds it is lost', async () => {
    const [holder, next] = [another(), another()];
    const held = Promise.withResolvers<undefined>();
    const begun = Promise.withResolvers<undefined>();
    const holding = holder.run(true, stop, () => (begun.resolve(undefined), held.promise));
    await begun.promise;
    const end = `SELECT pg_terminate_backend(pid) AS ended FROM pg_locks
                 WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND database =
                   (SELECT oid FROM pg_database WHERE datname = current_database())`;
    expect(await query(database.db, end, {}, z.object({ ended: z.boolean() }))).to.deep.equal([{ ended: true }]);
    expect(await outcome(next.run(true, stop, () => Promise.resolve()))).to.equal('done');
    held.resolve(undefined);
    await holding;
    expect(await outcome(holder.run(true, stop, () => Promise.resolve()))).to.equal('done');
  });
});
