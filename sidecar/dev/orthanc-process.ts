import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import axios from 'axios';
import { z } from 'zod';
import { freePort, untilReady, type Child } from './child.ts';
import { NOBODY, runFolder, startInside } from './orthanc-root.ts';
import { canHavePrivateNetwork, IN_PRIVATE_NETWORK, openDoors } from './private-network.ts';

export interface OrthancProcess extends AsyncDisposable {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** While it runs. */
  readonly pid: number | undefined;
  readonly dicomPort: number;
  readonly aeTitle: string;
  /** Whether it has a network of its own, which only this machine's 127.0.0.1 leads into. */
  readonly apart: boolean;
  /** Where its files are, as seen from outside the Debian folder. */
  readonly storageFolder: string;
  start(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const ours = (name: string): string => fileURLToPath(new URL(`../../orthanc/${name}`, import.meta.url));
const JSON_OBJECT = z.record(z.string(), z.unknown());
const GUARDED = z.looseObject({ LuaScripts: z.array(z.string()) });

// Orthanc 1.12.7 listens on every interface, and has no setting for that. From elsewhere it takes no HTTP with
// RemoteAccessAllowed false, and by this no images.
const LOCAL_IMAGES_ONLY = `local filter = ReceivedInstanceFilter
function ReceivedInstanceFilter(dicom, origin, info)
  local isLocal = origin['RequestOrigin'] ~= 'DicomProtocol' or origin['RemoteIp'] == '127.0.0.1'
  return isLocal and filter(dicom, origin, info)
end
`;

export interface OrthancOptions {
  readonly name?: string;
  readonly httpPort?: number;
  readonly dicomPort?: number;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** It is to listen on loopback only: in a network of its own, where this machine has that. */
  readonly apart?: boolean;
  /** Files put where it finds them, and settings of `orthanc/guard.sh`, given the folder they are in. */
  readonly files?: Readonly<Record<string, string>>;
  readonly guard?: (folder: string) => Readonly<Record<string, string>>;
}

/**
 * Orthanc with the project's own settings, except for ports, folders, a new password and this machine only. `name` keeps
 * its data for the next start. Without one they go with it. Starts at once, and `start` and `stop` may then be called in turn.
 */
export async function startOrthanc(options: OrthancOptions = {}): Promise<OrthancProcess> {
  const folder = runFolder(options.name);
  const [httpPort, dicomPort] = [options.httpPort ?? (await freePort()), options.dicomPort ?? (await freePort())];
  const [username, password] = ['sidecar', randomBytes(18).toString('base64url')];
  const apart = options.apart === true && canHavePrivateNetwork();
  const settings = JSON_OBJECT.parse(JSON.parse(readFileSync(ours('orthanc.json'), 'utf8')));
  copyFileSync(ours('filter.lua'), join(folder.outside, 'filter.lua'));
  for (const [name, text] of Object.entries(options.files ?? {})) {
    writeFileSync(join(folder.outside, name), text);
    chownSync(join(folder.outside, name), NOBODY, NOBODY);
  }
  const guard = execFileSync('sh', [ours('guard.sh')], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ORTHANC_USERNAME: username, ...options.guard?.(folder.outside) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
    .replaceAll(folder.outside, folder.inside)
    .replace('/etc/orthanc/filter.lua', `${folder.inside}/filter.lua`);
  const guarded = GUARDED.parse(JSON.parse(guard));
  if (options.apart === true && !apart) {
    writeFileSync(join(folder.outside, 'local-images-only.lua'), LOCAL_IMAGES_ONLY);
    guarded.LuaScripts.push(`${folder.inside}/local-images-only.lua`);
  }
  const file = join(folder.outside, 'orthanc.json');
  writeFileSync(
    file,
    JSON.stringify({
      ...settings,
      ...guarded,
      StorageDirectory: `${folder.inside}/db`,
      IndexDirectory: `${folder.inside}/db`,
      HttpPort: httpPort,
      DicomPort: dicomPort,
      RemoteAccessAllowed: false,
      StableAge: 2,
      ...options.settings,
    }),
  );
  chownSync(file, NOBODY, NOBODY);
  const url = `http://127.0.0.1:${httpPort}`;
  let child: Child | undefined;
  let doors: AsyncDisposable | undefined;

  const addIndex = (): void => {
    const file = join(folder.outside, 'db', 'index');
    if (!existsSync(file)) return;
    using database = new DatabaseSync(file);
    database.exec(readFileSync(ours('index.sql'), 'utf8'));
  };
  const start = async (): Promise<void> => {
    addIndex();
    const env = { ORTHANC_USERNAME: username, ORTHANC_PASSWORD: password };
    child = startInside('Orthanc', [`${folder.inside}/orthanc.json`], env, apart ? IN_PRIVATE_NETWORK : []);
    if (apart) doors = await openDoors(child.pid, [httpPort, dicomPort]);
    await untilReady(child, 'Orthanc', async () => {
      const { status } = await axios.get(`${url}/system`, { auth: { username, password }, timeout: 2000 });
      return status === 200;
    });
  };
  const stop = async (signal?: NodeJS.Signals): Promise<void> => {
    await child?.stop(signal);
    await doors?.[Symbol.asyncDispose]();
    child = doors = undefined;
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    username,
    password,
    get pid() {
      return child?.pid;
    },
    dicomPort,
    aeTitle: 'AXIS_PORTAL',
    apart,
    storageFolder: join(folder.outside, 'db'),
    start,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      if (options.name === undefined) await folder.remove();
    },
  };
}
