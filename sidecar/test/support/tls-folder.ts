import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TlsFiles } from '../../platform/net/tls-files.ts';
import type { KeyPair } from './certificates.ts';

/** The files of a TLS server, in a folder of their own. */
export interface TlsFolder extends Disposable {
  readonly files: TlsFiles;
  /** Puts another certificate, another key, or both there. */
  renew(pair: Partial<KeyPair>): void;
  /** The path of a file with that in it. */
  write(name: string, text: string): string;
}

export function tlsFolder(pair: KeyPair, clientCa?: string): TlsFolder {
  const folder = mkdtempSync(join(tmpdir(), 'axis-tls-'));
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const renew = ({ certificate, key }: Partial<KeyPair>): void => {
    if (certificate !== undefined) write('server.pem', certificate);
    if (key !== undefined) write('server.key', key);
  };
  renew(pair);
  return {
    files: {
      certificate: join(folder, 'server.pem'),
      key: join(folder, 'server.key'),
      clientCa: clientCa === undefined ? undefined : write('clients-ca.pem', clientCa),
      lookMs: 50,
    },
    renew,
    write,
    [Symbol.dispose]() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
