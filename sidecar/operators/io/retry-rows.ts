import type { Knex } from 'knex';
import { z } from 'zod';
import type { FailedImages } from '../rules/work.ts';
import { addJobs, query } from '../../platform/postgres/query.ts';
import type { By } from '../../audit/rules/who.ts';
import { mirrorJobs } from '../../images/io/image-rows.ts';

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
), jobs AS MATERIALIZED (${mirrorJobs('again')})
${addJobs('(SELECT count(*) FROM again)')}`;

/** What persons do about images, inside one transaction. */
export function imageRetryStatements(trx: Knex.Transaction) {
  return {
    async retryImages(which: FailedImages, by: By, now: Date): Promise<number> {
      const [row] = await query(trx, RETRY_IMAGES, { ...which, ...by, now }, z.object({ count: z.coerce.number() }));
      return row?.count ?? 0;
    },
  };
}
