import type { Knex } from 'knex';
import { createTaking } from '../images/taking.ts';
import { createLink } from '../linking/linking.ts';
import { recheckPersonLinks } from '../linking/rechecking.ts';
import { policyOf } from '../linking/settings.ts';
import { createActs } from '../operators/acts.ts';
import type { ReceiveDeps } from '../ris/flows/receive.ts';
import { createReceiving, newControlId } from '../ris/receiving.ts';
import { recordOptChoice } from '../texts/flows/record-opt-choice.ts';
import { createPlanTexts } from '../texts/planning.ts';
import { settlingBy } from '../texts/sending.ts';
import type { OptChoice } from '../texts/rules/opt-out.ts';
import type { OperationsConfig } from './config.ts';
import { inTransaction, type Tx } from './transaction.ts';

export type Operations = ReturnType<typeof createOperations>;

/**
 * The wings that need nothing but the database, wired once for both who runs them: the sidecar's listeners and the
 * operators' command line.
 */
export function createOperations(parts: {
  readonly config: OperationsConfig;
  readonly db: Knex;
  readonly now: () => Date;
  readonly onRefused: ReceiveDeps<Tx>['onRefused'];
  readonly onTest?: ReceiveDeps<Tx>['onTest'];
  readonly onIgnored?: ReceiveDeps<Tx>['onIgnored'];
  readonly onWarnings?: ReceiveDeps<Tx>['onWarnings'];
}) {
  const { config, db, now, onRefused } = parts;
  const { onTest = () => undefined, onIgnored = () => undefined, onWarnings = () => undefined } = parts;
  const transaction = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => inTransaction(db, work);
  const planTexts = createPlanTexts(config);
  const policy = policyOf(config);
  const link = createLink<Tx>(planTexts, policy);
  const { receive, receiveTogether, applyAgain, attempt } = createReceiving<Tx>({
    ...{ transaction, link, planTexts, now, onRefused, onTest, onIgnored, onWarnings },
    ignoredTypes: config.HL7_IGNORED_TYPES,
    settings: {
      accessionFields: config.HL7_ACCESSION_FIELDS,
      modalityFields: config.HL7_MODALITY_FIELDS,
      patientIdFields: config.HL7_PATIENT_ID_FIELDS,
      patientIdTypes: config.HL7_PATIENT_ID_TYPES,
      senders: config.HL7_SENDERS,
      timeZone: config.PRACTICE_TIME_ZONE,
      phoneRegion: config.PHONE_REGION,
    },
    mostTakes: Math.max(1, Math.floor(config.DATABASE_POOL_SIZE / 2)),
  });
  return {
    ...createTaking<Tx>({ transaction, link, removeBlobs: config.REMOVE_BLOBS_OF_DELETED, now }),
    ...createActs<Tx>({
      db,
      transaction,
      link,
      planTexts,
      applyAgain,
      attempt,
      newControlId,
      timeZone: config.PRACTICE_TIME_ZONE,
      policy,
      now,
    }),
    settling: settlingBy<Tx>({ transaction, planTexts }),
    recordOptChoice: (choice: OptChoice): Promise<void> => recordOptChoice({ transaction, planTexts, now }, choice),
    recheckPersonLinks: (): Promise<number> => recheckPersonLinks({ db, transaction, link, now }),
    receiveTogether,
    receive,
  };
}
