import { doneStatements } from '../operators/io/done-rows.ts';
import type { Knex } from 'knex';
import { auditStatements } from '../audit/io/rows.ts';
import { deletionStatements } from '../images/io/deleted-rows.ts';
import { feedStatements } from '../images/io/feed-rows.ts';
import { saidStatements } from '../images/io/said-rows.ts';
import { labelStatements } from '../linking/io/label-rows.ts';
import { linkStatements } from '../linking/io/link-rows.ts';
import { messageStatements } from '../ris/io/message-rows.ts';
import { postgresFailure } from '../platform/postgres/query.ts';
import { resolveStatements } from '../operators/io/resolve-rows.ts';
import { previewStatements } from '../operators/io/preview-rows.ts';
import { risStatements } from '../ris/io/rows.ts';
import { smsPlanStatements } from '../texts/io/text-rows.ts';
import { holdStatements } from '../release/io/hold-rows.ts';
import { textDecisionStatements } from '../texts/io/decision-rows.ts';
import { optChoiceStatements } from '../texts/io/receipt-rows.ts';
import { viewStatements } from '../operators/io/show-rows.ts';
import { withdrawStatements } from '../operators/io/withdraw-rows.ts';
import { imageRetryStatements } from '../operators/io/retry-rows.ts';

const statements = (trx: Knex.Transaction) => ({
  ...auditStatements(trx),
  ...deletionStatements(trx),
  ...doneStatements(trx),
  ...feedStatements(trx),
  ...holdStatements(trx),
  ...imageRetryStatements(trx),
  ...labelStatements(trx),
  ...linkStatements(trx),
  ...messageStatements(trx),
  ...optChoiceStatements(trx),
  ...previewStatements(trx),
  ...resolveStatements(trx),
  ...risStatements(trx),
  ...saidStatements(trx),
  ...smsPlanStatements(trx),
  ...textDecisionStatements(trx),
  ...viewStatements(trx),
  ...withdrawStatements(trx),
});

/** Everything that can be done inside one transaction. */
export type Tx = ReturnType<typeof statements>;

/**
 * Runs `work` in one transaction (read committed) and commits. Whatever `work` throws rolls everything back and comes
 * out as it was; what the database throws comes out as a Failure.
 */
export async function inTransaction<T>(db: Knex, work: (tx: Tx) => Promise<T>): Promise<T> {
  try {
    return await db.transaction((trx) => work(statements(trx)));
  } catch (error) {
    throw postgresFailure(error);
  }
}
