import { z } from 'zod';
import { plainAddress } from './platform/rules/address.ts';
import { startTlsFront } from './platform/net/tls-front.ts';
import { boundedRefusals } from './platform/rules/refused-access.ts';
import { createLog } from './platform/log.ts';

// A process of its own, for a TLS port beside Orthanc's plain one: a modality's way in depends on nothing of the sidecar's.
const SETTINGS = z.object({
  DICOM_TLS_FRONT_HOST: z.string().default('0.0.0.0'),
  DICOM_TLS_FRONT_PORT: z.coerce.number().int().min(0).max(65_535).default(2762),
  DICOM_TLS_FRONT_TARGET: z
    .string()
    .regex(/^[^:]+:\d+$/, 'must be host:port')
    .default('orthanc:4242'),
  DICOM_TLS_CERTIFICATE: z.string().min(1),
  DICOM_TLS_KEY: z.string().min(1),
  DICOM_TLS_CLIENT_CA: z.string().min(1).optional(),
});

/** An association may wait for its modality longer than for anything else. */
const IDLE_TIMEOUT_MS = 600_000;
const MAX_CONNECTIONS = 200;
/** A renewed certificate holds after that, without a restart. */
const LOOK_AT_FILES_MS = 10_000;

async function main(): Promise<number> {
  const given = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''));
  const settings = SETTINGS.safeParse(given);
  if (!settings.success) {
    const problems = settings.error.issues.map(({ path, message }) => `  ${path.join('.')}: ${message}`);
    process.stderr.write(`settings that cannot be used:\n${problems.join('\n')}\n`);
    return 1;
  }
  const log = createLog('info');
  const onRefused = boundedRefusals(
    (refused) => {
      log.warn(refused, 'not let in');
    },
    () => new Date(),
  );
  const [host = '', port = ''] = settings.data.DICOM_TLS_FRONT_TARGET.split(':');
  const stop = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, resolve);
  });
  await using front = await startTlsFront({
    host: settings.data.DICOM_TLS_FRONT_HOST,
    port: settings.data.DICOM_TLS_FRONT_PORT,
    target: { host, port: Number(port) },
    files: {
      certificate: settings.data.DICOM_TLS_CERTIFICATE,
      key: settings.data.DICOM_TLS_KEY,
      clientCa: settings.data.DICOM_TLS_CLIENT_CA,
      lookMs: LOOK_AT_FILES_MS,
    },
    maxConnections: MAX_CONNECTIONS,
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    onRefused: (from, code) => {
      onRefused({ what: 'dicom-tls', from: plainAddress(from), code });
    },
    log,
  });
  log.info({ port: front.port }, 'listening');
  await stop;
  return 0;
}

process.exitCode = await main();
