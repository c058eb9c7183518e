import type { Knex } from 'knex';
import { z } from 'zod';
import { execute, query } from './query.ts';

const LOAD = `
SELECT orthanc_id AS "orthancId", sop_class_uid AS "sopClassUid", transfer_syntax_uid AS "transferSyntaxUid",
       number_of_frames AS "numberOfFrames", mirror_status AS "mirrorStatus"
FROM images WHERE id = :imageId`;

const MARK_MIRRORED = `
UPDATE images SET mirror_status = 'mirrored', mirror_reason = NULL, image_url = :imageUrl, thumbnail_url = :thumbnailUrl,
                  mirrored_at = :now
WHERE id = :imageId`;

const MARK_UNRENDERABLE = `
UPDATE images SET mirror_status = :status, mirror_reason = :reason WHERE id = :imageId AND mirror_status <> 'mirrored'`;

const IMAGE_ROW = z.object({
  orthancId: z.string(),
  sopClassUid: z.string(),
  transferSyntaxUid: z.string(),
  numberOfFrames: z.number(),
  mirrorStatus: z.string(),
});

/** What mirroring reads and writes of images; each call is a statement of its own. */
export function imageStatements(db: Knex) {
  return {
    load: async (imageId: string) => (await query(db, LOAD, { imageId }, IMAGE_ROW))[0] ?? null,
    markMirrored: (imageId: string, imageUrl: string, thumbnailUrl: string, now: Date) =>
      execute(db, MARK_MIRRORED, { imageId, imageUrl, thumbnailUrl, now }),
    markUnrenderable: (imageId: string, status: 'no-pixels' | 'failed', reason: string) =>
      execute(db, MARK_UNRENDERABLE, { imageId, status, reason }),
  };
}
