import type { Knex } from 'knex';
import { z } from 'zod';
import { loadLabelFacts } from '../../linking/io/label-rows.ts';
import { desiredLabels } from '../../linking/rules/labels.ts';
import { query } from '../../platform/postgres/query.ts';
import type { Preview } from '../rules/work.ts';

const CONSEQUENCES = `
SELECT d.status, (
    SELECT coalesce(jsonb_agg(s.accession_number ORDER BY s.accession_key), '[]')
    FROM dicom_study_links l JOIN studies s ON s.id = l.study_id WHERE l.dicom_study_id = d.id AND s.source = 'ris'
  ) AS "accessionNumbers", (
    SELECT coalesce(jsonb_agg(jsonb_build_object('accessionNumber', s.accession_number, 'state', m.state, 'reason', m.reason,
      'to', right(m.to_number, 3), 'patient', jsonb_build_object('id', p.external_id, 'name', p.name, 'birthDate', p.birth_date))
      ORDER BY s.accession_key), '[]')
    FROM studies s JOIN patients p ON p.id = s.patient_id
    JOIN sms_studies t ON t.study_id = s.id JOIN sms_messages m ON m.id = t.sms_id
    WHERE s.source = 'ris' AND s.id = ANY (d.candidate_ids || CAST(:studyIds AS bigint[]))
  ) AS texts
FROM dicom_studies d WHERE d.id = :id`;

const text = z.string().nullable();
const ROW = z.object({
  status: text,
  accessionNumbers: z.array(z.string()),
  texts: z.array(
    z.object({
      accessionNumber: z.string(),
      state: z.string(),
      reason: text,
      to: text,
      patient: z.object({ id: text, name: text, birthDate: text }),
    }),
  ),
});

export const PREVIEW = ROW.extend({ dryRun: z.literal(true), labels: z.array(z.string()) });

/** What an act would lead to, as it is inside the transaction that did it. */
export function previewStatements(trx: Knex.Transaction) {
  return {
    async preview(dicomStudyId: string, studyIds: readonly string[]): Promise<Preview> {
      const [row] = await query(trx, CONSEQUENCES, { id: dicomStudyId, studyIds: `{${studyIds.join(',')}}` }, ROW);
      const [facts] = await loadLabelFacts(trx, [dicomStudyId]);
      const { status = null, accessionNumbers = [], texts = [] } = row ?? {};
      return { dryRun: true, status, accessionNumbers, labels: facts === undefined ? [] : desiredLabels(facts), texts };
    },
  };
}
