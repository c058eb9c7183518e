import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort, startChild, untilReady, type Child } from './child.ts';

export interface AzuriteProcess extends AsyncDisposable {
  readonly connectionString: string;
  start(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

// The account that Azurite documents for everybody.
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => {
      settle(true);
    });
    socket.once('error', () => {
      settle(false);
    });
  });
}

/** Azurite's Blob service on loopback, without telemetry. `folder` keeps its blobs; without one they go with it. */
export async function startAzurite(options: { folder?: string; port?: number } = {}): Promise<AzuriteProcess> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'axis-azurite-')));
  await mkdir(folder, { recursive: true });
  const port = options.port ?? (await freePort());
  const program = join(
    dirname(createRequire(import.meta.url).resolve('azurite/package.json')),
    'dist/src/blob/main.js',
  );
  let child: Child | undefined;

  const start = async (): Promise<void> => {
    const place = ['--location', folder, '--blobHost', '127.0.0.1', '--blobPort', String(port)];
    const args = [program, ...place, '--disableTelemetry', '--skipApiVersionCheck', '--silent'];
    child = startChild('setpriv', ['--pdeathsig', 'KILL', process.execPath, ...args], { cwd: folder });
    await untilReady(child, 'Azurite', () => accepts(port));
  };
  const stop = async (signal?: NodeJS.Signals): Promise<void> => {
    await child?.stop(signal);
    child = undefined;
  };
  await start();
  const endpoint = `http://127.0.0.1:${port}/${ACCOUNT}`;
  return {
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=${endpoint};`,
    start,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}
