import type { Knex } from 'knex';
import { z } from 'zod';
import { REVIEW_REASONS } from '../../linking/rules/match.ts';
import { isGauge, type GaugeName, type Sample } from '../rules/gauges.ts';
import { query } from '../../platform/postgres/query.ts';

/** Whatever the database is busy with, counting ends after this. */
const LIMIT = "SET LOCAL statement_timeout = '4s'; SET LOCAL lock_timeout = '1s'; SET TRANSACTION READ ONLY";

const AGE = (since: string): string => `CAST(extract(epoch FROM now() - ${since}) AS float8)`;
const EPOCH = (at: string): string => `CAST(extract(epoch FROM ${at}) AS float8)`;

const WITHOUT_ORDER = "(state = 'held' AND reason = 'no-order' AND created_at <= now() - interval '1 hour')";

// One pass over each table; what waits is found by the partial indexes of sql/.
export const READ_GAUGES = `
SELECT 'axis_studies' AS gauge, status AS label, CAST(count(*) AS float8) AS value FROM dicom_studies
WHERE status IS NOT NULL GROUP BY status
UNION ALL
SELECT 'axis_review_oldest_age_seconds', NULL, coalesce(max(${AGE('first_seen_at')}), 0) FROM dicom_studies
WHERE status = 'review'
UNION ALL
SELECT 'axis_reports_withheld', NULL, count(*) FROM reports WHERE withheld IS NOT NULL
UNION ALL
SELECT 'axis_mirror_images', 'pending', count(*) FROM images WHERE mirror_status = 'pending'
UNION ALL
SELECT 'axis_mirror_images', 'failed', count(*) FROM images WHERE mirror_status = 'failed'
UNION ALL
SELECT 'axis_mirror_oldest_pending_age_seconds', NULL, coalesce((
  SELECT ${AGE('created_at')} FROM images WHERE mirror_status = 'pending' ORDER BY id LIMIT 1), 0)
UNION ALL
SELECT 'axis_jobs', state, count(j.state) FROM (VALUES ('waiting'), ('running'), ('given-up')) AS s (state)
LEFT JOIN (
  SELECT CASE WHEN locked_at IS NOT NULL THEN 'running' WHEN attempts < max_attempts THEN 'waiting' ELSE 'given-up' END AS state
  FROM graphile_worker.jobs) AS j USING (state)
GROUP BY state
UNION ALL
SELECT 'axis_jobs_oldest_due_age_seconds', task, coalesce(max(${AGE('j.run_at')}), 0)
FROM (SELECT identifier AS task FROM graphile_worker._private_tasks) AS t
LEFT JOIN graphile_worker.jobs j
  ON j.task_identifier = t.task AND j.locked_at IS NULL AND j.attempts < j.max_attempts AND j.run_at <= now()
GROUP BY task
UNION ALL
SELECT 'axis_sms_messages', state, count(m.state)
FROM (VALUES ('held'), ('queued'), ('sending'), ('sent'), ('failed')) AS s (state) LEFT JOIN sms_messages m USING (state)
GROUP BY state
UNION ALL
SELECT 'axis_sms_oldest_unsettled_age_seconds', NULL, coalesce(max(${AGE('sending_since')}), 0) FROM sms_messages
WHERE state = 'sending'
UNION ALL
SELECT 'axis_sms_oldest_queued_age_seconds', NULL, greatest(max(${AGE('greatest(updated_at, not_before)')}), 0)
FROM sms_messages WHERE state = 'queued'
UNION ALL
SELECT 'axis_sms_without_order', NULL, count(*) FROM sms_messages WHERE ${WITHOUT_ORDER}
UNION ALL
SELECT 'axis_sms_without_order_share', NULL, coalesce(avg(CAST(${WITHOUT_ORDER} AS integer)), 0) FROM sms_messages
WHERE created_at BETWEEN now() - interval '25 hours' AND now() - interval '1 hour'
UNION ALL
SELECT 'axis_hl7_last_message_timestamp_seconds', NULL, ${EPOCH('max(received_at)')} FROM hl7_messages
UNION ALL
SELECT 'axis_failures', part, count(f.part) FROM (VALUES ('feed'), ('sweep')) AS p (part)
FULL JOIN failures f USING (part) GROUP BY part
UNION ALL
SELECT 'axis_feed_lag_seconds', NULL, ${AGE('read_at')} FROM feed_cursor`;

/** Of what senders write at most so many values become labels, those with the most reviews; the others are `other`. */
const MOST_CALLING = 20;
const AE_TITLE = '^[A-Za-z0-9_. -]{1,16}$';

// A study that several programs sent counts under the first of them; `unknown`: nobody knows who sent it.
export const READ_REVIEWS = `
WITH reviews AS MATERIALIZED (
  SELECT CASE WHEN d.reason = ANY (CAST(:reasons AS text[])) THEN d.reason ELSE 'other' END AS cause, coalesce((
    SELECT min(title) FROM dicom_study_tags t CROSS JOIN LATERAL unnest(t.calling_ae_titles) AS title
    WHERE t.dicom_study_id = d.id AND title ~ '${AE_TITLE}'), 'unknown') AS calling
  FROM dicom_studies d WHERE d.status = 'review'
), most AS (
  SELECT calling FROM reviews GROUP BY calling ORDER BY count(*) DESC, calling LIMIT ${MOST_CALLING}
)
SELECT 'axis_reviews' AS gauge, r.cause AS label, coalesce(m.calling, 'other') AS label2, CAST(count(*) AS float8) AS value
FROM reviews r LEFT JOIN most m USING (calling) GROUP BY 2, 3`;

/** Tables that a database may not have (yet), and what is read of them. */
export const READ_OPTIONAL_GAUGES: Readonly<Record<string, string>> = {
  sms_receipts: `
SELECT 'axis_sms_undelivered_last_day' AS gauge, NULL AS label, CAST(count(*) AS float8) AS value FROM sms_receipts
WHERE status IN ('canceled', 'undelivered', 'failed') AND received_at > now() - interval '1 day'`,
  backups: `
SELECT 'axis_backup_last_success_timestamp_seconds' AS gauge, NULL AS label, ${EPOCH('max(finished_at)')} AS value
FROM backups`,
};

const PRESENT = `
SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE to_regclass(name) IS NOT NULL`;

const ROW = z.object({
  gauge: z.custom<GaugeName>(isGauge),
  label: z.string().nullable(),
  value: z.number().nullable(),
});
const REVIEWS_ROW = ROW.extend({ label2: z.string() });

/** What the database's gauges are now, in one read-only transaction with a limit; one without a value is left out. */
export async function readGauges(db: Knex): Promise<Sample[]> {
  const rows = await db.transaction(async (trx) => {
    await trx.raw(LIMIT);
    const present = await query(
      trx,
      PRESENT,
      { names: Object.keys(READ_OPTIONAL_GAUGES) },
      z.object({ name: z.string() }),
    );
    const optional = present.map(({ name }) => READ_OPTIONAL_GAUGES[name] ?? '');
    const reviews = await query(trx, READ_REVIEWS, { reasons: `{${REVIEW_REASONS.join(',')}}` }, REVIEWS_ROW);
    return [...(await query(trx, [READ_GAUGES, ...optional].join('\nUNION ALL\n'), {}, ROW)), ...reviews];
  });
  return rows.flatMap(({ value, label, ...row }) =>
    value === null ? [] : [{ ...row, value, ...(label !== null && { label }) }],
  );
}
