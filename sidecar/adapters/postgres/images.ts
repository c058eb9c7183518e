import type { Knex } from 'knex';
import { z } from 'zod';
import { MOST_BEGUN } from '../../core/rendering.ts';
import { execute, query } from './query.ts';

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

const ENDED_ONE = 'UPDATE images SET render_begun = greatest(render_begun - 1, 0) WHERE id = :imageId';
const ENDED_ALL = 'UPDATE images SET render_begun = 0 WHERE id = :imageId';

const MARK_MIRRORED = `
UPDATE images SET mirror_status = 'mirrored', mirror_reason = NULL, image_url = :imageUrl, thumbnail_url = :thumbnailUrl,
                  mirrored_at = :now, render_begun = 0
WHERE id = :imageId`;

const MARK_UNRENDERABLE = `
UPDATE images SET mirror_status = :status, mirror_reason = :reason, render_begun = 0
WHERE id = :imageId AND mirror_status <> 'mirrored'`;

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
