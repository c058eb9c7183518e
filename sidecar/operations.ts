import { createHash, randomBytes } from 'node:crypto';
import type { Knex } from 'knex';
import { readFrame } from './adapters/hl7.ts';
import { listWork, showStudy } from './adapters/postgres/operator.ts';
import { inTransaction, type Tx } from './adapters/postgres/transaction.ts';
import type { Config } from './config.ts';
import type { DicomBatch } from './core/dicom.ts';
import { accessionKey } from './core/accession.ts';
import type { Viewer } from './core/audit.ts';
import { gather } from './core/gather.ts';
import type { Hl7Message } from './core/hl7-message.ts';
import type { Hl7Settings } from './core/hl7-settings.ts';
import type { KeptOutcome } from './core/hl7-record.ts';
import type { Act, By, FailedImages } from './core/operator.ts';
import type { MessageFacts } from './core/ris-facts.ts';
import { foldMessages, type KeptMessage, type KnownFacts } from './core/ris-fold.ts';
import type { OptChoice } from './core/sms-opt-out.ts';
import { smsText } from './core/sms.ts';
import { linkStudies } from './flows/link-studies.ts';
import { planSms } from './flows/plan-sms.ts';
import { receiveMessages, route, type InboundMessage, type ReceiveDeps } from './flows/receive-message.ts';
import { receiveOrder } from './flows/receive-order.ts';
import { receivePatientUpdate } from './flows/receive-patient-update.ts';
import { receiveReport } from './flows/receive-report.ts';
import { recordOptChoice } from './flows/record-opt-choice.ts';
import { replayMessage } from './flows/replay-message.ts';
import { resolveReview } from './flows/resolve-review.ts';
import { retryImages, type RetryTx } from './flows/retry-images.ts';
import type { RemoveDeps } from './flows/remove-deleted.ts';
import { takeBatch } from './flows/take-batch.ts';
import { operatorAudit } from './operator-audit.ts';

const DAY_MS = 86_400_000;
/** HL7 messages that are taken in one transaction, at most. */
export const MESSAGES_TOGETHER = 32;
const BYTES_TOGETHER = 4 * 1024 * 1024;
/** A transaction that takes longer does not hold up the messages after it. */
const PATIENCE_MS = 5_000;

/** Settles when `work` did, or so much later at most. */
async function atMostFor(limitMs: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, limitMs, undefined);
  await Promise.race([work.catch(() => undefined), promise]);
  clearTimeout(timer);
}

export type Operations = ReturnType<typeof createOperations>;

/**
 * The flows that need nothing but the database, wired once for both who runs them: the sidecar's listeners and the
 * operators' command line.
 */
