import type { Manifest, PersonLabel, Snapshot } from '../rules/counts.ts';
import { asFailure, Failure } from '../../platform/rules/failure.ts';

export interface BackUpDeps {
  readonly repository: {
    exists(): Promise<boolean>;
    init(): Promise<void>;
    snapshots(): Promise<readonly Snapshot[]>;
    /** Takes away locks of processes that are gone. */
    unlock(): Promise<void>;
    save(storage: string): Promise<{ readonly snapshot: string; readonly files: number; readonly bytes: number }>;
    /** SHA-256 of a file beside the storage, read back. */
    hash(snapshot: string, name: string): Promise<string>;
    check(part: number, parts: number): Promise<void>;
    /** Marks a snapshot as verified; gives its id from then on. */
    accept(snapshot: string): Promise<string>;
    forget(): Promise<void>;
  };
  readonly folder: {
    readonly dumpFile: string;
    make(): Promise<void>;
    seal(said: Omit<Manifest, 'sha256' | 'version'>): Promise<ReadonlyMap<string, string>>;
    clean(): Promise<void>;
  };
  readonly database: {
    databaseTime(): Promise<Date>;
    goodBackups(): Promise<{ readonly count: number }>;
    dump(file: string): Promise<void>;
    check(file: string): Promise<void>;
    saveBackup(made: {
      snapshot: string;
      takenAt: Date;
      finishedAt: Date;
      bytes: number;
      files: number;
    }): Promise<void>;
    /** Its snapshot has another id now. */
    renameBackup(from: string, to: string): Promise<void>;
  };
  readonly orthanc: {
    instances(): Promise<number>;
    personLabels(): Promise<readonly PersonLabel[]>;
  };
  /** Orthanc's storage folder. */
  readonly storage: string;
  /** In so many runs all data of the repository are read once. */
  readonly checkParts: number;
}

export interface BackedUp {
  readonly snapshot: string;
  readonly takenAt: Date;
  readonly files: number;
  readonly bytes: number;
}

/**
 * One backup, verified: what is recorded as good was read back and is as it was written.
 *
 * The database is dumped first, Orthanc's files are copied then. So an image that comes or goes between the two is a
 * file without a row, which the feed takes, or a row without a file, of an image that was deleted indeed. The other way
 * round the sweep would take images that came meanwhile for deleted ones, and deleted ones would come back.
 *
 * Nothing older is let go before this one is known to be good. Where Orthanc does not answer, database and files are
 * saved all the same, and the run then counts as failed, its snapshot as unverified: the labels are missing.
 * @throws Failure, among them permanent `backup-repository-missing` (there was one before), `backup-of-another-system`,
 * `backup-wrong-password`, `backup-damaged`, `backup-not-as-written`, `backup-storage-incomplete`.
 */
export async function backUp(deps: BackUpDeps): Promise<BackedUp> {
  const { repository, folder, database, orthanc, storage } = deps;
  const { count } = await database.goodBackups();
  if (!(await repository.exists())) {
    // An unmounted disk must not become a new, empty repository.
    if (count > 0) {
      throw new Failure(
        'permanent',
        'backup-repository-missing',
        'the repository of earlier backups is not at its place',
      );
    }
    await repository.init();
  } else if (count === 0 && (await repository.snapshots()).some(({ verified }) => verified)) {
    // A system that was lost and set up anew must not put its emptiness over the backups that it needs.
    throw new Failure(
      'permanent',
      'backup-of-another-system',
      'the repository has backups, and this database is not the one they are of: restore one, or take another repository',
    );
  }
  await repository.unlock();
  try {
    await folder.make();
    const takenAt = await database.databaseTime();
    await database.dump(folder.dumpFile);
    await database.check(folder.dumpFile);
    const asked = await Promise.all([orthanc.instances(), orthanc.personLabels()]).catch((error: unknown) =>
      asFailure(error),
    );
    const labels = asked instanceof Failure ? null : asked[1];
    const sums = await folder.seal({ takenAt: takenAt.toISOString(), storage, labels });
    const saved = await repository.save(storage);
    if (asked instanceof Failure) throw asked;
    const [before] = asked;
    const [files, wanted] = [saved.files - sums.size, Math.min(before, await orthanc.instances())];
    if (files < wanted) {
      const message = `${files} files were found and Orthanc has ${wanted} images: is it its storage folder?`;
      throw new Failure('permanent', 'backup-storage-incomplete', message);
    }
    await repository.check((count % deps.checkParts) + 1, deps.checkParts);
    for (const [name, sum] of sums) {
      if ((await repository.hash(saved.snapshot, name)) === sum) continue;
      throw new Failure('permanent', 'backup-not-as-written', `${name} cannot be read back as it was written`);
    }
    // Recorded first: a repository with good backups of which the database knows none would be taken for another one's.
    await database.saveBackup({ ...saved, takenAt, finishedAt: await database.databaseTime() });
    const snapshot = await repository.accept(saved.snapshot);
    await database.renameBackup(saved.snapshot, snapshot);
    await repository.forget();
    return { ...saved, snapshot, takenAt };
  } finally {
    await folder.clean();
  }
}
