import type { Knex } from 'knex';
import { z } from 'zod';
import type { FactChanges } from '../rules/fold.ts';
import { keysOf } from './save-rows.ts';
import { execute, query } from '../../platform/postgres/query.ts';

const REKEY_FACTS = `
UPDATE study_facts f SET accession_key = m.accession_key, said_key = m.said_key
FROM jsonb_to_recordset(CAST(:moved AS jsonb)) AS m(message_id bigint, ordinal integer, accession_key text, said_key text)
WHERE f.hl7_message_id = m.message_id AND f.ordinal = m.ordinal`;

// A report becomes the next version of the study that it turned out to be of.
const MOVE_REPORTS = `
WITH moved AS MATERIALIZED (
  SELECT r.id, m.to_id, row_number() OVER (PARTITION BY m.to_id ORDER BY r.said_at, r.hl7_message_id) AS nth
  FROM jsonb_to_recordset(CAST(:reports AS jsonb)) AS m(message_id bigint, from_id bigint, to_id bigint)
  JOIN reports r ON r.study_id = m.from_id AND r.hl7_message_id = m.message_id
)
UPDATE reports r
SET study_id = m.to_id, version = m.nth + coalesce((SELECT max(version) FROM reports WHERE study_id = m.to_id), 0)
FROM moved m WHERE r.id = m.id`;

// The text that told of a report goes with it: the study that has it now gets no second one. One that was begun counts
// before one that waits.
const DROP_WAITING_TEXTS = `
DELETE FROM sms_messages x
USING jsonb_to_recordset(CAST(:reports AS jsonb)) AS m(message_id bigint, from_id bigint, to_id bigint),
  sms_studies t, sms_messages y
WHERE x.study_id = m.to_id AND x.state IN ('held', 'queued')
  AND t.study_id = m.from_id AND y.id = t.sms_id AND y.state NOT IN ('held', 'queued')
  AND NOT EXISTS (SELECT 1 FROM reports r WHERE r.study_id = m.from_id)`;
const MOVE_TEXTS = `
UPDATE sms_messages x SET study_id = m.to_id, updated_at = :now
FROM (
  SELECT from_id, min(to_id) AS to_id
  FROM jsonb_to_recordset(CAST(:reports AS jsonb)) AS r(message_id bigint, from_id bigint, to_id bigint) GROUP BY from_id
) m
WHERE x.study_id = m.from_id
  AND NOT EXISTS (SELECT 1 FROM reports r WHERE r.study_id = m.from_id)
  AND NOT EXISTS (SELECT 1 FROM sms_messages y WHERE y.study_id = m.to_id AND y.kind = x.kind)`;
// So does the word that a text of another study told of it too.
const MOVE_TOLD = `
WITH gone AS (
  DELETE FROM sms_studies t
  USING (
    SELECT from_id, min(to_id) AS to_id
    FROM jsonb_to_recordset(CAST(:reports AS jsonb)) AS r(message_id bigint, from_id bigint, to_id bigint) GROUP BY from_id
  ) m, sms_messages x
  WHERE t.study_id = m.from_id AND x.id = t.sms_id AND x.study_id <> m.from_id
    AND NOT EXISTS (SELECT 1 FROM reports r WHERE r.study_id = m.from_id)
  RETURNING m.to_id, t.sms_id, x.state
)
INSERT INTO sms_studies AS s (study_id, sms_id)
SELECT DISTINCT ON (to_id) to_id, sms_id FROM gone WHERE state NOT IN ('held', 'queued') ORDER BY to_id, sms_id
ON CONFLICT (study_id) DO UPDATE SET sms_id = EXCLUDED.sms_id
  WHERE EXISTS (SELECT 1 FROM sms_messages y WHERE y.id = s.sms_id AND y.state IN ('held', 'queued'))`;
const DROP_TEXTS_LEFT = `
DELETE FROM sms_messages x
USING jsonb_to_recordset(CAST(:emptied AS jsonb)) AS e(id bigint, "intoId" bigint)
WHERE x.study_id = e.id AND x.state IN ('held', 'queued')`;

// All that a DICOM study is linked to which is linked to an emptied study, with the other study in its place.
const LINKS_AFTER = `
WITH emptied AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(CAST(:emptied AS jsonb)) AS e(id bigint, "intoId" bigint)
)
SELECT l.dicom_study_id AS "dicomStudyId", coalesce(e."intoId", l.study_id) AS "studyId"
FROM dicom_study_links l LEFT JOIN emptied e ON e.id = l.study_id
WHERE l.dicom_study_id IN (
  SELECT x.dicom_study_id FROM emptied y JOIN dicom_study_links x ON x.study_id = y.id
)`;
const LINK_ROW = z.object({ dicomStudyId: z.string(), studyId: z.string() });

