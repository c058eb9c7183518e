import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';

const DEMO = fileURLToPath(new URL('../../dev/demo.ts', import.meta.url));

describe('the demo', () => {
  it('plays its day, prints the trail of every order and ends with 0', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [DEMO, '--once'], { timeout: 55_000 });
    const rows = stdout.split('\n').filter((line) => line.startsWith('AX24-'));
    expect(rows).to.have.length(5);
    for (const row of rows) {
      expect(row).to.match(
        /^AX24-000\d (?:CT|CR|US) +\d+ +(?:accession|patient-id-date) +\d+ +final +delivered to \+61/,
      );
    }
    expect(stdout).to.contain('every order has its images, blobs, report and one text');
    for (const place of ['Orthanc Explorer', 'DICOM', 'upload', 'operators', 'texts']) {
      expect(stdout).to.match(new RegExp(`^  ${place} +(?:http://)?127\\.0\\.0\\.1:\\d+`, 'm'));
    }
    const [, file = ''] = /^ {2}set -a; \. (\S+); set \+a$/m.exec(stdout) ?? [];
    expect(file).to.match(/\/env$/);
    expect(existsSync(file)).to.equal(false);
  });
});
