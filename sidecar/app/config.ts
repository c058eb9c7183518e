import { z } from 'zod';
import { ACCESS_SETTINGS } from '../access/settings.ts';
import { AUDIT_SETTINGS } from '../audit/settings.ts';
import { RETENTION_SETTINGS } from '../backup/settings.ts';
import { HL7_SETTINGS } from '../hl7/settings.ts';
import { IMAGES_SETTINGS } from '../images/settings.ts';
import { LINKING_SETTINGS } from '../linking/settings.ts';
import { MONITORING_SETTINGS } from '../monitoring/settings.ts';
import { ConfigError, count, PLATFORM_SETTINGS, readSettings } from '../platform/settings.ts';
import { RELEASE_SETTINGS } from '../release/settings.ts';
import { RIS_SETTINGS } from '../ris/settings.ts';
import { TEXTS_SETTINGS } from '../texts/settings.ts';

const SETTINGS = z.object({
  ...PLATFORM_SETTINGS.shape,
  ...AUDIT_SETTINGS.shape,
  ...ACCESS_SETTINGS.shape,
  ...HL7_SETTINGS.shape,
  ...RIS_SETTINGS.shape,
  ...RELEASE_SETTINGS.shape,
  ...TEXTS_SETTINGS.shape,
  ...IMAGES_SETTINGS.shape,
  ...LINKING_SETTINGS.shape,
  ...RETENTION_SETTINGS.shape,
  ...MONITORING_SETTINGS.shape,
  JOB_CONCURRENCY: count(1, 64).default(8),
  SHUTDOWN_TIMEOUT_MS: count(100, 300_000).default(8000),
});

/** What acts and reading need: no server except the database's. */
const OPERATIONS_SETTINGS = z.object({
  ...PLATFORM_SETTINGS.shape,
  ...RIS_SETTINGS.shape,
  ...LINKING_SETTINGS.shape,
  ...RELEASE_SETTINGS.shape,
  HL7_ACCESSION_FIELDS: HL7_SETTINGS.shape.HL7_ACCESSION_FIELDS,
  HL7_MODALITY_FIELDS: HL7_SETTINGS.shape.HL7_MODALITY_FIELDS,
  HL7_PATIENT_ID_FIELDS: HL7_SETTINGS.shape.HL7_PATIENT_ID_FIELDS,
  HL7_PATIENT_ID_TYPES: HL7_SETTINGS.shape.HL7_PATIENT_ID_TYPES,
  HL7_SENDERS: HL7_SETTINGS.shape.HL7_SENDERS,
  PORTAL_URL: TEXTS_SETTINGS.shape.PORTAL_URL.optional(),
  SMS_TEMPLATE: TEXTS_SETTINGS.shape.SMS_TEMPLATE,
  TEXT_WITHOUT_ORDER: TEXTS_SETTINGS.shape.TEXT_WITHOUT_ORDER,
  PRACTICE_NAME: TEXTS_SETTINGS.shape.PRACTICE_NAME,
  REMOVE_BLOBS_OF_DELETED: IMAGES_SETTINGS.shape.REMOVE_BLOBS_OF_DELETED,
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
export type OperationsConfig = z.output<typeof OPERATIONS_SETTINGS>;

/** What of the settings acts need. @throws ConfigError with every problem at once. */
export function loadOperationsConfig(environment: NodeJS.ProcessEnv): OperationsConfig {
  const { data, problems } = readSettings(OPERATIONS_SETTINGS, environment);
  if (data === undefined || problems.length > 0) throw new ConfigError(problems);
  return data;
}

/**
 * The settings of `environment`, typed.
 * @throws ConfigError with every problem at once.
 */
export function loadConfig(environment: NodeJS.ProcessEnv): Config {
  const { data, problems, given } = readSettings(SETTINGS, environment);
  const together = [TWILIO_PAIRS, TLS_FILES].flatMap((pairs) => pairs.safeParse(given).error?.issues ?? []);
  for (const { path, message } of together) {
    problems.push(`${path.join('.')}: ${message}`);
  }
  const { AUDIT_SYSLOG, AUDIT_SYSLOG_CA, AUDIT_SYSLOG_CERTIFICATE, AUDIT_SYSLOG_KEY } = data ?? {};
  if ((AUDIT_SYSLOG_CERTIFICATE === undefined) !== (AUDIT_SYSLOG_KEY === undefined)) {
    problems.push('AUDIT_SYSLOG_CERTIFICATE: goes with AUDIT_SYSLOG_KEY');
  }
  if (AUDIT_SYSLOG?.protocol !== 'tls' && (AUDIT_SYSLOG_CA ?? AUDIT_SYSLOG_CERTIFICATE) !== undefined) {
    problems.push('AUDIT_SYSLOG: must be tls://… where there are certificates for it');
  }
  if (data?.SMS_TEMPLATE.includes('{practice}') === true && data.PRACTICE_NAME === undefined) {
    problems.push('PRACTICE_NAME: is needed too: SMS_TEMPLATE has {practice}');
  }
  const uploaders = new Set(data?.API_KEYS.map(({ sha256 }) => sha256));
  if (data?.OPERATOR_API_KEYS.some(({ sha256 }) => uploaders.has(sha256)) === true) {
    problems.push('OPERATOR_API_KEYS: has a key that is among API_KEYS too');
  }
  if (data === undefined || problems.length > 0) throw new ConfigError(problems);
  return data;
}