// The series follow by their foreign key. The rules decide these links anew afterwards; a person's stands.
const MOVE_LINKS = `
UPDATE dicom_studies d SET study_id = e."intoId"
FROM jsonb_to_recordset(CAST(:emptied AS jsonb)) AS e(id bigint, "intoId" bigint) WHERE d.study_id = e.id`;
// What was taken away from it, or was deleted while it claimed it, holds the other study's text.
const MOVED_CLAIMS = (claims: string): string =>
  `ARRAY(SELECT coalesce(e."intoId", c) FROM unnest(d.${claims}) WITH ORDINALITY AS u(c, at)
         LEFT JOIN emptied e ON e.id = c ORDER BY at)`;
const MOVE_CLAIMS = `
WITH emptied AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(CAST(:emptied AS jsonb)) AS e(id bigint, "intoId" bigint)
)
UPDATE dicom_studies d
SET candidate_ids = ${MOVED_CLAIMS('candidate_ids')}, kept_claims = ${MOVED_CLAIMS('kept_claims')}
WHERE d.id IN (
  SELECT x.id FROM emptied y CROSS JOIN LATERAL (
    SELECT id FROM dicom_studies WHERE candidate_ids @> ARRAY[y.id]
    UNION ALL
    SELECT id FROM dicom_studies WHERE kept_claims @> ARRAY[y.id] AND kept_claims <> '{}') x)`;
// Moving the first link has taken away the others.
const KEEP_LINKS = `
INSERT INTO dicom_study_links (dicom_study_id, study_id)
SELECT "dicomStudyId", "studyId"
FROM jsonb_to_recordset(CAST(:links AS jsonb)) AS l("dicomStudyId" bigint, "studyId" bigint)
ON CONFLICT DO NOTHING`;
const DROP_LINKS_LEFT = `
DELETE FROM dicom_study_links l
USING jsonb_to_recordset(CAST(:emptied AS jsonb)) AS e(id bigint, "intoId" bigint) WHERE l.study_id = e.id`;

// One that has a text which was begun stays: the text is a record.
const REMOVE_EMPTIED = `
DELETE FROM studies s
USING jsonb_to_recordset(CAST(:emptied AS jsonb)) AS e(id bigint, "intoId" bigint)
WHERE s.id = e.id AND NOT EXISTS (SELECT 1 FROM sms_messages x WHERE x.study_id = s.id)
  AND NOT EXISTS (SELECT 1 FROM reports r WHERE r.study_id = s.id)`;

/**
 * Moves what is another study's now: facts, reports, and the text that told of them; and with a study of which nothing is
 * left its images. All are sent at once, in this order, after the studies were written.
 */
export async function moveStudies(trx: Knex.Transaction, { moved, emptied }: FactChanges, now: Date): Promise<void> {
  if (moved.length === 0) return;
  const keys = moved.map((fact) => ({ message_id: fact.messageId, ordinal: fact.ordinal, ...keysOf(fact) }));
  const ofReports = moved
    .filter(({ kind }) => kind === 'report')
    .map(({ messageId, fromStudyId, toStudyId }) => ({
      message_id: messageId,
      from_id: fromStudyId,
      to_id: toStudyId,
    }));
  const [reports, left] = [JSON.stringify(ofReports), JSON.stringify(emptied)];
  const links = emptied.length === 0 ? [] : await query(trx, LINKS_AFTER, { emptied: left }, LINK_ROW);
  await Promise.all([
    execute(trx, REKEY_FACTS, { moved: JSON.stringify(keys) }),
    execute(trx, MOVE_REPORTS, { reports }),
    execute(trx, DROP_WAITING_TEXTS, { reports }),
    execute(trx, MOVE_TEXTS, { reports, now }),
    execute(trx, MOVE_TOLD, { reports }),
    execute(trx, DROP_TEXTS_LEFT, { emptied: left }),
    execute(trx, MOVE_CLAIMS, { emptied: left }),
    execute(trx, MOVE_LINKS, { emptied: left }),
    execute(trx, KEEP_LINKS, { links: JSON.stringify(links) }),
    execute(trx, DROP_LINKS_LEFT, { emptied: left }),
    execute(trx, REMOVE_EMPTIED, { emptied: left }),
  ]);
}
