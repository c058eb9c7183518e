import { z } from 'zod';
import { IMAGES_SETTINGS } from '../images/settings.ts';
import { ConfigError, count, PLATFORM_SETTINGS, readSettings } from '../platform/settings.ts';
import type { RetentionSetting } from './rules/retained.ts';

const days = count(0, 36_500).default(0);
const ofEachKind: Readonly<Record<RetentionSetting, typeof days>> = {
  RETAIN_HL7_DAYS: days,
  RETAIN_AUDIT_DAYS: days,
  RETAIN_BLOBS_DAYS: days,
};

/** For how many days what is kept; 0: for ever. */
export const RETENTION_SETTINGS = z.object(ofEachKind);

/** Of the sidecar's settings those that backups read too. */
const SHARED_SETTINGS = z.object({
  ...PLATFORM_SETTINGS.pick({ DATABASE_URL: true, PRACTICE_TIME_ZONE: true, LOG_LEVEL: true }).shape,
  ...IMAGES_SETTINGS.pick({
    ORTHANC_URL: true,
    ORTHANC_USERNAME: true,
    ORTHANC_PASSWORD: true,
    AZURE_STORAGE_CONNECTION_STRING: true,
    AZURE_STORAGE_CONTAINER: true,
  }).partial({ AZURE_STORAGE_CONNECTION_STRING: true }).shape,
});

const OWN_SETTINGS = z.object({
  RESTIC_REPOSITORY: z.string().min(1),
  RESTIC_PASSWORD: z.string().min(8, 'must have 8 characters or more'),
  AWS_ACCESS_KEY_ID: z.string().optional(),
  AWS_SECRET_ACCESS_KEY: z.string().optional(),
  AWS_DEFAULT_REGION: z.string().optional(),
  AZURE_ACCOUNT_NAME: z.string().optional(),
  AZURE_ACCOUNT_KEY: z.string().optional(),
  BACKUP_STORAGE: z.string().startsWith('/', 'must be an absolute path').default('/var/lib/orthanc/db'),
  BACKUP_WORK: z.string().startsWith('/', 'must be an absolute path').default('/var/lib/axis-backup'),
  BACKUP_AT: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time such as 02:00')
    .default('02:00'),
  BACKUP_EVERY_HOURS: count(1, 168).default(24),
  BACKUP_KEEP_DAILY: count(1, 3660).default(14),
  BACKUP_KEEP_WEEKLY: count(0, 520).default(8),
  BACKUP_KEEP_MONTHLY: count(0, 1200).default(24),
  BACKUP_CHECK_PARTS: count(1, 365).default(30),
  BACKUP_TIME_LIMIT_HOURS: count(1, 168).default(12),
});

const BACKUP_SETTINGS = z.object({ ...SHARED_SETTINGS.shape, ...OWN_SETTINGS.shape });

/** The name of every setting that backups read, and of those that only they do. */
export const BACKUP_SETTING_NAMES: readonly string[] = Object.keys(BACKUP_SETTINGS.shape);
export const BACKUP_ONLY_NAMES: readonly string[] = Object.keys(OWN_SETTINGS.shape);

export type BackupConfig = z.output<typeof BACKUP_SETTINGS>;

/**
 * The settings of backups, typed, as `loadConfig` reads the sidecar's.
 * @throws ConfigError with every problem at once.
 */
export function loadBackupConfig(environment: NodeJS.ProcessEnv): BackupConfig {
  const { data, problems } = readSettings(BACKUP_SETTINGS, environment);
  if (data === undefined || problems.length > 0) throw new ConfigError(problems);
  return data;
}
