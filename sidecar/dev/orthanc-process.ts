import { chownSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import axios from 'axios';
import { z } from 'zod';
import { freePort, untilReady, type Child } from './child.ts';
import { NOBODY, runFolder, startInside } from './orthanc-root.ts';

export interface OrthancProcess extends AsyncDisposable {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** While it runs. */
  readonly pid: number | undefined;
  readonly dicomPort: number;
  readonly aeTitle: string;
  start(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const SETTINGS = new URL('../../orthanc/orthanc.json', import.meta.url);

/**
 * Orthanc with the project's own settings, except for ports, folders and loopback only. `name` keeps its data for the
 * next start; without one they go with it. Starts at once; `start` and `stop` may then be called in turn.
 */
export async function startOrthanc(
  options: { name?: string; httpPort?: number; dicomPort?: number; settings?: Readonly<Record<string, unknown>> } = {},
): Promise<OrthancProcess> {
  const folder = runFolder(options.name);
  const [httpPort, dicomPort] = [options.httpPort ?? (await freePort()), options.dicomPort ?? (await freePort())];
  const settings = z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(SETTINGS, 'utf8')));
  const file = join(folder.outside, 'orthanc.json');
  writeFileSync(
    file,
    JSON.stringify({
      ...settings,
      StorageDirectory: `${folder.inside}/db`,
      IndexDirectory: `${folder.inside}/db`,
      HttpPort: httpPort,
      DicomPort: dicomPort,
      HttpBindAddresses: ['127.0.0.1'],
      StableAge: 2,
      ...options.settings,
    }),
  );
  chownSync(file, NOBODY, NOBODY);
  const [username, password] = ['sidecar', 'sidecar-dev'];
  const url = `http://127.0.0.1:${httpPort}`;
  let child: Child | undefined;

  const start = async (): Promise<void> => {
    const env = { ORTHANC_USERNAME: username, ORTHANC_PASSWORD: password };
    child = startInside('Orthanc', [`${folder.inside}/orthanc.json`], env);
    await untilReady(child, 'Orthanc', async () => {
      const { status } = await axios.get(`${url}/system`, { auth: { username, password }, timeout: 2000 });
      return status === 200;
    });
  };
  const stop = async (signal?: NodeJS.Signals): Promise<void> => {
    await child?.stop(signal);
    child = undefined;
  };
  await start();
  return {
    url,
    username,
    password,
    get pid() {
      return child?.pid;
    },
    dicomPort,
    aeTitle: 'AXIS_PORTAL',
    start,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      if (options.name === undefined) await folder.remove();
    },
  };
}
