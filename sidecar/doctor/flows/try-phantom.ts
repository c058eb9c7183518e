import { fail, ok, warn, type Finding, type Result } from '../rules/findings.ts';
import { asFailure } from '../../platform/rules/failure.ts';

interface Uids {
  readonly study: string;
  readonly series: string;
  readonly instance: string;
}

export interface PhantomDeps {
  /** C-STORE of a test image with these UIDs. */
  readonly store: (uids: Uids) => Promise<void>;
  /** What to do where it is refused. */
  readonly storeTodo: () => string;
  readonly archive: {
    readonly find: (level: 'Study' | 'Instance', uid: string) => Promise<readonly string[]>;
    readonly deleteStudy: (orthancId: string) => Promise<void>;
  };
  readonly rows: {
    readonly phantom: (instanceUid: string) => Promise<{
      readonly mirrorStatus: string;
      readonly mirrorReason: string | null;
      readonly status: string | null;
      readonly rule: string;
    } | null>;
    readonly phantomLeft: (uids: Uids) => Promise<number>;
  };
  /**
   * Brings the feed's cursor down to its end. With the newest image its changes are gone, and a feed that ends before its
   * cursor has the whole archive swept.
   */
  readonly lowerCursor: () => Promise<void>;
  /** Takes out the rows of instances that are not in the archive any more. */
  readonly removeDeleted: (orthancIds: readonly string[]) => Promise<number>;
  readonly removeBlobs: (orthancId: string) => Promise<void>;
  /** Between two looks; as many as it takes `patience` looks at the most. */
  readonly pause: () => Promise<void>;
  readonly patience: number;
}

async function wait<T>(deps: PhantomDeps, look: () => Promise<T | null>): Promise<T | null> {
  for (let times = 0; times < deps.patience; times += 1) {
    const found = await look();
    if (found !== null) return found;
    await deps.pause();
  }
  return null;
}

async function linked(deps: PhantomDeps, uids: Uids): Promise<Finding> {
  const row = await wait(deps, () => deps.rows.phantom(uids.instance));
  if (row === null) {
    return fail('no row was made of it', 'See that the sidecar runs and follows the feed (/readyz, its log).');
  }
  if (row.status === 'provisional' && row.rule === 'no-order')
    return ok('taken from the feed, provisional as it should');
  const seen = `its study is ${row.status ?? 'not decided'} by ${row.rule}`;
  return fail(seen, 'No rule may link it: look at docs/matching.md and tell who looks after the sidecar.');
}

async function mirrored(deps: PhantomDeps, uids: Uids): Promise<Finding> {
  const done = await wait(deps, async () => {
    const row = await deps.rows.phantom(uids.instance);
    return row === null || row.mirrorStatus === 'pending' ? null : row;
  });
  if (done?.mirrorStatus === 'mirrored') return ok('rendering and thumbnail are in Blob storage');
  if (done !== null) {
    return fail(
      `it was given up: ${done.mirrorReason ?? done.mirrorStatus}`,
      'See the check of Blob storage, and the log.',
    );
  }
  return fail(
    'it is still waiting',
    'See the check of Blob storage and the log; a long queue before it is the other reason.',
  );
}

async function cleanUp(deps: PhantomDeps, uids: Uids): Promise<Finding> {
  const instances = await deps.archive.find('Instance', uids.instance);
  for (const id of await deps.archive.find('Study', uids.study)) await deps.archive.deleteStudy(id);
  await deps.lowerCursor();
  const gone = await wait(deps, async () => {
    await deps.removeDeleted(instances);
    return (await deps.rows.phantomLeft(uids)) === 0 ? true : null;
  });
  for (const id of instances) await deps.removeBlobs(id);
  if (gone !== null) return ok('deleted again, with its rows and blobs; what is left is a record that it was there');
  return warn('some rows are still there', 'The next sweep, within an hour, takes them out; see its line in the log.');
}

/**
 * Sends a test image the way of a real one, looks at each station, and takes it away again, whatever went wrong on the
 * way. Gives one result a station; the first that fails is the last but for the clean-up.
 */
export async function tryPhantom(deps: PhantomDeps, uids: Uids): Promise<Result[]> {
  const results: Result[] = [];
  const station = async (check: string, todo: () => string, look: () => Promise<Finding>): Promise<boolean> => {
    const finding = await look().catch((error: unknown) => fail(asFailure(error).message, todo()));
    results.push({ check, ...finding });
    return finding.level !== 'fail';
  };
  const stored = async (): Promise<Finding> => {
    await deps.store(uids);
    const [instance] = await deps.archive.find('Instance', uids.instance);
    return instance === undefined
      ? fail(
          'it is not in Orthanc',
          'Another Orthanc than that of ORTHANC_URL answers at the DICOM port: compare the two.',
        )
      : ok('a test image was stored');
  };
  const postgres = (): string => 'See the check of Postgres.';
  const onward =
    (await station('dicom-store', deps.storeTodo, stored)) &&
    (await station('link', postgres, () => linked(deps, uids)));
  if (onward) await station('mirror', postgres, () => mirrored(deps, uids));
  const by = (): string =>
    'Delete the study of patient AXIS-DOCTOR in Orthanc Explorer; the next sweep takes out its rows.';
  await station('clean-up', by, () => cleanUp(deps, uids));
  return results;
}
