import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../app/config.ts';
import type { Sidecar } from '../app/sidecar.ts';
import { environmentFile } from './demo-settings.ts';
import type { Stack } from './stack.ts';

/** A file that only its owner reads, with settings for a shell. It goes with this. */
export async function writeEnvironmentFile(
  settings: Readonly<Record<string, string>>,
): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'axis-portal-demo-'));
  const path = join(folder, 'env');
  await writeFile(path, environmentFile(settings), { mode: 0o600 });
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** Says which variables were not used, where there are any. */
export function ignoredLines(ignored: readonly string[]): string[] {
  if (ignored.length === 0) return [];
  return [`not used, since the demo has servers of its own: ${ignored.join(', ')}`];
}

export interface DemoPlaces {
  readonly stack: Pick<Stack, 'orthanc' | 'sandbox'>;
  readonly sidecar: Pick<Sidecar, 'hl7Port' | 'httpPort' | 'metricsPort'>;
  readonly viewer: { readonly name: string; readonly password: string };
  readonly deviceKey: string;
  readonly operatorKey: string;
  readonly config: Pick<Config, 'DATABASE_URL' | 'TWILIO_ACCOUNT_SID'>;
  readonly logFile: string;
  readonly environmentFile: string;
}

/** Where everything is and how to get in, as lines. */
export function placesText(places: DemoPlaces): string[] {
  const { stack, sidecar, viewer, deviceKey, operatorKey, config, logFile } = places;
  const { orthanc, sandbox } = stack;
  const http = `http://127.0.0.1:${sidecar.httpPort}`;
  const texts = `${sandbox.url}/2010-04-01/Accounts/${config.TWILIO_ACCOUNT_SID ?? ''}/Messages.json`;
  return [
    '',
    ...(orthanc.apart
      ? []
      : [
          '  This machine gives Orthanc no network of its own: it listens on all interfaces, and refuses others than 127.0.0.1.',
        ]),
    `  Orthanc Explorer  ${orthanc.url}/app/explorer.html  (${viewer.name} / ${viewer.password}, looks only)`,
    `  DICOM             127.0.0.1:${orthanc.dicomPort}, AE title ${orthanc.aeTitle}`,
    `  HL7 over MLLP     127.0.0.1:${sidecar.hl7Port}`,
    `  upload            ${http}/api/modality/dicom  (key ${deviceKey})`,
    `  operators         ${http}/api/operator/work  (key ${operatorKey})`,
    `  health            ${http}/readyz`,
    ...(sidecar.metricsPort === null ? [] : [`  metrics           http://127.0.0.1:${sidecar.metricsPort}/metrics`]),
    `  texts             ${texts}`,
    `  database          ${config.DATABASE_URL}`,
    `  log               ${logFile}`,
    '',
    '  npx axis list, show UID or doctor in another shell, in the clone, after this line:',
    '',
    `  set -a; . ${places.environmentFile}; set +a`,
    '',
  ];
}
