import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { newApiKey } from '../access/io/api-keys.ts';
import { loadConfig } from '../app/config.ts';
import { startSidecar } from '../app/sidecar.ts';
import { freePort } from './child.ts';
import { ACCESSION_NUMBERS, playDay } from './demo-day.ts';
import { blobLink, isComplete, readTrail, trailTable } from './demo-trail.ts';
import { startStack } from './stack.ts';

const TRAIL_LIMIT_MS = 60_000;

const say = (line = ''): void => void process.stdout.write(`${line}\n`);

/** The day it is in the practice, `YYYYMMDD`. */
const practiceDay = (now: Date, timeZone: string): string =>
  new Intl.DateTimeFormat('en-CA', { timeZone }).format(now).replaceAll('-', '');

/** Plays the day and waits for its end. Gives what is missing from the trail, nothing when all is there. */
async function demo(once: boolean, stopped: AbortSignal): Promise<string[]> {
  say('starting Orthanc, PostgreSQL, Azurite, an SMS sandbox and the sidecar …');
  const [orthancHttp, orthancDicom] = [await freePort(8042), await freePort(4242)];
  await using stack = await startStack({ orthancHttp, orthancDicom });
  const { key, entry } = newApiKey('demo-device', randomBytes(32));
  const httpPort = await freePort(8080);
  const config = loadConfig({
    ...stack.environment,
    HL7_PORT: String(await freePort(2575)),
    HTTP_PORT: String(httpPort),
    PUBLIC_URL: `http://127.0.0.1:${httpPort}`,
    API_KEYS: entry,
  });
  const logFile = join(tmpdir(), `axis-portal-demo-${process.pid}.log`);
  const log = pino({ level: config.LOG_LEVEL, base: null }, createWriteStream(logFile));
  await using sidecar = await startSidecar(config, { log });
  const orthanc = stack.orthanc;
  say();
  say(`  Orthanc Explorer  ${orthanc.url}/app/explorer.html  (${orthanc.username} / ${orthanc.password})`);
  say(`  DICOM             127.0.0.1:${orthanc.dicomPort}, AE title ${orthanc.aeTitle}`);
  say(`  HL7 over MLLP     127.0.0.1:${sidecar.hl7Port}`);
  say(`  upload            http://127.0.0.1:${sidecar.httpPort}/api/modality/dicom  (key ${key})`);
  say(`  health            http://127.0.0.1:${sidecar.httpPort}/readyz`);
  say(`  database          ${config.DATABASE_URL}`);
  say(`  log               ${logFile}`);
  say();
  await playDay({
    hl7Port: sidecar.hl7Port,
    httpPort: sidecar.httpPort,
    dicomPort: orthanc.dicomPort,
    apiKey: key,
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
  const missing = await demo(process.argv.includes('--once'), stop.signal);
  process.exitCode = missing.length === 0 ? 0 : 1;
} catch (error) {
  if (!stop.signal.aborted) throw error;
}
