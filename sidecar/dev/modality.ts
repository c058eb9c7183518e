import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NOBODY, runFolder, startInside } from './orthanc-root.ts';

export interface Association {
  readonly host?: string;
  readonly port: number;
  readonly calledAeTitle: string;
  readonly callingAeTitle?: string;
}

export interface StoreOutcome {
  readonly ok: boolean;
  /** What dcmsend said. */
  readonly output: string;
}

/**
 * Plays a modality: sends these DICOM files by C-STORE in one association (dcmtk's dcmsend), each in its own transfer
 * syntax. `ok` when every file was stored.
 */
export async function cStore(files: readonly Buffer[], to: Association): Promise<StoreOutcome> {
  const folder = runFolder();
  try {
    for (const [index, bytes] of files.entries()) {
      const name = join(folder.outside, `${String(index).padStart(5, '0')}.dcm`);
      writeFileSync(name, bytes);
      chownSync(name, NOBODY, NOBODY);
    }
    const titles = ['--aetitle', to.callingAeTitle ?? 'MODALITY', '--call', to.calledAeTitle];
    const limits = ['--timeout', '10', '--acse-timeout', '10', '--dimse-timeout', '60'];
    const how = ['--verbose', '--decompress-never', '--no-halt', '--no-uid-checks', '--scan-directories'];
    const args = [...how, ...titles, ...limits, to.host ?? '127.0.0.1', String(to.port), folder.inside];
    const child = startInside('dcmsend', args);
    await child.ended;
    const output = child.lastOutput();
    const accepted = /with status SUCCESS\s*: (\d+)/.exec(output)?.[1];
    return { ok: Number(accepted) === files.length, output };
  } finally {
    await folder.remove();
  }
}
