import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startSmsSandbox, type SmsSandbox } from '../../texts/io/sandbox.ts';
import { startAzurite, type AzuriteProcess } from '../../dev/azurite-process.ts';
import { freePort, startChild, type Child } from '../../dev/child.ts';
import { startOrthanc, type OrthancProcess } from '../../dev/orthanc-process.ts';
import { runFolder } from '../../dev/orthanc-root.ts';
import { startPostgres } from '../../dev/postgres-process.ts';
import { environmentFor } from '../../dev/stack.ts';
import { startTcpProxy, type TcpProxy } from '../../dev/tcp-proxy.ts';
import type { Fault, Link, Part } from './plan.ts';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));

/** Long enough for a fault to come between a text's being taken and its being known to be. */
const TWILIO_LATENCY_MS = 1000;
/** And between a page's being read and its rows' being committed. */
const ORTHANC_LATENCY_MS = 20;
const POSTGRES_LATENCY_MS = 4;

/** All servers of a run, a proxy before each, and the sidecar as a process that is started again whenever it ends. */
export interface World extends AsyncDisposable {
  readonly orthanc: OrthancProcess;
  readonly azurite: AzuriteProcess;
  readonly sandbox: SmsSandbox;
  readonly databaseUrl: string;
  /** Where the RIS connects to. */
  readonly hl7Port: number;
  /** Does one fault; gives false where it did nothing, since the part is down already. Settles when it is over. */
  inflict(fault: Fault): Promise<boolean>;
  /** How often the sidecar ended by itself, with what it wrote last. */
  readonly ends: readonly string[];
  sidecarOutput(): string;
  /** SIGKILL and start: all that what was left behind may need. Gives when it was down. */
  restartSidecar(): Promise<Date>;
}

interface Killable {
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** A server may find what a killed one left behind for a moment. */
async function insist(start: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await start();
      return;
    } catch (error) {
      if (attempt >= 6) throw error;
      await sleep(500);
    }
  }
}

interface Supervised extends Killable {
  stop(): Promise<void>;
  output(): string;
}

function supervise(environment: Readonly<Record<string, string>>, ends: string[]): Supervised {
  let child: Child | undefined;
  const start = (): Promise<void> => {
    const started = startChild('setpriv', ['--pdeathsig', 'KILL', process.execPath, MAIN], { env: environment });
    child = started;
    void started.ended.then(async () => {
      if (child !== started) return;
      ends.push(started.lastOutput());
      await sleep(300);
      if (child === started) await start();
    });
    return Promise.resolve();
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    child = undefined;
    await ending?.stop(signal);
  };
  return { start, kill: () => end('SIGKILL'), stop: () => end('SIGTERM'), output: () => child?.lastOutput() ?? '' };
}

/** Starts a {@link World}, empty. */
export async function startWorld(): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const sandbox = stack.use(await startSmsSandbox({ host: '127.0.0.1', port: 0, now: () => new Date() }));
  const name = `faults-${randomBytes(6).toString('hex')}`;
  // Named, so that it waits for the disk: without that an immediate stop may lose what was committed.
  stack.defer(() => runFolder(name).remove());
  const [orthanc, postgres, azurite] = await Promise.all([
    startOrthanc().then((server) => stack.use(server)),
    startPostgres({ name }).then((server) => stack.use(server)),
    startAzurite().then((server) => stack.use(server)),
  ]);
  const databaseUrl = await postgres.createDatabase('axis');
  const direct = environmentFor({ orthanc, databaseUrl, azurite, sandbox });
  const proxied = async (url: string, latencyMs = 0): Promise<{ proxy: TcpProxy; port: string; url: string }> => {
    const target = new URL(url);
    const proxy = stack.use(await startTcpProxy({ port: Number(target.port), latencyMs }));
    return { proxy, port: target.port, url: url.replace(`:${target.port}`, `:${proxy.port}`) };
  };
  const blobUrl = /BlobEndpoint=([^;]+)/.exec(azurite.connectionString)?.[1] ?? '';
  const [toOrthanc, toPostgres, toBlobs, toTwilio, hl7Port] = await Promise.all([
    proxied(orthanc.url, ORTHANC_LATENCY_MS),
    proxied(databaseUrl, POSTGRES_LATENCY_MS),
    proxied(blobUrl),
    proxied(sandbox.url, TWILIO_LATENCY_MS),
    freePort(),
  ]);
  const toHl7 = stack.use(await startTcpProxy({ port: hl7Port }));
  const ends: string[] = [];
  const sidecar = supervise(
    {
      PATH: process.env['PATH'] ?? '',
      ...direct,
      ORTHANC_URL: toOrthanc.url,
      DATABASE_URL: toPostgres.url,
      AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString.replace(blobUrl, toBlobs.url),
      TWILIO_API_URL: toTwilio.url,
      HL7_PORT: String(hl7Port),
      SMS_HOURS: '00:00-24:00',
      // At each start only: else it would make good what the feed lost before that is seen.
      SWEEP_INTERVAL_MS: '86400000',
      LABEL_CHECK_INTERVAL_MS: '86400000',
    },
    ends,
  );
  stack.defer(() => sidecar.stop());
  await sidecar.start();

  const parts: Readonly<Record<Part, Killable>> = {
    sidecar,
    orthanc: { kill: () => orthanc.stop('SIGKILL'), start: () => orthanc.start() },
    postgres: { kill: () => postgres.stop('SIGQUIT'), start: () => postgres.start() },
    // It keeps its index in memory and writes it now and then: killed outright it would lose what it has taken.
    azurite: { kill: () => azurite.stop('SIGTERM'), start: () => azurite.start() },
  };
  const links: Readonly<Record<Link, TcpProxy>> = {
    postgres: toPostgres.proxy,
    orthanc: toOrthanc.proxy,
    azurite: toBlobs.proxy,
    twilio: toTwilio.proxy,
    ris: toHl7,
  };
  const down = new Set<Part>();
  const running = stack.move();
  return {
    orthanc,
    azurite,
    sandbox,
    databaseUrl,
    hl7Port: toHl7.port,
    ends,
    sidecarOutput: () => sidecar.output(),
    async restartSidecar() {
      await sidecar.kill();
      const down = new Date();
      await sidecar.start();
      return down;
    },
    async inflict(fault) {
      if (fault.kind === 'cut') links[fault.link].cut();
      if (fault.kind === 'delay') links[fault.link].delay(fault.ms);
      if (fault.kind === 'half-close') links[fault.link].halfClose(fault.towards);
      if (fault.kind !== 'kill') return true;
      if (down.has(fault.part)) return false;
      down.add(fault.part);
      await parts[fault.part].kill();
      await sleep(fault.downMs);
      await insist(() => parts[fault.part].start());
      down.delete(fault.part);
      return true;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
