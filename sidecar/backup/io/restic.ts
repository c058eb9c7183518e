import { createHash } from 'node:crypto';
import { lstat, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isAttachment, type Snapshot } from '../rules/counts.ts';
import { asFailure, Failure } from '../../platform/rules/failure.ts';
import { runProgram, startProgram, type Ended, type Program } from './program.ts';

export interface ResticOptions {
  /** A folder, or what else restic knows: `s3:…`, `azure:…`, `rest:…`, `sftp:…`. */
  readonly repository: string;
  readonly password: string;
  /** What the repository's place needs, such as AWS_ACCESS_KEY_ID. */
  readonly credentials: Readonly<Record<string, string>>;
  /** Where the dump is, in `database/`, and what is restored; restic's cache too. */
  readonly workFolder: string;
  /** For each call. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

export interface Saved {
  readonly snapshot: string;
  readonly files: number;
  readonly bytes: number;
}

export interface Keep {
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
}

/** Of all snapshots, the same wherever the container runs: each builds on the one before. */
const HOST = '--host=axis-portal';
/** A run that failed must not count as the day's backup when older ones are let go. */
const [UNVERIFIED, VERIFIED] = ['unverified', 'verified'];

/** Orthanc's SQLite index, which cannot be copied while Orthanc runs (it holds it in exclusive mode). */
const INDEX_FILES = ['index', 'index-wal', 'index-shm', 'index-journal'];

const SUMMARY = z.object({
  message_type: z.literal('summary'),
  snapshot_id: z.string(),
  total_files_processed: z.number(),
  total_bytes_processed: z.number(),
});
const CHANGED = z.object({ message_type: z.literal('changed'), new_snapshot_id: z.string() });
const PROBLEM = z.object({ message_type: z.literal('error'), item: z.string() });
const SNAPSHOTS = z.array(z.object({ id: z.string(), time: z.string(), tags: z.array(z.string()).default([]) }));
const NODE = z.object({
  message_type: z.literal('node'),
  type: z.string(),
  path: z.string(),
  size: z.number().default(0),
});

const MISSING = 'backup-repository-missing';

function parsed<T>(line: string, schema: z.ZodType<T>): T | null {
  if (!line.startsWith('{') && !line.startsWith('[')) return null;
  try {
    return schema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

/** restic's exit codes (its manual, "Scripting", "Exit codes"). */
function failed(what: string, { code, complaint }: Ended): Failure {
  if (code === 10) return new Failure('permanent', MISSING, 'there is no repository at its place');
  if (code === 11) return new Failure('transient', 'backup-repository-locked', 'another process holds the repository');
  if (code === 12) return new Failure('permanent', 'backup-wrong-password', 'the repository has another password');
  const full = complaint.includes('no space left on device') ? ': no space left on a device' : '';
  return new Failure('transient', `restic-${what}`, `restic ${what} ended with ${code}${full}`);
}

/** A restic repository. Every call throws a classified {@link Failure}; none says what the repository's address is. */
export function createRestic(options: ResticOptions) {
  const { workFolder, limitMs, signal } = options;
  const program = (args: readonly string[], onErrorLine?: (line: string) => void): Program => ({
    name: 'restic',
    args: ['--retry-lock=5m', '--cleanup-cache', ...args],
    env: {
      ...options.credentials,
      RESTIC_REPOSITORY: options.repository,
      RESTIC_PASSWORD: options.password,
      RESTIC_CACHE_DIR: join(workFolder, 'cache'),
    },
    cwd: workFolder,
    limitMs,
    signal,
    ...(onErrorLine !== undefined && { onErrorLine }),
  });
  const run = async (what: string, args: readonly string[], onLine?: (line: string) => void): Promise<void> => {
    await mkdir(workFolder, { recursive: true, mode: 0o700 });
    const ended = await runProgram(program([what, ...args]), onLine);
    if (ended.code !== 0) throw failed(what, ended);
  };

  return {
    /** Whether there is one at that place. */
    async exists(): Promise<boolean> {
      try {
        await run('cat', ['config']);
        return true;
      } catch (error) {
        if (asFailure(error).code === MISSING) return false;
        throw error;
      }
    },

    init: () => run('init', []),

    /** Takes away locks of processes that are gone. */
    unlock: () => run('unlock', []),

    /**
     * One snapshot of `database/` and of Orthanc's storage folder without its index. @throws Failure permanent
     * `backup-unreadable` where a file that is there could not be read; one that Orthanc deleted meanwhile is none.
     */
    async save(storage: string): Promise<Saved> {
      const [unread, out] = [new Set<string>(), new Array<Saved>()];
      const args = ['backup', '--json', '--quiet', HOST, `--tag=${UNVERIFIED}`, '--group-by=host'];
      const excludes = INDEX_FILES.map((name) => `--exclude=${join(storage, name)}`);
      const ended = await runProgram(
        program([...args, ...excludes, 'database', storage], (line) => {
          const problem = parsed(line, PROBLEM);
          if (problem !== null) unread.add(problem.item);
        }),
        (line) => {
          const end = parsed(line, SUMMARY);
          if (end === null) return;
          out.push({ snapshot: end.snapshot_id, files: end.total_files_processed, bytes: end.total_bytes_processed });
        },
      );
      const [saved] = out;
      if ((ended.code !== 0 && ended.code !== 3) || saved === undefined) throw failed('backup', ended);
      let unreadable = ended.code === 3 && unread.size === 0 ? 1 : 0;
      for (const file of unread) {
        const isThere = await lstat(file).then(
          () => true,
          () => false,
        );
        if (isThere) unreadable += 1;
      }
      if (unreadable === 0) return saved;
      throw new Failure('permanent', 'backup-unreadable', `${unreadable} file(s) or more could not be read`);
    },

    /** SHA-256 of a file of `database/`, read back out of the repository. */
    async hash(snapshot: string, name: string): Promise<string> {
      const running = startProgram(program(['dump', snapshot, `/database/${name}`]));
      running.stdin.end();
      const hash = createHash('sha256');
      running.stdout.on('data', (chunk: Buffer) => hash.update(chunk));
      const ended = await running.ended;
      if (ended.code === 1) {
        throw new Failure('permanent', 'backup-not-readable', `${name} cannot be read back out of the repository`);
      }
      if (ended.code !== 0) throw failed('dump', ended);
      return hash.digest('hex');
    },

    /**
     * Verifies the repository: its structure, and of the data themselves the `part`th (from 1) of `parts`.
     * @throws Failure permanent `backup-damaged`.
     */
    async check(part: number, parts: number): Promise<void> {
      const ended = await runProgram(program(['check', '--json', '--quiet', `--read-data-subset=${part}/${parts}`]));
      if (ended.code === 0) return;
      if (ended.code !== 1) throw failed('check', ended);
      throw new Failure('permanent', 'backup-damaged', 'the repository is damaged: see `restic check`');
    },

    /** Marks a snapshot as verified; gives its id, which is another one then. */
    async accept(snapshot: string): Promise<string> {
      const ids: string[] = [];
      await run('tag', ['--json', '--quiet', `--set=${VERIFIED}`, snapshot], (line) => {
        const changed = parsed(line, CHANGED);
        if (changed !== null) ids.push(changed.new_snapshot_id);
      });
      const [id] = ids;
      if (id === undefined) throw new Failure('transient', 'restic-tag', 'restic tag changed no snapshot');
      return id;
    },

    /** Lets go of what is not to be kept, and of all that was never verified. */
    async forget({ daily, weekly, monthly }: Keep): Promise<void> {
      const args = ['--json', '--quiet', HOST, '--group-by=host'];
      await run('forget', [...args, `--tag=${UNVERIFIED}`, '--keep-last=0', '--unsafe-allow-remove-all']);
      const keep = [`--keep-daily=${daily}`, `--keep-weekly=${weekly}`, `--keep-monthly=${monthly}`];
      await run('forget', [...args, `--tag=${VERIFIED}`, '--keep-last=1', ...keep, '--prune']);
    },

    /** The oldest first. */
    async snapshots(): Promise<readonly Snapshot[]> {
      let found: z.output<typeof SNAPSHOTS> = [];
      await run('snapshots', ['--json', '--quiet', HOST], (line) => {
        found = parsed(line, SNAPSHOTS) ?? found;
      });
      return found
        .map(({ id, time, tags }) => ({ id, at: new Date(time), verified: tags.includes(VERIFIED) }))
        .sort((one, other) => one.at.getTime() - other.at.getTime());
    },

    /** Restores `database/` and gives where it is now. */
    async restoreDatabase(snapshot: string): Promise<string> {
      const target = join(workFolder, 'restored-database');
      await rm(target, { recursive: true, force: true });
      await run('restore', [`${snapshot}:/database`, `--target=${target}`, '--verify', '--json', '--quiet']);
      return target;
    },

    /** The folders of attachments in a storage folder, as /ab/cd, with what their files have in bytes. */
    async folders(snapshot: string, storage: string): Promise<ReadonlyMap<string, number>> {
      const folders = new Map<string, number>();
      await run('ls', ['--json', '--recursive', `${snapshot}:${storage}`], (line) => {
        const node = parsed(line, NODE);
        if (node?.type !== 'file' || !isAttachment(node.path)) return;
        const folder = node.path.slice(0, 6);
        folders.set(folder, (folders.get(folder) ?? 0) + node.size);
      });
      return folders;
    },

    /**
     * Restores these folders of a storage folder, and gives where they are now and which files of them the repository
     * could not give back whole, as /ab/cd/abcd…: those must not be used.
     */
    async restoreFolders(
      snapshot: string,
      storage: string,
      folders: readonly string[],
    ): Promise<{ readonly folder: string; readonly damaged: ReadonlySet<string> }> {
      const [target, list] = [join(workFolder, 'restored-storage'), join(workFolder, 'restored-storage.list')];
      await rm(target, { recursive: true, force: true });
      await mkdir(target, { recursive: true });
      await writeFile(list, `${folders.join('\n')}\n`);
      const damaged = new Set<string>();
      const ended = await runProgram(
        program(
          [
            'restore',
            `${snapshot}:${storage}`,
            `--target=${target}`,
            `--include-file=${list}`,
            '--verify',
            '--json',
            '--quiet',
          ],
          (line) => {
            const problem = parsed(line, PROBLEM);
            if (problem !== null) damaged.add(problem.item);
          },
        ),
      );
      if (ended.code !== 0 && damaged.size === 0) throw failed('restore', ended);
      return { folder: target, damaged };
    },
  };
}
