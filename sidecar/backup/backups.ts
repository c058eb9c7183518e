import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import { hasBlobStore, openBlobStore } from '../images/blobs.ts';
import type { BlobStore } from '../images/rules/blob-store.ts';
import { createBackupFolder, readRestored, storedFiles } from './io/folder.ts';
import { createOrthancArchive } from './io/orthanc-archive.ts';
import { createOrthanc } from '../images/io/orthanc.ts';
import { createPgDump } from './io/pg-dump.ts';
import { aloneWithBackups, backupStatements, EMPTY_DATABASE, restoredStatements } from './io/rows.ts';
import { migrate, openDatabase } from '../platform/postgres/database.ts';
import { failureStatements, sweepStatements } from '../images/io/sweep-rows.ts';
import { createRestic } from './io/restic.ts';
import type { BackupConfig } from './settings.ts';
import type { ImportCounts, Missing } from './rules/counts.ts';
import { nextBackup } from './rules/schedule.ts';
import { asFailure, retryDelayMs } from '../platform/rules/failure.ts';
import { backUp, type BackedUp } from './flows/back-up.ts';
import { countMissing } from './flows/count-missing.ts';
import { drawLostAgain } from './flows/draw-lost-again.ts';
import { restore, type RestoreOptions } from './flows/restore.ts';
import type { Log } from '../platform/log.ts';
import { loop, warning } from '../platform/loop.ts';

/** Backups and restores, wired; closed when disposed of. */
export interface Backups extends AsyncDisposable {
  /** One, verified. What goes wrong is in `failures` too, until the next good one. */
  once(): Promise<BackedUp>;
  /** Each time one is due, until stopped. */
  untilStopped(log: Log): Promise<void>;
  /** What is missing is asked for afterwards; until then `failures` says that it was not. */
  restore(options: RestoreOptions, log: Log): Promise<ImportCounts>;
  /**
   * Has what Blob storage lost drawn again. Its images, or that Blob storage could not be asked, are in `failures` until
   * there are none.
   */
  missing(): Promise<Missing>;
}

const ORTHANC_TIMEOUT_MS = 60_000;
const STORE_TIMEOUT_MS = 600_000;
const BLOB_TIMEOUT_MS = 60_000;
const LOOK_EVERY_MS = 30_000;
const FIRST_RETRY_MS = 15 * 60_000;
const LAST_RETRY_MS = 2 * 3_600_000;
/** docker-compose.yml's. */
const DEVELOPMENT_PASSWORD = 'development-only';
const IMAGES = /^images\/(.+)\.jpg$/;
const THUMBNAILS = /^thumbnails\/(.+)\.jpg$/;

