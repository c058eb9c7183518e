import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { isAttachment, looksLikeDicom, type Manifest } from '../rules/counts.ts';
import { Failure } from '../../platform/rules/failure.ts';

const LABEL = z.object({
  level: z.enum(['Patient', 'Study', 'Series', 'Instance']),
  orthancId: z.string(),
  label: z.string(),
});
const MANIFEST = z.object({
  version: z.literal(1),
  takenAt: z.iso.datetime(),
  storage: z.string(),
  sha256: z.record(z.string(), z.string()),
  labels: z.array(LABEL).nullable(),
});

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(z.instanceof(Buffer).parse(chunk));
  return hash.digest('hex');
}

/**
 * What a backup has beside Orthanc's files: `database.dump` and `manifest.json` in a folder that only its
 * owner can read, since it holds patient data in the clear while a run lasts.
 */
export function createBackupFolder(workFolder: string) {
  const folder = join(workFolder, 'database');
  return {
    dumpFile: join(folder, 'database.dump'),

    /** Makes it, empty. */
    async make(): Promise<void> {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true, mode: 0o700 });
    },

    /** Writes the manifest of all that is there; gives the SHA-256 of each file, its own too. */
    async seal(said: Omit<Manifest, 'sha256' | 'version'>): Promise<ReadonlyMap<string, string>> {
      const sums = new Map<string, string>();
      for (const name of (await readdir(folder)).sort()) sums.set(name, await sha256(join(folder, name)));
      const manifest: Manifest = { version: 1, ...said, sha256: Object.fromEntries(sums) };
      await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest), { mode: 0o600 });
      return sums.set('manifest.json', await sha256(join(folder, 'manifest.json')));
    },

    /** Takes away whatever a run left. */
    async clean(): Promise<void> {
      for (const name of ['database', 'restored-database', 'restored-storage', 'restored-storage.list']) {
        await rm(join(workFolder, name), { recursive: true, force: true });
      }
    },
  };
}

/**
 * What was restored of such a folder, each file checked. @throws Failure permanent `restore-damaged`,
 * `restore-unknown-format`.
 */
export async function readRestored(folder: string): Promise<{
  readonly manifest: Manifest;
  readonly dumpFile: string;
}> {
  const text = await readFile(join(folder, 'manifest.json'), 'utf8').catch(() => 'null');
  const manifest = MANIFEST.safeParse(JSON.parse(text)).data;
  if (manifest === undefined) {
    throw new Failure('permanent', 'restore-unknown-format', 'the snapshot has no manifest that is understood here');
  }
  for (const [name, sum] of Object.entries(manifest.sha256)) {
    const found = await sha256(join(folder, name)).catch(() => '');
    if (found !== sum) throw new Failure('permanent', 'restore-damaged', `${name} is not as it was written`);
  }
  return { manifest, dumpFile: join(folder, 'database.dump') };
}

/** One attachment of Orthanc's in a folder. */
export interface StoredFile {
  /** From the storage folder on, as /ab/cd/abcd… */
  readonly path: string;
  readonly isDicom: boolean;
  open(): Readable;
}

/** The attachments in a folder that is laid out as Orthanc's storage folder, in the order of their names. */
export async function storedFiles(folder: string): Promise<readonly StoredFile[]> {
  const found: StoredFile[] = [];
  for (const entry of (await readdir(folder, { recursive: true })).sort()) {
    const [path, file] = [`/${entry}`, join(folder, entry)];
    if (!isAttachment(path) || !(await stat(file)).isFile()) continue;
    const handle = await open(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(132), 0, 132, 0);
      found.push({ path, isDicom: looksLikeDicom(buffer.subarray(0, bytesRead)), open: () => createReadStream(file) });
    } finally {
      await handle.close();
    }
  }
  return found;
}
