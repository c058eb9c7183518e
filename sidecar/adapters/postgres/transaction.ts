import type { Knex } from 'knex';
import { auditStatements } from './audit.ts';
import { deletionStatements } from './deletions.ts';
import { feedStatements } from './feed.ts';
import { imageRetryStatements } from './images.ts';
import { labelStatements } from './labels.ts';
import { linkStatements } from './links.ts';
import { messageStatements } from './messages.ts';
import { postgresFailure } from './query.ts';
import { resolveStatements } from './resolve.ts';
import { risStatements } from './ris.ts';
import { smsPlanStatements } from './sms.ts';
import { optChoiceStatements } from './sms-receipts.ts';

const statements = (trx: Knex.Transaction) => ({
  ...auditStatements(trx),
  ...deletionStatements(trx),
  ...feedStatements(trx),
  ...imageRetryStatements(trx),
  ...labelStatements(trx),
  ...linkStatements(trx),
  ...messageStatements(trx),
  ...optChoiceStatements(trx),
  ...resolveStatements(trx),
  ...risStatements(trx),
  ...smsPlanStatements(trx),
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