/** The composition root of backups, as `startSidecar` is the sidecar's. */
export function openBackups(
  config: BackupConfig,
  stop: AbortSignal,
  now = () => new Date(),
  random = Math.random,
): Backups {
  const limits = { limitMs: config.BACKUP_TIME_LIMIT_HOURS * 3_600_000, signal: stop };
  const credentials = Object.entries({
    AWS_ACCESS_KEY_ID: config.AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY: config.AWS_SECRET_ACCESS_KEY,
    AWS_DEFAULT_REGION: config.AWS_DEFAULT_REGION,
    AZURE_ACCOUNT_NAME: config.AZURE_ACCOUNT_NAME,
    AZURE_ACCOUNT_KEY: config.AZURE_ACCOUNT_KEY,
  }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  const restic = createRestic({
    repository: config.RESTIC_REPOSITORY,
    password: config.RESTIC_PASSWORD,
    credentials: Object.fromEntries(credentials),
    workFolder: config.BACKUP_WORK,
    ...limits,
  });
  const keep = {
    daily: config.BACKUP_KEEP_DAILY,
    weekly: config.BACKUP_KEEP_WEEKLY,
    monthly: config.BACKUP_KEEP_MONTHLY,
  };
  const pgDump = createPgDump({ databaseUrl: config.DATABASE_URL, ...limits });
  const folder = createBackupFolder(config.BACKUP_WORK);
  const db: Knex = openDatabase(config.DATABASE_URL, 4);
  const [backups, failures] = [backupStatements(db), failureStatements(db)];
  const at = { url: config.ORTHANC_URL, username: config.ORTHANC_USERNAME, password: config.ORTHANC_PASSWORD };
  const archive = createOrthancArchive({ ...at, timeoutMs: ORTHANC_TIMEOUT_MS });
  const orthanc = createOrthanc({ ...at, timeoutMs: ORTHANC_TIMEOUT_MS, maxFileBytes: 0 });

  const remind = (code: string, what: string): Promise<unknown> =>
    failures.save('restore', 'images', { code, message: `${what}: axis restore --report` }, now());
  const missing = async (): Promise<Missing> => {
    const blobs = hasBlobStore(config) ? openBlobStore(config, BLOB_TIMEOUT_MS) : null;
    const idsOf = async function* (store: BlobStore, prefix: string, name: RegExp) {
      for await (const names of store.names(prefix)) yield names.flatMap((one) => name.exec(one)?.[1] ?? []);
    };
    const since = await backups.databaseTime();
    const sweeps = sweepStatements(db);
    const found = await countMissing({
      ...backups,
      ...sweeps,
      imagesAfter: async (after, limit) => (await sweeps.imagesAfter(after, limit)).map(({ id }) => id),
      instanceIds: orthanc.instanceIds,
      present: orthanc.present,
      rendered: blobs && (() => idsOf(blobs, 'images/', IMAGES)),
    });
    let toBeDrawn = 0;
    if (blobs !== null && found.blobFailure === null) {
      for (const [prefix, name] of [
        ['images/', IMAGES],
        ['thumbnails/', THUMBNAILS],
      ] as const) {
        toBeDrawn += await drawLostAgain({
          kept: idsOf(blobs, prefix, name),
          drawAgain: (...range) => backups.drawAgain(since, ...range),
        });
      }
    }
    const count = found.withoutFile.reduce((sum, { images }) => sum + images, found.onlyRendered?.length ?? 0);
    if (count > 0) await remind('images-missing', `${count} images must be sent again`);
    else if (found.blobFailure !== null) await remind('images-not-counted', 'Blob storage could not be asked');
    else await failures.clear('restore', ['images']);
    return { ...found, toBeDrawn };
  };

  const once = async (): Promise<BackedUp> => {
    try {
      const made = await aloneWithBackups(config.DATABASE_URL, () =>
        backUp({
          repository: { ...restic, forget: () => restic.forget(keep) },
          folder,
          database: { ...backups, ...pgDump },
          orthanc: archive,
          storage: config.BACKUP_STORAGE,
          checkParts: config.BACKUP_CHECK_PARTS,
        }),
      );
      await failures.clear('backup', ['run']);
      return made;
    } catch (error) {
      const failure = asFailure(error);
      // The error that counts is the first; without a database nothing can be written, and the age tells.
      if (!stop.aborted) await failures.save('backup', 'run', failure, now()).catch(() => undefined);
      throw failure;
    }
  };

  return {
    once,
    missing,

    async untilStopped(log) {
      if (config.RESTIC_PASSWORD === DEVELOPMENT_PASSWORD) {
        log.warn('BACKUPS ARE ENCRYPTED WITH THE PASSWORD FOR DEVELOPMENT, which everybody knows: set RESTIC_PASSWORD');
      }
      let [failed, notBefore] = [0, 0];
      const schedule = {
        at: config.BACKUP_AT,
        everyHours: config.BACKUP_EVERY_HOURS,
        timeZone: config.PRACTICE_TIME_ZONE,
      };
      const step = async (): Promise<'wait'> => {
        const { lastAt } = await backups.goodBackups();
        const due = Math.max(nextBackup(schedule, lastAt, now()).getTime(), notBefore);
        if (now().getTime() < due) return 'wait';
        log.info('backup begun');
        try {
          log.info(await once(), 'backed up and verified');
          failed = 0;
        } catch (error) {
          const { code, kind, message } = asFailure(error);
          if (stop.aborted) return 'wait';
          failed += 1;
          notBefore = now().getTime() + retryDelayMs(failed, random(), FIRST_RETRY_MS, LAST_RETRY_MS);
          log.error({ code, kind, failed, next: new Date(notBefore) }, `the backup failed: ${message}`);
        }
        return 'wait';
      };
      await loop(step, {
        stop,
        waitMs: LOOK_EVERY_MS,
        random,
        onFailure: warning(log, 'the database could not be asked when a backup is due'),
      });
    },

    restore: (options, log) =>
      aloneWithBackups(config.DATABASE_URL, async () => {
        const restored = await restore(
          {
            repository: restic,
            readRestored,
            storedFiles,
            clean: () => folder.clean(),
            database: {
              ...backups,
              replace: async (dumpFile, snapshot, manifest) => {
                await pgDump.restore(dumpFile, EMPTY_DATABASE, restoredStatements(snapshot, manifest));
                await migrate(config.DATABASE_URL);
                log.info({ takenAt: manifest.takenAt }, 'the database is restored');
              },
            },
            orthanc: {
              ...archive,
              store: (body) => orthanc.store(body, AbortSignal.any([stop, AbortSignal.timeout(STORE_TIMEOUT_MS)])),
            },
            random,
            pause: (ms) => sleep(ms, undefined, { signal: stop }),
            onProgress: (done) => {
              log.info(done, 'images restored');
            },
          },
          options,
        );
        await remind('images-not-counted', 'what is missing was not asked yet');
        return restored;
      }),

    async [Symbol.asyncDispose]() {
      orthanc.close();
      await db.destroy();
    },
  };
}
