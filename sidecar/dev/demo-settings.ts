import { loadConfig, SETTING_NAMES } from '../app/config.ts';
import { BACKUP_ONLY_NAMES } from '../backup/settings.ts';
import { ConfigError, port, withSecretFiles } from '../platform/settings.ts';
import { freePort } from './child.ts';

// What leads to servers, out of this machine, or away from the plain ways that the demo's own day comes by.
const KEPT =
  /^(?:ORTHANC_|DATABASE_URL|AZURE_STORAGE_CONNECTION_STRING|TWILIO_|PUBLIC_URL|AUDIT_SYSLOG|HTTPS_|DICOM_TLS_|HL7_PLAIN|HL7_HOST|HTTP_HOST|METRICS_HOST)/;

/** Stands for the demo's own servers until they run. */
const STAND_INS: Readonly<Record<string, string>> = {
  ORTHANC_URL: 'http://127.0.0.1',
  ORTHANC_USERNAME: 'sidecar',
  ORTHANC_PASSWORD: 'none',
  DATABASE_URL: 'postgres://127.0.0.1/axis',
  AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true',
  PORTAL_URL: 'https://portal.axisimaging.example/results',
};

const PREFERRED = {
  HL7_PORT: 2575,
  HTTP_PORT: 8080,
  METRICS_PORT: null,
  DEMO_ORTHANC_HTTP_PORT: 8042,
  DEMO_ORTHANC_DICOM_PORT: 4242,
};
type PortName = keyof typeof PREFERRED;
const PORT_NAMES: readonly PortName[] = [
  'HL7_PORT',
  'HTTP_PORT',
  'METRICS_PORT',
  'DEMO_ORTHANC_HTTP_PORT',
  'DEMO_ORTHANC_DICOM_PORT',
];

export interface DemoSettings {
  /** The sidecar's settings that were given, with what secret files hold in place of their names. */
  readonly given: Readonly<Record<string, string>>;
  /** The names of variables that were given and are not used. */
  readonly ignored: readonly string[];
  /** Where something was asked for, and 0 for any port. */
  readonly ports: Readonly<Partial<Record<PortName, number>>>;
}

const isSet = (environment: NodeJS.ProcessEnv, name: string): boolean => (environment[name] ?? '') !== '';

/**
 * What of the sidecar's settings the demo takes from the environment. Never where its servers are, so that no setting of
 * a production lets it write or text there.
 * @throws ConfigError with every problem at once.
 */
export function readDemoSettings(environment: NodeJS.ProcessEnv): DemoSettings {
  const problems: string[] = [];
  const names = SETTING_NAMES.filter((name) => !KEPT.test(name));
  const given = withSecretFiles(environment, problems, names);
  const ignored = SETTING_NAMES.filter((name) => KEPT.test(name))
    .flatMap((name) => [name, `${name}_FILE`])
    .filter((name) => isSet(environment, name));
  const ports: Partial<Record<PortName, number>> = {};
  for (const name of PORT_NAMES) {
    const text = environment[name] ?? given[name] ?? '';
    if (text === '') continue;
    const { data, error } = port.safeParse(text);
    if (error === undefined) ports[name] = data;
    else if (!SETTING_NAMES.includes(name)) problems.push(...error.issues.map(({ message }) => `${name}: ${message}`));
  }
  try {
    loadConfig({ ...STAND_INS, ...given });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return { given, ignored, ports };
}

export interface DemoPorts {
  readonly hl7: number;
  readonly http: number;
  readonly metrics: number | null;
  readonly orthancHttp: number;
  readonly orthancDicom: number;
}

/**
 * Ports of 127.0.0.1: what was asked for, and elsewhere the usual one or any other that is free.
 * @throws ConfigError where something listens on a port that was asked for.
 */
export async function choosePorts(asked: DemoSettings['ports']): Promise<DemoPorts> {
  const problems: string[] = [];
  const chosen = new Map<PortName, number>();
  const isChosen = (number: number): boolean => [...chosen.values()].includes(number);
  for (const name of PORT_NAMES) {
    const number = asked[name];
    if (number === undefined) continue;
    const free = await freePort(number);
    if (number !== 0 && (free !== number || isChosen(number))) {
      problems.push(`${name}: something else listens on ${number}`);
    }
    chosen.set(name, free);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const portOf = async (name: PortName): Promise<number> => {
    let number = chosen.get(name) ?? (await freePort(PREFERRED[name] ?? 0));
    while (!chosen.has(name) && isChosen(number)) number = await freePort();
    chosen.set(name, number);
    return number;
  };
  return {
    hl7: await portOf('HL7_PORT'),
    http: await portOf('HTTP_PORT'),
    metrics: chosen.get('METRICS_PORT') ?? null,
    orthancHttp: await portOf('DEMO_ORTHANC_HTTP_PORT'),
    orthancDicom: await portOf('DEMO_ORTHANC_DICOM_PORT'),
  };
}

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/**
 * The settings as a file for a shell to read by `set -a; . FILE; set +a`. It unsets what else a shell may have of the
 * sidecar's settings, and where backups go.
 */
export function environmentFile(settings: Readonly<Record<string, string>>): string {
  const backups = BACKUP_ONLY_NAMES.filter((name) => name.startsWith('RESTIC_'));
  const names = [...SETTING_NAMES, ...backups].flatMap((name) => [name, `${name}_FILE`]);
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${quoted(value)}`);
  return ['# Only for the demo that wrote it.', `unset ${names.join(' ')}`, ...lines, ''].join('\n');
}
