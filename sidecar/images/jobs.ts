import type { Knex } from 'knex';
import { z } from 'zod';
import { defineJob, defineJobOfSeveral, type Job } from '../platform/jobs.ts';
import { lookForDeleted, type RemoveDeps, type RemoveTx } from './flows/remove-deleted.ts';
import { deletedImages } from './io/deleted-rows.ts';
import { REQUEUE_IMAGES } from './io/image-rows.ts';
import type { Mirroring } from './mirroring.ts';
import { LOOK_FOR_DELETED, MIRROR_IMAGE, REMOVE_BLOBS } from './rules/job-names.ts';

/** The jobs about images. */
export function imageJobs<Tx extends RemoveTx>(parts: {
  readonly db: Knex;
  readonly mirroring: Mirroring;
  readonly removal: RemoveDeps<Tx>;
}): readonly Job[] {
  const { db, mirroring, removal } = parts;
  const looking = { ...removal, imagesOf: deletedImages(db).imagesOf };
  return [
    defineJobOfSeveral({
      name: MIRROR_IMAGE,
      payload: z.object({ imageId: z.string().regex(/^\d+$/) }),
      waitsForBlobs: true,
      requeue: REQUEUE_IMAGES,
      run: ({ imageId }, context) => mirroring.mirrorImage(imageId, context),
    }),
    defineJob({
      name: LOOK_FOR_DELETED,
      // `look` counts from 0.
      payload: z.object({ dicomStudyId: z.string(), look: z.number() }),
      key: ({ dicomStudyId }) => `${LOOK_FOR_DELETED}:${dicomStudyId}`,
      run: async ({ dicomStudyId, look }) => {
        const later = await lookForDeleted(looking, dicomStudyId, look);
        return later && { ...later, payload: { dicomStudyId, look: look + 1 } };
      },
    }),
    defineJob({
      name: REMOVE_BLOBS,
      payload: z.object({ orthancId: z.string() }),
      waitsForBlobs: true,
      run: ({ orthancId }) => mirroring.removeBlobs(orthancId),
    }),
  ];
}
