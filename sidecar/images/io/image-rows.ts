import type { Knex } from 'knex';
import { z } from 'zod';
import { gather } from '../../platform/rules/gather.ts';
import { MOST_BEGUN } from '../rules/rendering.ts';
import { BLOB_FLAG, execute, ID_ROW, query, ADD_JOBS } from '../../platform/postgres/query.ts';
import { MIRROR_IMAGE } from '../rules/job-names.ts';

// In one statement, so that in the common case a rendering costs no more than to read its row.
// Served by index images_pkey.
export const BEGIN = `
WITH image AS (
  SELECT * FROM images WHERE id = ANY (CAST(:imageIds AS bigint[])) AND mirror_status = 'pending' ORDER BY id FOR UPDATE
), counted AS (
  UPDATE images i SET render_begun = i.render_begun + 1 FROM image
  WHERE i.id = image.id AND (image.render_begun = 0 OR (:alone AND image.render_begun < :most))
)
SELECT id, orthanc_id AS "orthancId", sop_class_uid AS "sopClassUid", transfer_syntax_uid AS "transferSyntaxUid",
       number_of_frames AS "numberOfFrames", render_begun AS "begunBefore", coalesce(file_uuid, '') AS "fileUuid"
FROM image`;

/** An attempt waits e^n seconds (at most some six hours) after the n-th: 16 attempts are a bit over two days. */
const MIRROR_ATTEMPTS = 16;

/** So many images are one job: each ends for itself, but what the queue costs they share. */
const IMAGES_A_JOB = 4;

/** What {@link addJobs} wants, to mirror the images whose ids a part of the statement, `images`, gives. */
export function mirrorJobs(images: string): string {
  return `
  SELECT array_agg(ROW('${MIRROR_IMAGE}', payload, NULL, NULL, ${MIRROR_ATTEMPTS}, NULL, 0,
                       ARRAY['${BLOB_FLAG}'])::graphile_worker.job_spec ORDER BY job) AS specs
  FROM (
    SELECT job, json_agg(json_build_object('imageId', CAST(id AS text)) ORDER BY id) AS payload
    FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1) / ${IMAGES_A_JOB} AS job FROM ${images}) numbered
    GROUP BY job
  ) together`;
}

// Which images a job is for only its payload tells, which the queue's view does not show.
export const REQUEUE_IMAGES = `
WITH waiting AS MATERIALIZED (
  SELECT CAST(image ->> 'imageId' AS bigint) AS id
  FROM graphile_worker._private_jobs j
  JOIN graphile_worker._private_tasks t ON t.id = j.task_id AND t.identifier = '${MIRROR_IMAGE}'
  CROSS JOIN LATERAL json_array_elements(CASE json_typeof(j.payload) WHEN 'array' THEN j.payload END) image
  WHERE j.attempts < j.max_attempts OR j.locked_at IS NOT NULL
), again AS (
  SELECT id FROM images WHERE mirror_status = 'pending' AND NOT EXISTS (SELECT 1 FROM waiting WHERE waiting.id = images.id)
), jobs AS MATERIALIZED (${mirrorJobs('again')})
${ADD_JOBS}`;

// Served by index images_pkey.
export const ENDED_ONE = 'UPDATE images SET render_begun = greatest(render_begun - 1, 0) WHERE id = :imageId';
const ENDED_ALL = 'UPDATE images SET render_begun = 0 WHERE id = :imageId';

// Served by index images_pkey.
export const MARK_MIRRORED = `
UPDATE images i SET mirror_status = 'mirrored', mirror_reason = NULL, image_url = m.image_url,
                    thumbnail_url = m.thumbnail_url, mirrored_at = m.mirrored_at, render_begun = 0
FROM unnest(CAST(:imageIds AS bigint[]), CAST(:imageUrls AS text[]), CAST(:thumbnailUrls AS text[]), CAST(:times AS timestamptz[]),
            CAST(:fileUuids AS text[])) AS m (id, image_url, thumbnail_url, mirrored_at, file_uuid)
WHERE i.id = m.id AND coalesce(i.file_uuid, '') = m.file_uuid
RETURNING i.id`;

export const MARK_UNRENDERABLE = `
UPDATE images SET mirror_status = :status, mirror_reason = :reason, render_begun = 0
WHERE id = :imageId AND mirror_status <> 'mirrored'
  AND (CAST(:fileUuid AS text) IS NULL OR coalesce(file_uuid, '') = :fileUuid)`;

const IMAGE_ROW = z.object({
  id: z.string(),
  orthancId: z.string(),
  sopClassUid: z.string(),
  transferSyntaxUid: z.string(),
  numberOfFrames: z.number(),
  begunBefore: z.number(),
  fileUuid: z.string(),
});

interface Mirrored {
  readonly id: string;
  readonly fileUuid: string;
  readonly imageUrl: string;
  readonly thumbnailUrl: string;
  readonly now: Date;
}

/** An image waits so long for others that are mirrored meanwhile. */
const MARKED_TOGETHER_MS = 10;
const TOGETHER = {
  most: 100,
  mostWeight: 100,
  weigh: () => 1,
  mostTakes: 1,
  patience: (take: Promise<unknown>) => take.catch(() => undefined),
};

/**
 * What mirroring reads and writes of images; each call is a statement of its own, but those that begin together, and those
 * that are mirrored within moments, share one, which works or fails for all of them.
 */
export function imageStatements(db: Knex) {
  const begin = async (imageIds: readonly string[], alone: boolean) => {
    const rows = await query(db, BEGIN, { imageIds, alone, most: MOST_BEGUN }, IMAGE_ROW);
    const byId = new Map(rows.map((row) => [row.id, row]));
    return imageIds.map((id) => {
      const row = byId.get(id) ?? null;
      // Counted once, an image is drawn once, whoever else asks for it just now.
      byId.delete(id);
      return row;
    });
  };
  const markAll = async (images: readonly Mirrored[]): Promise<boolean[]> => {
    const bindings = {
      imageIds: images.map(({ id }) => id),
      imageUrls: images.map(({ imageUrl }) => imageUrl),
      thumbnailUrls: images.map(({ thumbnailUrl }) => thumbnailUrl),
      times: images.map(({ now }) => now.toISOString()),
      fileUuids: images.map(({ fileUuid }) => fileUuid),
    };
    const marked = new Set((await query(db, MARK_MIRRORED, bindings, ID_ROW)).map(({ id }) => id));
    return images.map(({ id }) => marked.has(id));
  };
  const beginInCompany = gather((imageIds: readonly string[]) => begin(imageIds, false), {
    ...TOGETHER,
    soon: (go) => void setImmediate(go),
  });
  const mark = gather(markAll, { ...TOGETHER, soon: (go) => void setTimeout(go, MARKED_TOGETHER_MS) });
  return {
    begin: async (imageId: string, alone: boolean) =>
      alone ? ((await begin([imageId], true))[0] ?? null) : beginInCompany(imageId),
    ended: (imageId: string, which: 'one' | 'all') => execute(db, which === 'one' ? ENDED_ONE : ENDED_ALL, { imageId }),
    markMirrored: (
      image: { readonly id: string; readonly fileUuid: string },
      imageUrl: string,
      thumbnailUrl: string,
      now: Date,
    ): Promise<boolean> => mark({ ...image, imageUrl, thumbnailUrl, now }),
    markUnrenderable: (imageId: string, status: 'no-pixels' | 'failed', reason: string, fileUuid: string | null) =>
      execute(db, MARK_UNRENDERABLE, { imageId, status, reason, fileUuid }),
  };
}
