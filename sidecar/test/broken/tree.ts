import { rmSync } from 'node:fs';
import { cp, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Edit } from './breaks.ts';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const COPIED = ['sidecar', 'sql', 'orthanc', 'package.json'];

export interface Tree extends AsyncDisposable {
  readonly folder: string;
}

/**
 * A copy of this tree in a temporary folder, edited; gone when it is disposed of.
 * @throws Error where an edit does not find its place exactly once: the code has changed, and so must the edit.
 */
export async function copyTree(edits: readonly Edit[]): Promise<Tree> {
  const folder = await mkdtemp(join(tmpdir(), 'axis-broken-'));
  await using stack = new AsyncDisposableStack();
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true });
  };
  // Where the process is told to stop, too.
  process.once('exit', remove);
  stack.defer(() => {
    process.off('exit', remove);
    remove();
  });
  for (const name of COPIED) await cp(join(ROOT, name), join(folder, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const { file, find, replace } of edits) {
    const path = join(folder, file);
    const parts = (await readFile(path, 'utf8')).split(find);
    if (parts.length !== 2) {
      throw new Error(`${file} has ${parts.length - 1} times, not once, what is to be broken:\n${find}`);
    }
    await writeFile(path, parts.join(replace));
  }
  const kept = stack.move();
  return { folder, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
