import type { Knex } from 'knex';
import { z } from 'zod';
import { defineJob, type Job } from '../platform/jobs.ts';
import { labelStudy, type LabelDeps } from './flows/label.ts';
import { LABEL_STUDY, loadLabelFacts } from './io/label-rows.ts';

/** What of the archive labels need. */
export interface LabelArchive extends Pick<LabelDeps, 'putLabel' | 'removeLabel'> {
  /** The labels of these studies; those that are gone are left out. */
  readonly labels: (orthancIds: readonly string[]) => Promise<ReadonlyMap<string, readonly string[]>>;
}

/** The job that makes the labels of a DICOM study right. */
export function labelJob({ db, archive }: { readonly db: Knex; readonly archive: LabelArchive }): Job {
  const deps: LabelDeps = {
    ...archive,
    load: (id) => loadLabelFacts(db, [id]),
    labels: async (id) => (await archive.labels([id])).get(id) ?? null,
  };
  return defineJob({
    name: LABEL_STUDY,
    payload: z.object({ dicomStudyId: z.string() }),
    run: async ({ dicomStudyId }) => {
      await labelStudy(deps, dicomStudyId);
      return null;
    },
  });
}
