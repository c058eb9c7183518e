import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseAddresses } from './adapters/addresses.ts';
import { parseApiKeys, type ApiKey } from './core/api-key.ts';
import { parseSyslogTarget } from './core/audit-syslog.ts';
import { parseFieldPlaces, parseIdTypes, parseSenders, type SenderSettings } from './core/hl7-settings.ts';
import { parseAllowedSenders, type AllowedSender } from './core/hl7-strangers.ts';
import { checkTemplate, DEFAULT_TEMPLATE, parseSmsHours } from './core/sms.ts';

export const count = (lowest: number, highest: number) => {
  const error = `must be a whole number from ${lowest} to ${highest}`;
  return z.coerce.number({ error }).int({ error }).min(lowest, { error }).max(highest, { error });
};
const port = count(0, 65_535);
const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' });

// What Twilio posts to, and signs: a path may follow, so no query.
const publicUrl = httpUrl.transform((text, context) => {
  const { search, hash, username, password } = new URL(text);
  if (`${search}${hash}${username}${password}` === '' && !/[?#]$/.test(text)) return text.replace(/\/+$/, '');
  context.addIssue({ code: 'custom', message: 'must be an http(s) URL without query, fragment or credentials' });
  return z.NEVER;
});

function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

const hl7Fields = z.string().transform((text, context) => {
  const places = parseFieldPlaces(text);
  if (places !== null) return places;
  context.addIssue({ code: 'custom', message: 'must be a list of fields such as OBR-18,IPC-1,OBR-3.1' });
  return z.NEVER;
});

const hl7IdTypes = z.string().transform((text, context) => {
  const types = parseIdTypes(text);
  if (types !== null) return types;
  context.addIssue({ code: 'custom', message: 'must be a list of identifier types such as MR,PI,PT' });
  return z.NEVER;
});

const hl7Senders = z.string().transform((text, context): readonly SenderSettings[] => {
  const { senders, problems } = parseSenders(text);
  for (const message of problems) context.addIssue({ code: 'custom', message });
  return senders;
});

const smsHours = z.string().transform((text, context) => {
  const hours = parseSmsHours(text);
  if (hours !== null) return hours;
  context.addIssue({ code: 'custom', message: 'must be two times such as 08:00-20:00' });
  return z.NEVER;
});

const apiKeys = z.string().transform((text, context): readonly ApiKey[] => {
  const { keys, problems } = parseApiKeys(text);
  for (const message of problems) context.addIssue({ code: 'custom', message });
  return keys;
});

const syslogTarget = z.string().transform((text, context) => {
  const target = parseSyslogTarget(text);
  if (target !== null) return target;
  context.addIssue({ code: 'custom', message: 'must be udp://host:port, tcp://host:port or tls://host:port' });
  return z.NEVER;
});

const pem = z.string().regex(/-----BEGIN [A-Z ]+-----/, 'must be PEM');
const addressList = z.string().transform((text, context): readonly string[] => {
  const { addresses, problems } = parseAddresses(text);
  for (const message of problems) context.addIssue({ code: 'custom', message });
  return addresses;
});

const allowedSenders = z.string().transform((text, context): readonly AllowedSender[] => {
  const { senders, problems } = parseAllowedSenders(text);
  for (const message of problems) context.addIssue({ code: 'custom', message });
  return senders;
});

const yesOrNo = z.enum(['true', 'false'], { error: 'must be true or false' }).transform((value) => value === 'true');

const smsTemplate = z.string().superRefine((template, context) => {
  const problem = checkTemplate(template);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

export const SETTINGS = z.object({
  ORTHANC_URL: httpUrl,
  ORTHANC_USERNAME: z.string().min(1),
  ORTHANC_PASSWORD: z.string().min(1),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' }),
  DATABASE_POOL_SIZE: count(4, 200).default(16),
  AZURE_STORAGE_CONNECTION_STRING: z
    .string()
    .regex(/AccountName=|UseDevelopmentStorage=true|BlobEndpoint=/, 'must be an Azure Storage connection string'),
  AZURE_STORAGE_CONTAINER: z
    .string()
    .regex(/^[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9]$/, 'must be a container name: 3 to 63 of a-z, 0-9 and -')
    .default('renderings'),
  HL7_HOST: z.string().default('0.0.0.0'),
  HL7_PORT: port.default(2575),
  HL7_MAX_FRAME_BYTES: count(1024, 1_073_741_824).default(16 * 1024 * 1024),
  HL7_MAX_CONNECTIONS: count(1, 10_000).default(500),
  HL7_IDLE_TIMEOUT_MS: count(1000, 86_400_000).default(600_000),
  HL7_ACCESSION_FIELDS: hl7Fields.prefault('OBR-18,IPC-1,OBR-3,ORC-3'),
  HL7_MODALITY_FIELDS: hl7Fields.prefault('IPC-5,OBR-24'),
  HL7_PATIENT_ID_TYPES: hl7IdTypes.prefault('MR,PI,PT'),
  HL7_SENDERS: hl7Senders.prefault(''),
  HL7_PLAIN: yesOrNo.prefault('true'),
  HL7_TLS_PORT: port.default(2576),
  HL7_TLS_CERTIFICATE: z.string().optional(),
  HL7_TLS_KEY: z.string().optional(),
  HL7_TLS_CLIENT_CA: z.string().optional(),
  HL7_ALLOWED_ADDRESSES: addressList.prefault(''),
  HL7_ALLOWED_SENDERS: allowedSenders.prefault(''),
  DICOM_TLS_CERTIFICATE: z.string().optional(),
  HTTP_HOST: z.string().default('0.0.0.0'),
  HTTP_PORT: port.default(8080),
  HTTP_MAX_CONNECTIONS: count(2, 100_000).default(500),
  HTTPS_CERTIFICATE: z.string().optional(),
  HTTPS_KEY: z.string().optional(),
  HTTPS_CLIENT_CA: z.string().optional(),
  TRUSTED_PROXIES: addressList.prefault(''),
  METRICS_HOST: z.string().default('127.0.0.1'),
  METRICS_PORT: port.optional(),
  API_KEYS: apiKeys.prefault(''),
  OPERATOR_API_KEYS: apiKeys.prefault(''),
  MAX_UPLOAD_BYTES: count(1024, 17_179_869_184).default(2 * 1024 * 1024 * 1024),
  PORTAL_URL: httpUrl,
  PUBLIC_URL: publicUrl.optional(),
  TWILIO_ACCOUNT_SID: z.string().optional(),
  TWILIO_AUTH_TOKEN: z.string().optional(),
  TWILIO_FROM: z.string().optional(),
  TWILIO_MESSAGING_SERVICE_SID: z.string().optional(),
  TWILIO_API_URL: httpUrl.optional(),
  SMS_HOURS: smsHours.prefault('08:00-20:00'),
  SMS_TEMPLATE: smsTemplate.prefault(DEFAULT_TEMPLATE),
  PRACTICE_TIME_ZONE: z
    .string()
    .refine(isTimeZone, 'must be an IANA time zone such as Australia/Melbourne')
    .default('Australia/Melbourne'),
  PHONE_REGION: z
    .string()
    .regex(/^[A-Z]{2}$/, 'must be a country code such as AU')
    .default('AU'),
  POLL_INTERVAL_MS: count(50, 60_000).default(1000),
  FEED_BATCH_SIZE: count(1, 5000).default(1000),
  FEED_MAX_LAG_SECONDS: count(1, 86_400).default(300),
  JOB_CONCURRENCY: count(1, 64).default(8),
  SWEEP_INTERVAL_MS: count(100, 604_800_000).default(3_600_000),
  SWEEP_MAX_LOSS_PERCENT: count(1, 100).default(50),
  REMOVE_BLOBS_OF_DELETED: yesOrNo.prefault('false'),
  RETAIN_HL7_DAYS: count(0, 36_500).default(0),
  RETAIN_AUDIT_DAYS: count(0, 36_500).default(0),
  RETAIN_BLOBS_DAYS: count(0, 36_500).default(0),
  RENDER_MAX_PIXELS: count(1, 1_000_000_000).default(64_000_000),
  RENDER_TIMEOUT_MS: count(100, 600_000).default(30_000),
  AUDIT_SYSLOG: syslogTarget.optional(),
  AUDIT_SYSLOG_CA: pem.optional(),
  AUDIT_SYSLOG_CERTIFICATE: pem.optional(),
  AUDIT_SYSLOG_KEY: pem.optional(),
  SHUTDOWN_TIMEOUT_MS: count(100, 300_000).default(8000),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/** The name of every setting. */
export const SETTING_NAMES: readonly string[] = Object.keys(SETTINGS.shape);

const TWILIO_PAIRS = z
  .object({
    TWILIO_ACCOUNT_SID: z.string().optional(),
    TWILIO_AUTH_TOKEN: z.string().optional(),
    TWILIO_FROM: z.string().optional(),
    TWILIO_MESSAGING_SERVICE_SID: z.string().optional(),
  })
  .superRefine((twilio, context) => {
    const set = (name: keyof typeof twilio): boolean => twilio[name] !== undefined;
    const add = (name: keyof typeof twilio, message: string): void => {
      context.addIssue({ code: 'custom', path: [name], message });
    };
    if (set('TWILIO_ACCOUNT_SID') && !set('TWILIO_AUTH_TOKEN')) add('TWILIO_AUTH_TOKEN', 'is needed too');
    if (set('TWILIO_AUTH_TOKEN') && !set('TWILIO_ACCOUNT_SID')) add('TWILIO_ACCOUNT_SID', 'is needed too');
    const sender = set('TWILIO_FROM') || set('TWILIO_MESSAGING_SERVICE_SID');
    if (set('TWILIO_ACCOUNT_SID') && !sender) add('TWILIO_FROM', 'or TWILIO_MESSAGING_SERVICE_SID is needed too');
  });

const TLS_FILES = z
  .object({
    HL7_PLAIN: z.string().optional(),
    HL7_TLS_CERTIFICATE: z.string().optional(),
    HL7_TLS_KEY: z.string().optional(),
    HL7_TLS_CLIENT_CA: z.string().optional(),
    HTTPS_CERTIFICATE: z.string().optional(),
    HTTPS_KEY: z.string().optional(),
    HTTPS_CLIENT_CA: z.string().optional(),
  })
  .superRefine((tls, context) => {
    const needs = (name: keyof typeof tls, other: keyof typeof tls): void => {
      if (tls[name] === undefined || tls[other] !== undefined) return;
      context.addIssue({ code: 'custom', path: [other], message: `is needed too: ${name} is set` });
    };
    needs('HL7_TLS_CERTIFICATE', 'HL7_TLS_KEY');
    needs('HL7_TLS_KEY', 'HL7_TLS_CERTIFICATE');
    needs('HL7_TLS_CLIENT_CA', 'HL7_TLS_CERTIFICATE');
    needs('HTTPS_CERTIFICATE', 'HTTPS_KEY');
    needs('HTTPS_KEY', 'HTTPS_CERTIFICATE');
    needs('HTTPS_CLIENT_CA', 'HTTPS_CERTIFICATE');
    if (tls.HL7_PLAIN === 'false' && tls.HL7_TLS_CERTIFICATE === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['HL7_PLAIN'],
        message: 'false leaves no HL7 port without HL7_TLS_CERTIFICATE',
      });
    }
  });

export type Config = z.output<typeof SETTINGS>;

/** The settings that name a certificate, and its file; or that are one, in PEM. */
export function certificateSettings(settings: Readonly<Record<string, unknown>>): { setting: string; file: string }[] {
  return Object.entries(settings).flatMap(([setting, file]) =>
    setting.endsWith('_CERTIFICATE') && typeof file === 'string' ? [{ setting, file }] : [],
  );
}

/** What is wrong with the settings, a line each, without the values of any. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`settings that cannot be used:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** The settings of these names that `environment` has, some from the files that `NAME_FILE` names; adds to `problems`. */
export function withSecretFiles(
  environment: NodeJS.ProcessEnv,
  problems: string[],
  names: readonly string[],
): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const name of names) {
    const [value, file] = [environment[name], environment[`${name}_FILE`]];
    if (value !== undefined && value !== '') settings[name] = value;
    if (file === undefined || file === '') continue;
    if (settings[name] !== undefined) problems.push(`${name}: is set, and ${name}_FILE too`);
    try {
      settings[name] = readFileSync(file, 'utf8').trim();
    } catch {
      problems.push(`${name}_FILE: cannot be read`);
    }
  }
  return settings;
}

/**
 * The settings of `environment`, typed. An empty variable counts as not set; any setting may come from the file that
 * `NAME_FILE` names (Docker secrets).
 * @throws ConfigError with every problem at once.
 */
export function loadConfig(environment: NodeJS.ProcessEnv): Config {
  const problems: string[] = [];
  const settings = withSecretFiles(environment, problems, SETTING_NAMES);
  const result = SETTINGS.safeParse(settings);
  for (const { path, message } of result.error?.issues ?? []) {
    const name = path.join('.');
    problems.push(`${name}: ${settings[name] === undefined ? 'is not set' : message}`);
  }
  const together = [TWILIO_PAIRS, TLS_FILES].flatMap((pairs) => pairs.safeParse(settings).error?.issues ?? []);
  for (const { path, message } of together) {
    problems.push(`${path.join('.')}: ${message}`);
  }
  const { AUDIT_SYSLOG, AUDIT_SYSLOG_CA, AUDIT_SYSLOG_CERTIFICATE, AUDIT_SYSLOG_KEY } = result.data ?? {};
  if ((AUDIT_SYSLOG_CERTIFICATE === undefined) !== (AUDIT_SYSLOG_KEY === undefined)) {
    problems.push('AUDIT_SYSLOG_CERTIFICATE: goes with AUDIT_SYSLOG_KEY');
  }
  if (AUDIT_SYSLOG?.protocol !== 'tls' && (AUDIT_SYSLOG_CA ?? AUDIT_SYSLOG_CERTIFICATE) !== undefined) {
    problems.push('AUDIT_SYSLOG: must be tls://… where there are certificates for it');
  }
  const uploaders = new Set(result.data?.API_KEYS.map(({ sha256 }) => sha256));
  if (result.data?.OPERATOR_API_KEYS.some(({ sha256 }) => uploaders.has(sha256)) === true) {
    problems.push('OPERATOR_API_KEYS: has a key that is among API_KEYS too');
  }
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  return result.data;
}
