import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { debianRoot } from '../../dev/orthanc-root.ts';

export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate authority of a test's own, made with openssl. */
export interface Authority extends AsyncDisposable {
  readonly certificate: string;
  /** For `127.0.0.1` and `localhost`, as server and as client; `days` from now, behind now where that is negative. */
  issue(commonName: string, days?: number): KeyPair;
}

function openssl(folder: string, args: readonly string[]): void {
  execFileSync('chroot', [debianRoot(), '/usr/bin/env', '-C', folder, 'openssl', ...args], { stdio: 'pipe' });
}

export function createAuthority(commonName: string): Authority {
  mkdirSync(join(debianRoot(), 'srv/axis'), { recursive: true });
  const outside = mkdtempSync(join(debianRoot(), 'srv/axis/ca-'));
  const inside = outside.slice(debianRoot().length);
  const read = (name: string): string => readFileSync(join(outside, name), 'utf8');
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(inside, [
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '30',
    '-subj',
    `/CN=${commonName}`,
  ]);
  let issued = 0;
  return {
    certificate: read('ca.pem'),
    issue(name, days = 30) {
      issued += 1;
      const file = `issued-${issued}`;
      writeFileSync(
        join(outside, `${file}.ext`),
        'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n',
      );
      const end = new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]/g, '').slice(0, 14);
      openssl(inside, ['req', ...newKey, '-keyout', `${file}.key`, '-out', `${file}.csr`, '-subj', `/CN=${name}`]);
      openssl(inside, [
        'x509', '-req', '-in', `${file}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-out', `${file}.pem`,
        '-extfile', `${file}.ext`, '-not_before', '20200101000000Z', '-not_after', `${end}Z`,
      ]); // prettier-ignore
      return { certificate: read(`${file}.pem`), key: read(`${file}.key`) };
    },
    [Symbol.asyncDispose]() {
      rmSync(outside, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}