export function createOperations(parts: {
  readonly config: Config;
  readonly db: Knex;
  readonly now: () => Date;
  readonly onRefused: ReceiveDeps<Tx>['onRefused'];
  readonly onTest?: ReceiveDeps<Tx>['onTest'];
}) {
  const { config, db, now, onRefused, onTest = () => undefined } = parts;
  const transaction = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => inTransaction(db, work);
  const planTexts = (tx: Tx, studyIds: readonly string[], at: Date): Promise<void> =>
    planSms(
      {
        body: ({ modality, accessionNumber }) =>
          smsText({ template: config.SMS_TEMPLATE, portalUrl: config.PORTAL_URL, modality, accessionNumber }),
      },
      tx,
      studyIds,
      at,
    );

  /** Decides these DICOM studies, then the texts and labels of all that this or the caller touched. */
  const link = async (tx: Tx, dicomStudyIds: readonly string[], alsoTouched: readonly string[], at: Date) => {
    const touched = [...new Set([...alsoTouched, ...(await linkStudies(tx, dicomStudyIds, at))])];
    await planTexts(tx, touched, at);
    await tx.addLabelJobs(dicomStudyIds, touched);
  };
  /** Keeps these frames and what those messages said, then writes all that follows of it: links, texts and labels. */
  const keep = async (
    tx: Tx,
    kept: readonly KeptOutcome[],
    known: KnownFacts,
    messages: readonly KeptMessage[],
    at: Date,
  ): Promise<void> => {
    const changes = foldMessages(known, messages);
    const { studyIds, reportedIds } = changes;
    const [, resting] = await Promise.all([tx.saveFacts(kept, changes, at), tx.studiesRestingOn(studyIds)]);
    if (resting.length > 0) await link(tx, resting, studyIds, at);
    else await planTexts(tx, reportedIds, at);
  };
  const settings = {
    accessionFields: config.HL7_ACCESSION_FIELDS,
    modalityFields: config.HL7_MODALITY_FIELDS,
    patientIdTypes: config.HL7_PATIENT_ID_TYPES,
    senders: config.HL7_SENDERS,
    timeZone: config.PRACTICE_TIME_ZONE,
    phoneRegion: config.PHONE_REGION,
  };
  const reading =
    (read: (message: Hl7Message, settings: Hl7Settings, receivedAt: Date) => MessageFacts) =>
    (message: Hl7Message, receivedAt: Date): MessageFacts =>
      read(message, settings, receivedAt);
  const read = {
    order: reading(receiveOrder),
    report: reading(receiveReport),
    patient: reading(receivePatientUpdate),
  };
  const newControlId = (): string => randomBytes(10).toString('hex');
  // What is replayed was said when it came, but what follows of it is decided now.
  const keepAgain = async (tx: Tx, message: Hl7Message, id: string, receivedAt: Date): Promise<void> => {
    const facts = read[route(message)](message, receivedAt);
    const before = await tx.forgetFacts(id);
    const { known } = await tx.lookUp([], [facts], before);
    await tx.forgetReports(
      id,
      facts.reports.map(({ report }) => accessionKey(report.study.accessionNumber)),
    );
    await keep(tx, [], known, [{ id, facts }], now());
  };

  const receiving: ReceiveDeps<Tx> = {
    ...{ transaction, read, keep, newControlId, now, onRefused, onTest },
    contentHash: (raw) => createHash('sha256').update(raw).digest('hex'),
  };

  const receiveTogether = (inbound: readonly InboundMessage[]) => receiveMessages(receiving, inbound);

  const trail = operatorAudit(db, now);

  return {
    transaction,
    /** What needs a person; of provisional studies those that are so for that many days. */
    work: (provisionalDays: number, viewer: Viewer) =>
      trail.view(
        viewer,
        { what: 'work' },
        () => listWork(db, new Date(now().getTime() - provisionalDays * DAY_MS)),
        (items) => ({ items: items.length }),
      ),
    /** `viewer`: who sees it; `null` after an act, which tells it already. */
    show: (studyInstanceUid: string, viewer: Viewer | null) =>
      trail.view(viewer, { what: 'study', studyInstanceUid }, () => showStudy(db, studyInstanceUid)),
    resolve: (studyInstanceUid: string, act: Act, by: By): Promise<void> => {
      const accessionNumber = act.kind === 'link' ? act.accessionNumber : null;
      const subject = { event: 'operator-act', what: act.kind, studyInstanceUid, accessionNumber } as const;
      return trail.act(by, subject, (audit) =>
        resolveReview(
          {
            transaction,
            decided: async (tx, id, touched, at) => {
              await link(tx, [id], touched, at);
              await audit(tx);
            },
            now,
          },
          studyInstanceUid,
          act,
          by,
        ),
      );
    },
    replay: (hl7MessageId: string, by: By): Promise<void> =>
      trail.act(by, { event: 'replay', what: 'replay', hl7MessageId }, (audit) =>
        replayMessage(
          {
            transaction,
            read: readFrame,
            apply: async (tx, message, id, receivedAt) => {
              await keepAgain(tx, message, id, receivedAt);
              await audit(tx);
            },
            newControlId,
            now,
          },
          hl7MessageId,
          by,
        ),
      ),
    retryImages: (which: FailedImages, by: By): Promise<number> => {
      const { studyInstanceUid } = which;
      return trail.act(by, { event: 'operator-act', what: 'retry-images', studyInstanceUid }, (audit) => {
        const retried = (tx: Tx): RetryTx => ({
          retryImages: async (wanted, who, at) => {
            const images = await tx.retryImages(wanted, who, at);
            if (images > 0) await audit(tx, { images, ...(wanted.image !== null && { image: wanted.image }) });
            return images;
          },
        });
        return retryImages({ transaction: (work) => transaction((tx) => work(retried(tx))), now }, which, by);
      });
    },
    take: (tx: Tx, batch: DicomBatch, at: Date): Promise<number> =>
      takeBatch({ link: (_tx, dicomStudyIds, linkedAt) => link(tx, dicomStudyIds, [], linkedAt) }, tx, batch, at),
    /** What taking out deleted images needs besides Orthanc. */
    removal: { transaction, link, removeBlobs: config.REMOVE_BLOBS_OF_DELETED, now } satisfies Omit<
      RemoveDeps<Tx>,
      'present'
    >,
    recordOptChoice: (choice: OptChoice): Promise<void> => recordOptChoice({ transaction, planTexts, now }, choice),
    receiveTogether,
    /** Takes a message, together with those that come while others are in work. */
    receive: gather(receiveTogether, {
      most: MESSAGES_TOGETHER,
      mostWeight: BYTES_TOGETHER,
      weigh: ({ raw }) => raw.length,
      // The feed, the operators and /readyz need connections too.
      mostTakes: Math.max(1, Math.floor(config.DATABASE_POOL_SIZE / 2)),
      patience: (take) => atMostFor(PATIENCE_MS, take),
      soon: (begin) => void setImmediate(begin),
    }),
  };
}
