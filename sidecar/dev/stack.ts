import { startSmsSandbox, type SmsSandbox } from '../texts/io/sandbox.ts';
import { startAzurite, type AzuriteProcess } from './azurite-process.ts';
import { startOrthanc, type OrthancOptions, type OrthancProcess } from './orthanc-process.ts';
import { startPostgres, type PostgresProcess } from './postgres-process.ts';

/** Everything the sidecar talks to, on loopback, for one run; gone with it. */
export interface Stack extends AsyncDisposable {
  readonly orthanc: OrthancProcess;
  readonly postgres: PostgresProcess;
  readonly azurite: AzuriteProcess;
  readonly sandbox: SmsSandbox;
  /** The sidecar's settings for this stack, listening on loopback at free ports. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The settings that lead a sidecar to these servers. */
export function environmentFor(parts: {
  orthanc: OrthancProcess;
  databaseUrl: string;
  azurite: Pick<AzuriteProcess, 'connectionString'>;
  sandbox: SmsSandbox;
}): Record<string, string> {
  const { orthanc, databaseUrl, azurite, sandbox } = parts;
  return {
    ORTHANC_URL: orthanc.url,
    ORTHANC_USERNAME: orthanc.username,
    ORTHANC_PASSWORD: orthanc.password,
    DATABASE_URL: databaseUrl,
    AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString,
    PORTAL_URL: 'https://portal.axisimaging.example/results',
    HL7_HOST: '127.0.0.1',
    HL7_PORT: '0',
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: '0',
    TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
    TWILIO_AUTH_TOKEN: 'sandbox',
    TWILIO_FROM: '+61480000000',
    TWILIO_API_URL: sandbox.url,
    SMS_HOURS: '00:00-24:00',
    POLL_INTERVAL_MS: '200',
  };
}

/** Starts all four, empty. `durable`: Postgres waits for the disk. */
export async function startStack(options: { orthanc?: OrthancOptions; durable?: boolean } = {}): Promise<Stack> {
  await using stack = new AsyncDisposableStack();
  const sandbox = stack.use(await startSmsSandbox({ host: '127.0.0.1', port: 0, now: () => new Date() }));
  const starting = [
    startOrthanc(options.orthanc).then((process) => stack.use(process)),
    startPostgres({ durable: options.durable === true }).then((process) => stack.use(process)),
    startAzurite().then((process) => stack.use(process)),
  ] as const;
  await Promise.allSettled(starting);
  const [orthanc, postgres, azurite] = await Promise.all(starting);
  const databaseUrl = await postgres.createDatabase('axis');
  const parts = { orthanc, postgres, azurite, sandbox };
  const running = stack.move();
  return {
    ...parts,
    environment: environmentFor({ ...parts, databaseUrl }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
