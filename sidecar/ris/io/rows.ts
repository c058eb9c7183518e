import type { Knex } from 'knex';
import { z } from 'zod';
import type { Envelope, KeptOutcome } from '../rules/kept-message.ts';
import type { MessageFacts } from '../rules/facts.ts';
import type { FactChanges, SaidBefore } from '../rules/fold.ts';
import { query } from '../../platform/postgres/query.ts';
import { reportStatements } from './report-rows.ts';
import { lookUp } from './known-rows.ts';
import { moveStudies } from './move-rows.ts';
import { saveFacts } from './save-rows.ts';

// What a message said before, when it is read again, with what it bore on.
export const FORGET_FACTS = `
WITH patients_gone AS (
  DELETE FROM patient_facts WHERE hl7_message_id = :messageId RETURNING patient_id
), merges_gone AS (
  DELETE FROM patient_merges WHERE hl7_message_id = :messageId RETURNING prior_id, survivor_id, apart_from_id
), studies_gone AS (
  DELETE FROM study_facts WHERE hl7_message_id = :messageId RETURNING accession_key, said_key, patient_id
)
SELECT ARRAY(SELECT patient_id FROM patients_gone UNION SELECT prior_id FROM merges_gone
             UNION SELECT survivor_id FROM merges_gone
             UNION SELECT apart_from_id FROM merges_gone WHERE apart_from_id IS NOT NULL UNION SELECT patient_id FROM studies_gone) AS "patientIds",
       ARRAY(SELECT accession_key FROM studies_gone
             UNION SELECT said_key FROM studies_gone WHERE said_key IS NOT NULL) AS keys`;

const FORGOTTEN = z.object({ patientIds: z.array(z.string()), keys: z.array(z.string()) });
const NOTHING: SaidBefore = { patientIds: [], keys: [] };

/** The statements of what the RIS says, inside one transaction; all of them under {@link lockLinking}. */
export function risStatements(trx: Knex.Transaction) {
  const reports = reportStatements(trx);
  return {
    /** Looks up frames and all that is known which these messages bear on, and what one of them said before. */
    lookUp: (envelopes: readonly Envelope[], messages: readonly MessageFacts[], before: SaidBefore = NOTHING) =>
      lookUp(trx, envelopes, messages, before),

    /** Takes back what a kept message said; gives what it bore on. */
    async forgetFacts(messageId: string): Promise<SaidBefore> {
      const [before] = await query(trx, FORGET_FACTS, { messageId }, FORGOTTEN);
      return before ?? NOTHING;
    },

    /** Takes back what a kept message brought with reports, and its reports for other studies than these. */
    forgetReports: reports.forget,

    /** Keeps frames, writes what they said and what follows of it, but for links, texts and labels. */
    async saveFacts(messages: readonly KeptOutcome[], changes: FactChanges, now: Date): Promise<void> {
      // All are sent at once, in this order.
      const saved = [
        saveFacts(trx, messages, changes, now),
        moveStudies(trx, changes, now),
        reports.save(changes, now),
      ];
      const [named] = await Promise.all([reports.loadPatients(changes.reportedIds), ...saved]);
      await reports.withhold(named);
    },
  };
}
