import type { Knex } from 'knex';
import { z } from 'zod';
import { accessionKey } from '../../ris/rules/accession.ts';
import {
  MAKE_OWN_STUDIES,
  REMOVE_ABANDONED_STUDIES,
  SAVE_DECISIONS,
  SAVE_MORE_LINKS,
} from '../../linking/io/decision-rows.ts';
import { execute, ID_ROW, query } from '../../platform/postgres/query.ts';
import type { By } from '../../audit/rules/who.ts';

export const LOAD_STANDING = `
SELECT id AS "dicomStudyId", status, study_id AS "studyId", candidate_ids AS "candidateIds", decided_by AS "decidedBy",
  kept_claims AS "keptClaims", kept_decision IS NOT NULL AS "isKept",
  ARRAY(SELECT l.study_id FROM dicom_study_links l WHERE l.dicom_study_id = d.id AND l.study_id <> d.study_id ORDER BY 1)
    AS "alsoStudyIds"
FROM dicom_studies d WHERE study_instance_uid = :uid`;

const STANDING = z.object({
  dicomStudyId: z.string(),
  status: z.enum(['linked', 'provisional', 'review', 'deleted']).nullable(),
  studyId: z.string().nullable(),
  alsoStudyIds: z.array(z.string()),
  candidateIds: z.array(z.string()),
  decidedBy: z.string().nullable(),
  keptClaims: z.array(z.string()),
  isKept: z.boolean(),
});

export const FIND_RIS_STUDY = 'SELECT id FROM studies WHERE accession_key = :key';
const DROP_CLAIMS = `UPDATE dicom_studies SET kept_claims = '{}', kept_decision = NULL WHERE id = :id`;
const NOTE_RELEASED = `
INSERT INTO link_decisions (dicom_study_id, study_id, status, rule, reason, candidate_ids, tags, decided_by, decided_at)
VALUES (:id, NULL, 'deleted', 'released', :why, CAST(:claims AS bigint[]), '[]', :who, :now)`;
// Served by indexes series_dicom_study and images_series.
const SEE_DIFFERENCES = `
UPDATE image_differences f SET seen_by = :who, seen_at = :now
FROM series s JOIN images i ON i.series_id = s.id
WHERE s.dicom_study_id = :id AND f.orthanc_id = i.orthanc_id AND f.seen_at IS NULL`;
const LEAVE_TO_RULES = `
UPDATE dicom_studies SET decided_by = 'rules', shown = NULL, contested = NULL, contested_at = NULL WHERE id = :id`;

/** The statements of what persons decide, inside one transaction. */
export function resolveStatements(trx: Knex.Transaction) {
  return {
    loadStanding: async (uid: string) => (await query(trx, LOAD_STANDING, { uid }, STANDING))[0] ?? null,

    findRisStudy: async (accessionNumber: string): Promise<string | null> =>
      (await query(trx, FIND_RIS_STUDY, { key: accessionKey(accessionNumber) }, ID_ROW))[0]?.id ?? null,

    async saveManualDecision(
      decision: {
        readonly dicomStudyId: string;
        readonly status: string;
        readonly studyId: string | null;
        readonly alsoStudyIds: readonly string[];
        readonly candidateIds: readonly string[];
        readonly rule: string;
      },
      by: By,
      now: Date,
    ): Promise<void> {
      const { dicomStudyId, status, studyId, alsoStudyIds, candidateIds, rule } = decision;
      const ids = `{${dicomStudyId}}`;
      if (studyId === null) await execute(trx, MAKE_OWN_STUDIES, { ids });
      const row = { id: dicomStudyId, study_id: studyId, status, rule, reason: by.why, candidate_ids: candidateIds };
      await execute(trx, SAVE_DECISIONS, { decisions: JSON.stringify([row]), decidedBy: by.who, now });
      if (alsoStudyIds.length > 0) {
        const links = [{ id: dicomStudyId, study_ids: alsoStudyIds }];
        await execute(trx, SAVE_MORE_LINKS, { links: JSON.stringify(links) });
      }
      await execute(trx, REMOVE_ABANDONED_STUDIES, { ids });
    },

    dropClaims: (id: string) => execute(trx, DROP_CLAIMS, { id }),

    noteReleased: (id: string, claims: readonly string[], by: By, now: Date) =>
      execute(trx, NOTE_RELEASED, { id, claims: `{${claims.join(',')}}`, ...by, now }),

    seeDifferences: (id: string, by: By, now: Date) => execute(trx, SEE_DIFFERENCES, { id, who: by.who, now }),

    leaveToRules: (id: string) => execute(trx, LEAVE_TO_RULES, { id }),
  };
}
