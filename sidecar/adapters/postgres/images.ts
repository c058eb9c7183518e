import type { Knex } from 'knex';
import { z } from 'zod';
import { MOST_BEGUN } from '../../core/rendering.ts';
import type { By, FailedImages } from '../../core/operator.ts';
import { ADD_JOBS, BLOB_FLAG, execute, query } from './query.ts';

// In one statement, so that in the common case a rendering costs no more than to read its row.
export const BEGIN = `
WITH image AS (
  SELECT * FROM images WHERE id = :imageId AND mirror_status = 'pending' FOR UPDATE
), counted AS (
  UPDATE images i SET render_begun = i.render_begun + 1 FROM image
  WHERE i.id = image.id AND (image.render_begun = 0 OR (:alone AND image.render_begun < :most))
)
SELECT orthanc_id AS "orthancId", sop_class_uid AS "sopClassUid", transfer_syntax_uid AS "transferSyntaxUid",
       number_of_frames AS "numberOfFrames", render_begun AS "begunBefore"
FROM image`;

export const ENDED_ONE = 'UPDATE images SET render_begun = greatest(render_begun - 1, 0) WHERE id = :imageId';
const ENDED_ALL = 'UPDATE images SET render_begun = 0 WHERE id = :imageId';

export const MARK_MIRRORED = `
UPDATE images SET mirror_status = 'mirrored', mirror_reason = NULL, image_url = :imageUrl, thumbnail_url = :thumbnailUrl,
                  mirrored_at = :now, render_begun = 0
WHERE id = :imageId`;

export const MARK_UNRENDERABLE = `
UPDATE images SET mirror_status = :status, mirror_reason = :reason, render_begun = 0
WHERE id = :imageId AND mirror_status <> 'mirrored'`;

export const RETRY_IMAGES = `
WITH again AS (
  UPDATE images i SET mirror_status = 'pending', mirror_reason = NULL, render_begun = 0,
                      retried_by = :who, retry_reason = :why, retried_at = :now
  FROM series e JOIN dicom_studies d ON d.id = e.dicom_study_id
  WHERE i.mirror_status = 'failed' AND e.id = i.series_id
    AND (CAST(:image AS text) IS NULL OR :image IN (i.sop_instance_uid, i.orthanc_id))
    AND (CAST(:studyInstanceUid AS text) IS NULL OR d.study_instance_uid = :studyInstanceUid)
    AND (CAST(:reason AS text) IS NULL OR :reason = ANY (string_to_array(i.mirror_reason, ', ')))
  RETURNING i.id
), jobs AS MATERIALIZED (
  SELECT array_agg(ROW('mirror-image', json_build_object('imageId', CAST(id AS text)), NULL, NULL, :maxAttempts,
                       'mirror-image:' || id, 0, ARRAY['${BLOB_FLAG}'])::graphile_worker.job_spec) AS specs
  FROM again
)
${ADD_JOBS}`;

/** An attempt waits e^n seconds (at most some six hours) after the n-th: 16 attempts are a bit over two days. */
export const MIRROR_ATTEMPTS = 16;

const IMAGE_ROW = z.object({
  orthancId: z.string(),
  sopClassUid: z.string(),
  transferSyntaxUid: z.string(),
  numberOfFrames: z.number(),
  begunBefore: z.number(),
});

/** What mirroring reads and writes of images; each call is a statement of its own. */
export function imageStatements(db: Knex) {
  return {
    begin: async (imageId: string, alone: boolean) =>
      (await query(db, BEGIN, { imageId, alone, most: MOST_BEGUN }, IMAGE_ROW))[0] ?? null,
    ended: (imageId: string, which: 'one' | 'all') => execute(db, which === 'one' ? ENDED_ONE : ENDED_ALL, { imageId }),
    markMirrored: (imageId: string, imageUrl: string, thumbnailUrl: string, now: Date) =>
      execute(db, MARK_MIRRORED, { imageId, imageUrl, thumbnailUrl, now }),
    markUnrenderable: (imageId: string, status: 'no-pixels' | 'failed', reason: string) =>
      execute(db, MARK_UNRENDERABLE, { imageId, status, reason }),
  };
}

/** What persons do about images, inside one transaction. */
export function imageRetryStatements(trx: Knex.Transaction) {
  return {
    async retryImages(which: FailedImages, by: By, now: Date): Promise<number> {
      const bindings = { ...which, ...by, now, maxAttempts: MIRROR_ATTEMPTS };
      const [row] = await query(trx, RETRY_IMAGES, bindings, z.object({ count: z.coerce.number() }));
      return row?.count ?? 0;
    },
  };
}
