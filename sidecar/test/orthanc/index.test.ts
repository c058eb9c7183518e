import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { startOrthanc } from '../../dev/orthanc-process.ts';
import { crImage } from '../../dev/phantoms.ts';
import { storeByRest } from '../support/orthanc-rest.ts';

const PROGRAM = fileURLToPath(new URL('../../../orthanc/index.py', import.meta.url));
const LOOK_UP = 'EXPLAIN QUERY PLAN SELECT internalId FROM Resources WHERE resourceType = 4 AND publicId = ?';

/** How SQLite looks an instance up in this file. */
function plan(file: string): string {
  using database = new DatabaseSync(file, { readOnly: true });
  return String(database.prepare(LOOK_UP).get('x')?.['detail']);
}

describe("Orthanc's SQLite index", () => {
  it('finds one resource without reading them all, and Orthanc goes on with it', async () => {
    await using orthanc = await startOrthanc();
    const index = join(orthanc.storageFolder, 'index');
    const image = (number: number): Buffer =>
      crImage({ StudyInstanceUID: `2.25.930${number}`, PatientID: 'X1' }, `2.25.931${number}`);
    const [first = ''] = await storeByRest(orthanc, [image(1)]);
    await orthanc.stop();
    expect(plan(index)).to.include('ResourceTypeIndex');
    const folder = mkdtempSync(join(tmpdir(), 'axis-index-'));
    try {
      const copy = join(folder, 'index');
      copyFileSync(index, copy);
      const { error, status, stderr } = spawnSync('python3', [PROGRAM, copy], { encoding: 'utf8' });
      // As in the container; a machine for tests need not have it.
      if (error === undefined) expect([status, stderr, plan(copy)].join('\n')).to.match(/^0\n\n.*AxisResourceIndex/);
    } finally {
      rmSync(folder, { recursive: true });
    }
    await orthanc.start();
    const [again, other] = await storeByRest(orthanc, [image(1), image(2)]);
    expect(again).to.equal(first);
    expect(other).to.match(/^[0-9a-f-]{44}$/);
    await orthanc.stop();
    expect(plan(index)).to.include('AxisResourceIndex');
  });
});
