import { readFileSync } from 'node:fs';
import type { Knex } from 'knex';
import { z } from 'zod';
import { certificateEnd } from '../platform/net/certificates.ts';
import { startMetricsHttp, type MetricsServer } from './io/http-metrics.ts';
import { createMetrics, type Metrics, type Source } from './io/metrics.ts';
import type { Orthanc } from '../images/io/orthanc.ts';
import { readCursor } from '../images/io/feed-rows.ts';
import { readGauges } from './io/gauge-rows.ts';
import { certificateSettings } from '../platform/settings.ts';
import type { MonitoringSettings } from './settings.ts';
import { within } from '../platform/time-limit.ts';
import type { Sample } from './rules/gauges.ts';
import type { Log } from '../platform/log.ts';
import type { PartReadiness } from './readiness.ts';

/** Asked more often than that, the answer is the same: nobody can load the database by scraping. */
const KEPT_MS = 3_000;
/** A scrape's own limit is 10 s by default. */
const LIMIT_MS = 6_000;

/** The project's version, as package.json has it. */
export function projectVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

export const metricsOf = (config: Pick<MonitoringSettings, 'METRICS_PORT'>): Metrics =>
  createMetrics({ version: projectVersion(), withProcess: config.METRICS_PORT !== undefined });

/** Counts and logs each HL7 test message. */
export const tellTests =
  (metrics: Metrics, log: Log) =>
  (test: object): void => {
    metrics.hl7Test();
    log.warn(test, 'HL7 test message (MSH-11 T) kept, without effect');
  };

export interface WatchParts {
  /** All settings: those that name certificates are watched. */
  readonly config: MonitoringSettings & { readonly PRACTICE_TIME_ZONE: string };
  readonly db: Knex;
  readonly orthanc: Orthanc;
  readonly metrics: Metrics;
  readonly readiness: () => Promise<readonly PartReadiness[]>;
  readonly now: () => Date;
}

/** Changes behind the cursor, counted by their Seqs; those that are no new instance alone are none. */
async function feedLag(db: Knex, orthanc: Orthanc): Promise<number> {
  const since = (await readCursor(db))?.seq ?? 0;
  const { changes } = await orthanc.changes(since, 1);
  return changes.length === 0 ? 0 : Math.max(1, (await orthanc.lastSeq()) - since);
}

/** Prometheus knows UTC only. */
function practiceTime(timeZone: string, now: Date): Sample[] {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: 'numeric',
    minute: 'numeric',
    hourCycle: 'h23',
  }).formatToParts(now);
  const part = (type: string): string => parts.find((one) => one.type === type)?.value ?? '';
  const weekday = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].indexOf(part('weekday')) + 1;
  return [
    { gauge: 'axis_practice_hour', value: Number(part('hour')) + Number(part('minute')) / 60 },
    { gauge: 'axis_practice_weekday', value: weekday },
  ];
}

function sources({ config, db, orthanc, readiness, now }: WatchParts): Source[] {
  const certificates = certificateSettings({ ...config });
  return [
    {
      name: 'parts',
      gauges: ['axis_part_ready'],
      collect: async () =>
        (await readiness()).map(({ name, ok }): Sample => ({
          gauge: 'axis_part_ready',
          label: name,
          value: ok ? 1 : 0,
        })),
    },
    {
      name: 'clock',
      gauges: ['axis_practice_hour', 'axis_practice_weekday'],
      collect: () => Promise.resolve(practiceTime(config.PRACTICE_TIME_ZONE, now())),
    },
    {
      name: 'feed',
      gauges: ['axis_feed_lag_changes'],
      collect: async () => [{ gauge: 'axis_feed_lag_changes', value: await feedLag(db, orthanc) }],
    },
    {
      name: 'database',
      gauges: [
        'axis_feed_lag_seconds',
        'axis_studies',
        'axis_reviews',
        'axis_review_oldest_age_seconds',
        'axis_reports_withheld',
        'axis_mirror_images',
        'axis_mirror_oldest_pending_age_seconds',
        'axis_jobs',
        'axis_jobs_oldest_due_age_seconds',
        'axis_sms_messages',
        'axis_sms_oldest_unsettled_age_seconds',
        'axis_sms_oldest_queued_age_seconds',
        'axis_sms_undelivered_last_day',
        'axis_hl7_last_message_timestamp_seconds',
        'axis_failures',
        'axis_backup_last_success_timestamp_seconds',
      ],
      collect: () => readGauges(db),
    },
    {
      name: 'certificates',
      gauges: ['axis_certificate_expiry_timestamp_seconds'],
      collect: () =>
        Promise.all(
          certificates.map(({ setting, file }): Promise<Sample | null> =>
            certificateEnd(file).then(
              (end) => ({
                gauge: 'axis_certificate_expiry_timestamp_seconds',
                label: setting,
                value: end.getTime() / 1000,
              }),
              () => null,
            ),
          ),
        ),
    },
  ];
}

/** The listener of `METRICS_PORT`; nothing, and no port, where that is not set. */
export async function startWatching(parts: WatchParts): Promise<MetricsServer | (AsyncDisposable & { port: null })> {
  const { config, metrics, now } = parts;
  if (config.METRICS_PORT === undefined) return { port: null, [Symbol.asyncDispose]: () => Promise.resolve() };
  const all = sources(parts).map((source) => ({ ...source, collect: () => within(source.collect(), LIMIT_MS) }));
  let kept: { readonly until: number; readonly text: Promise<string> } | undefined;
  const text = (): Promise<string> => {
    const at = now().getTime();
    if (kept === undefined || at >= kept.until) kept = { until: at + KEPT_MS, text: metrics.text(all) };
    return kept.text;
  };
  return startMetricsHttp({
    host: config.METRICS_HOST,
    port: config.METRICS_PORT,
    contentType: metrics.contentType,
    text,
  });
}
