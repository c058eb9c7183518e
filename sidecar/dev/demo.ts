import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { newApiKey } from '../access/io/api-keys.ts';
import { loadConfig } from '../app/config.ts';
import { startSidecar } from '../app/sidecar.ts';
import { ConfigError } from '../platform/settings.ts';
import { ACCESSION_NUMBERS, playDay } from './demo-day.ts';
import { ignoredLines, placesText, writeEnvironmentFile } from './demo-places.ts';
import { choosePorts, readDemoSettings, type DemoSettings } from './demo-settings.ts';
import { blobLink, isComplete, readTrail, trailTable } from './demo-trail.ts';
import { startStack } from './stack.ts';

const TRAIL_LIMIT_MS = 60_000;

const say = (line = ''): void => void process.stdout.write(`${line}\n`);

/** The day it is in the practice, `YYYYMMDD`. */
const practiceDay = (now: Date, timeZone: string): string =>
  new Intl.DateTimeFormat('en-CA', { timeZone }).format(now).replaceAll('-', '');

/** Plays the day and waits for its end. Gives what is missing from the trail, nothing when all is there. */
async function demo(settings: DemoSettings, once: boolean, stopped: AbortSignal): Promise<string[]> {
  const ports = await choosePorts(settings.ports);
  for (const line of ignoredLines(settings.ignored)) say(line);
  say('starting Orthanc, PostgreSQL, Azurite, an SMS sandbox and the sidecar …');
  const viewer = { name: 'viewer', password: randomBytes(12).toString('base64url') };
  await using stack = await startStack({
    orthanc: {
      httpPort: ports.orthancHttp,
      dicomPort: ports.orthancDicom,
      apart: true,
      files: { viewers: `${viewer.name}:${viewer.password}\n` },
      guard: (folder) => ({ ORTHANC_VIEWERS_FILE: join(folder, 'viewers') }),
    },
  });
  const device = newApiKey('demo-device', randomBytes(32));
  const operator = newApiKey('demo-operator', randomBytes(32));
  const also = (entry: string, name: string): string => [entry, settings.given[name] ?? ''].join(' ').trim();
  const environment = {
    ...stack.environment,
    TWILIO_AUTH_TOKEN: randomBytes(16).toString('hex'),
    PUBLIC_URL: `http://127.0.0.1:${ports.http}`,
    METRICS_HOST: '127.0.0.1',
    ...settings.given,
    HL7_PORT: String(ports.hl7),
    HTTP_PORT: String(ports.http),
    ...(ports.metrics !== null && { METRICS_PORT: String(ports.metrics) }),
    API_KEYS: also(device.entry, 'API_KEYS'),
    OPERATOR_API_KEYS: also(operator.entry, 'OPERATOR_API_KEYS'),
  };
  const config = loadConfig(environment);
  const logFile = join(tmpdir(), `axis-portal-demo-${process.pid}.log`);
  const log = pino({ level: config.LOG_LEVEL, base: null }, createWriteStream(logFile));
  await using sidecar = await startSidecar(config, { log });
  await using file = await writeEnvironmentFile(environment);
  const orthanc = stack.orthanc;
  const lines = placesText({
    stack,
    sidecar,
    viewer,
    deviceKey: device.key,
    operatorKey: operator.key,
    config,
    logFile,
    environmentFile: file.path,
  });
  for (const line of lines) say(line);
  await playDay({
    hl7Port: sidecar.hl7Port,
    httpPort: sidecar.httpPort,
    dicomPort: orthanc.dicomPort,
    apiKey: device.key,
    today: practiceDay(new Date(), config.PRACTICE_TIME_ZONE),
    now: () => new Date(),
    newUid: () => `2.25.${BigInt(`0x${randomBytes(14).toString('hex')}`)}`,
    say,
  });
  const deadline = Date.now() + TRAIL_LIMIT_MS;
  let trail = await readTrail(config.DATABASE_URL);
  while (!(trail.length === ACCESSION_NUMBERS.length && trail.every(isComplete)) && Date.now() < deadline) {
    await sleep(200, undefined, { signal: stopped });
    trail = await readTrail(config.DATABASE_URL);
  }
  say();
  for (const line of trailTable(trail)) say(line);
  say();
  const [first] = trail;
  if (first?.uid != null) say(`  npx axis show ${first.uid}`);
  if (first?.image_url != null && first.thumbnail_url != null) {
    const link = (url: string): Promise<string> =>
      blobLink(stack.azurite.connectionString, config.AZURE_STORAGE_CONTAINER, url, new Date());
    say(`  a rendering       ${await link(first.image_url)}`);
    say(`  its thumbnail     ${await link(first.thumbnail_url)}`);
    say();
  }
  const texts = stack.sandbox.messages.length;
  const missing = ACCESSION_NUMBERS.filter(
    (number) => !trail.some((row) => row.accession === number && isComplete(row)),
  );
  if (texts !== ACCESSION_NUMBERS.length) missing.push(`${texts} texts instead of ${ACCESSION_NUMBERS.length}`);
  say(
    missing.length === 0
      ? 'every order has its images, blobs, report and one text'
      : `incomplete: ${missing.join(', ')}`,
  );
  if (!once) {
    say('running until Ctrl-C');
    await sleep(2 ** 31 - 1, undefined, { signal: stopped }).catch(() => undefined);
    say('stopping …');
  }
  return missing;
}

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    stop.abort();
  });
}
try {
  const missing = await demo(readDemoSettings(process.env), process.argv.includes('--once'), stop.signal);
  process.exitCode = missing.length === 0 ? 0 : 1;
} catch (error) {
  if (error instanceof ConfigError) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  } else if (!stop.signal.aborted) throw error;
}
