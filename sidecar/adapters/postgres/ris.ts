import type { Knex } from 'knex';
import { z } from 'zod';
import { accessionKey } from '../../core/accession.ts';
import type { MessageFacts } from '../../core/ris-facts.ts';
import { query } from './query.ts';
import { reportStatements } from './reports.ts';
import { patientStatements } from './ris-patients.ts';
import { studyStatements } from './ris-studies.ts';

// What a message said before, when it is read again, with what it bore on.
const FORGET = `
WITH patients_gone AS (
  DELETE FROM patient_facts WHERE hl7_message_id = :messageId RETURNING patient_id
), merges_gone AS (
  DELETE FROM patient_merges WHERE hl7_message_id = :messageId RETURNING prior_id, survivor_id
), studies_gone AS (
  DELETE FROM study_facts WHERE hl7_message_id = :messageId RETURNING accession_key, patient_id
)
SELECT ARRAY(SELECT patient_id FROM patients_gone UNION SELECT prior_id FROM merges_gone
             UNION SELECT survivor_id FROM merges_gone UNION SELECT patient_id FROM studies_gone) AS "patientIds",
       ARRAY(SELECT accession_key FROM studies_gone) AS keys`;

const FORGOTTEN = z.object({ patientIds: z.array(z.string()), keys: z.array(z.string()) });

/** The statements of what the RIS says, inside one transaction. */
export function risStatements(trx: Knex.Transaction) {
  const patients = patientStatements(trx);
  const studies = studyStatements(trx);
  const reports = reportStatements(trx);
  return {
    /**
     * Keeps what a message says, in place of what it said before, and folds every patient and study that it bears on
     * anew from all that was ever said. Gives the ids of those studies. Under {@link lockLinking}.
     */
    async keepFacts(messageId: string, said: MessageFacts, now: Date): Promise<string[]> {
      const [before] = await query(trx, FORGET, { messageId }, FORGOTTEN);
      const ids = await patients.identityIds(said.patients, now);
      await patients.keepPatientFacts(messageId, said, ids);
      await studies.keepStudyFacts(messageId, said, ids);
      const related = await patients.foldPatients([...new Set([...ids, ...(before?.patientIds ?? [])])], now);
      const named = [...said.orders.map(({ study }) => study), ...said.reports.map(({ report }) => report.study)];
      const keys = named.map(({ accessionNumber }) => accessionKey(accessionNumber));
      const everyKey = [...new Set([...keys, ...(before?.keys ?? [])])];
      const studyIds = await studies.foldStudies(everyKey, [...related.keys()], now);
      const saidReports = said.reports.map(({ patient, report }) => ({ patientId: ids[patient] ?? '', report }));
      await reports.saveReports(messageId, said.saidAt, saidReports, now);
      await reports.letTextStand(studyIds);
      await reports.withholdReports(studyIds);
      return studyIds;
    },
  };
}
