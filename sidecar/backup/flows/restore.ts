import type { Readable } from 'node:stream';
import {
  isAttachment,
  type ImportCounts,
  type Manifest,
  type NotRestored,
  type PersonLabel,
  type Snapshot,
} from '../rules/counts.ts';
import { asFailure, Failure, retryDelayMs } from '../../platform/rules/failure.ts';

type Stored =
  { readonly status: 'stored' | 'already-stored' } | { readonly status: 'refused'; readonly reason: string };

interface RestoredFile {
  readonly path: string;
  readonly isDicom: boolean;
  open(): Readable;
}

export interface RestoreDeps {
  readonly repository: {
    snapshots(): Promise<readonly Snapshot[]>;
    restoreDatabase(snapshot: string): Promise<string>;
    folders(snapshot: string, storage: string): Promise<ReadonlyMap<string, number>>;
    restoreFolders(
      snapshot: string,
      storage: string,
      folders: readonly string[],
    ): Promise<{ readonly folder: string; readonly damaged: ReadonlySet<string> }>;
  };
  readonly readRestored: (folder: string) => Promise<{ readonly manifest: Manifest; readonly dumpFile: string }>;
  readonly storedFiles: (folder: string) => Promise<readonly RestoredFile[]>;
  readonly clean: () => Promise<void>;
  readonly database: {
    sidecars(): Promise<number>;
    holdsRows(): Promise<boolean>;
    /** Puts the dump in place of all that is there, and with it, in one transaction, that this was done. */
    replace(dumpFile: string, snapshot: string, manifest: Manifest): Promise<void>;
  };
  readonly orthanc: {
    instances(): Promise<number>;
    store(body: Readable): Promise<Stored>;
    putLabel(label: PersonLabel): Promise<boolean>;
  };
  readonly random: () => number;
  readonly pause: (ms: number) => Promise<void>;
  readonly onProgress: (done: { readonly folders: number; readonly of: number; readonly images: number }) => void;
}

export interface RestoreOptions {
  /** The beginning of a snapshot's id; `latest` for the newest that was verified. */
  readonly snapshot: string;
  /** Whether a database that holds rows is replaced, and an Orthanc that holds images is added to. */
  readonly overwrite: boolean;
}

/** So much of the storage is on disk a second time at once, or one folder of it. */
const BATCH_BYTES = 4 * 1024 ** 3;
const BATCH_FOLDERS = 5000;
const AT_ONCE = 4;
const ATTEMPTS = 6;

/** Each with folders of some gigabytes at most. */
function batches(folders: ReadonlyMap<string, number>): string[][] {
  const all: string[][] = [];
  let [batch, bytes] = [new Array<string>(), 0];
  for (const [folder, size] of folders) {
    if (batch.length > 0 && (bytes + size > BATCH_BYTES || batch.length >= BATCH_FOLDERS)) {
      all.push(batch);
      [batch, bytes] = [[], 0];
    }
    batch.push(folder);
    bytes += size;
  }
  return batch.length > 0 ? [...all, batch] : all;
}

async function ready(deps: RestoreDeps, overwrite: boolean): Promise<void> {
  const refuse = (code: string, message: string): never => {
    throw new Failure('permanent', code, message);
  };
  if ((await deps.database.sidecars()) > 0) {
    refuse('restore-sidecar-runs', 'a sidecar works on this database: stop it first');
  }
  if (overwrite) {
    await deps.orthanc.instances();
    return;
  }
  if (await deps.database.holdsRows()) {
    refuse('restore-database-not-empty', 'the database holds studies: --overwrite replaces all that it has');
  }
  if ((await deps.orthanc.instances()) > 0) {
    refuse('restore-orthanc-not-empty', 'Orthanc holds images: --overwrite adds those of the backup to them');
  }
}

async function chosen(deps: RestoreDeps, wanted: string): Promise<Snapshot> {
  const all = await deps.repository.snapshots();
  const fitting =
    wanted === 'latest'
      ? all.filter(({ verified }) => verified).slice(-1)
      : all.filter(({ id }) => id.startsWith(wanted));
  const [snapshot] = fitting;
  if (snapshot !== undefined && fitting.length === 1) return snapshot;
  throw new Failure('permanent', 'restore-no-snapshot', `there are ${fitting.length} snapshots of that name`);
}

/** Where Orthanc cannot take it now, it is asked again some times. */
async function store(deps: RestoreDeps, file: RestoredFile): Promise<Stored> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await deps.orthanc.store(file.open());
    } catch (error) {
      const failure = asFailure(error);
      if (attempt >= ATTEMPTS) throw failure;
      if (failure.kind === 'permanent') return { status: 'refused', reason: failure.code };
      await deps.pause(retryDelayMs(attempt, deps.random(), 1000));
    }
  }
}

async function importFiles(
  deps: RestoreDeps,
  snapshot: Snapshot,
  manifest: Manifest,
): Promise<Omit<ImportCounts, 'labels' | 'labelsLost'>> {
  let [images, otherFiles] = [0, 0];
  const notRestored: NotRestored[] = [];
  const not = (path: string, reason: string): void => {
    notRestored.push({ file: path.slice(path.lastIndexOf('/') + 1), reason });
  };
  const folders = await deps.repository.folders(snapshot.id, manifest.storage);
  let folderCount = 0;
  for (const batch of batches(folders)) {
    const { folder, damaged } = await deps.repository.restoreFolders(snapshot.id, manifest.storage, batch);
    for (const path of damaged) if (isAttachment(path)) not(path, 'damaged in the repository');
    const files = (await deps.storedFiles(folder)).filter(({ path }) => !damaged.has(path));
    const waiting = files.values();
    const importer = async (): Promise<void> => {
      for (const file of waiting) {
        if (!file.isDicom) {
          otherFiles += 1;
          continue;
        }
        const stored = await store(deps, file);
        if (stored.status === 'refused') not(file.path, stored.reason);
        else images += 1;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, importer));
    folderCount += batch.length;
    deps.onProgress({ folders: folderCount, of: folders.size, images });
  }
  return { images, otherFiles, notRestored };
}

/**
 * Puts a backup back: the database as it was, then every DICOM file into Orthanc as if it were sent, then the labels that
 * persons put. Orthanc's ids follow from the files' UIDs and are the same again, so that nothing is linked twice; the
 * sidecar, started afterwards, reads the new Orthanc's feed from its start. Broken off, it is done again with `overwrite`.
 * @throws Failure permanent, nothing done: `restore-sidecar-runs`, `restore-database-not-empty`,
 * `restore-orthanc-not-empty`, `restore-no-snapshot`, `restore-damaged`.
 */
export async function restore(deps: RestoreDeps, options: RestoreOptions): Promise<ImportCounts> {
  await ready(deps, options.overwrite);
  const snapshot = await chosen(deps, options.snapshot);
  try {
    const { manifest, dumpFile } = await deps.readRestored(await deps.repository.restoreDatabase(snapshot.id));
    await deps.database.replace(dumpFile, snapshot.id, manifest);
    const imported = await importFiles(deps, snapshot, manifest);
    const labels = manifest.labels ?? [];
    let put = 0;
    for (const label of labels) if (await deps.orthanc.putLabel(label)) put += 1;
    return { ...imported, labels: put, labelsLost: labels.length - put };
  } finally {
    await deps.clean();
  }
}
