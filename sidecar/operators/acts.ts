import type { Knex } from 'knex';
import type { By, Viewer } from '../audit/rules/who.ts';
import { readFrame } from '../hl7/io/frame.ts';
import type { Hl7Message } from '../hl7/rules/message.ts';
import { operatorAudit, type AuditTx } from './audited.ts';
import { replayMessage, type ReplayTx } from './flows/replay.ts';
import type { Policy } from '../linking/rules/against.ts';
import { resolveReview, type ResolveTx } from './flows/resolve.ts';
import { retryImages, type RetryTx } from './flows/retry-images.ts';
import { endWork, type EndWorkTx } from './flows/end-work.ts';
import { withdrawMerge, type WithdrawMergeTx } from './flows/withdraw-merge.ts';
import { withdrawOrder, type WithdrawTx } from './flows/withdraw-order.ts';
import type { InboundMessage } from '../ris/flows/receive.ts';
import type { MessageFacts } from '../ris/rules/facts.ts';
import { listWork, showStudy } from './io/work-rows.ts';
import { showMessage, showOrder, showText } from './io/show-rows.ts';
import { accessionKey } from '../ris/rules/accession.ts';
import { decideText, type DecideTextTx } from './flows/decide-text.ts';
import { holdOrLetGo, type HoldTx } from './flows/hold.ts';
import type {
  Act,
  FailedImages,
  HeldThing,
  MessageView,
  OrderView,
  Preview,
  ReadingView,
  StudyView,
  TextAct,
  TextView,
  Trial,
  WorkItem,
} from './rules/work.ts';

/** Ends the transaction of a dry run. */
class DryRun extends Error {
  readonly preview: Preview;

  constructor(preview: Preview) {
    super('a dry run');
    this.preview = preview;
  }
}

const DAY_MS = 86_400_000;
/** An order may come that much later than its report before a person is asked. */
const WITHOUT_ORDER_MS = 3_600_000;

export interface PreviewTx {
  /** What the act has led to so far: the DICOM study, and the texts of these studies and of its candidates. */
  preview(dicomStudyId: string, studyIds: readonly string[]): Promise<Preview>;
}

export type ActsTx = AuditTx &
  DecideTextTx &
  EndWorkTx &
  HoldTx &
  PreviewTx &
  ReplayTx &
  ResolveTx &
  RetryTx &
  WithdrawMergeTx &
  WithdrawTx & {
    /** A study of the RIS as it is inside the transaction. */
    viewOrder(key: string): Promise<OrderView | null>;
  };

/** MSA-1 and the reason of an acknowledgment. */
function answerOf(acknowledgment: string): Pick<Trial, 'answer' | 'reason'> {
  const [, answer = '', , reason = ''] = /(?:^|\r)MSA\|(\w*)\|([^|\r]*)\|?([^|\r]*)/.exec(acknowledgment) ?? [];
  return { answer, reason: reason === '' ? null : reason };
}

export interface ActsParts<Tx> {
  readonly db: Knex;
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  /** Decides DICOM studies, then the texts and labels of all that this or the caller touched. */
  readonly link: (tx: Tx, dicomStudyIds: readonly string[], alsoTouched: readonly string[], at: Date) => Promise<void>;
  /** Decides anew whether the texts of these studies may go out. */
  readonly planTexts: (tx: Tx, studyIds: readonly string[], at: Date) => Promise<void>;
  /** Applies a kept message again, as one that came at `receivedAt`. @throws Hl7Rejection where it cannot be. */
  readonly applyAgain: (tx: Tx, message: Hl7Message, messageId: string, receivedAt: Date) => Promise<void>;
  /** Takes messages, lets `look` see what came of each, and undoes it all. */
  readonly attempt: <T>(
    inbound: readonly InboundMessage[],
    look: (tx: Tx, facts: MessageFacts | null, reading: ReadingView | null) => Promise<T>,
  ) => Promise<readonly { readonly acknowledgment: string; readonly seen: T }[]>;
  readonly newControlId: () => string;
  /** Of the practice. */
  readonly timeZone: string;
  /** How strictly is matched. */
  readonly policy: Policy;
  readonly now: () => Date;
}

export interface Acts {
  /** What needs a person; of provisional studies those that are so for that many days. */
  /** Of each kind `limit`, without it as many as anybody reads. */
  readonly work: (provisionalDays: number, viewer: Viewer, limit?: number) => Promise<readonly WorkItem[]>;
  /** `viewer`: who sees it; `null` after an act, which tells it already. */
  readonly show: (studyInstanceUid: string, viewer: Viewer | null) => Promise<StudyView | null>;
  readonly showOrder: (accessionNumber: string, viewer: Viewer) => Promise<OrderView | null>;
  readonly showMessage: (hl7MessageId: string, viewer: Viewer) => Promise<MessageView | null>;
  /** What would come of these messages, one after the other. Nothing is kept. */
  readonly tryMessages: (raws: readonly Buffer[], viewer: Viewer) => Promise<readonly Trial[]>;
  /** Gives the kinds of listed work that are seen to now. */
  readonly endWork: (subject: string, by: By) => Promise<readonly string[]>;
  readonly withdrawMerge: (prior: string, survivor: string, by: By) => Promise<void>;
  readonly withdrawOrder: (accessionNumber: string, by: By) => Promise<void>;
  readonly showText: (accessionNumber: string, viewer: Viewer | null) => Promise<TextView | null>;
  readonly hold: (act: 'hold' | 'unhold', thing: HeldThing, by: By) => Promise<void>;
  readonly decideText: (accessionNumber: string, act: TextAct, by: By) => Promise<void>;
  readonly resolve: (studyInstanceUid: string, act: Act, by: By) => Promise<void>;
  /** What `resolve` would lead to. Changes nothing. @throws what `resolve` throws. */
  readonly preview: (studyInstanceUid: string, act: Act, by: By) => Promise<Preview>;
  readonly replay: (hl7MessageId: string, by: By) => Promise<void>;
  /** Gives how many images it has tried again. */
  readonly retryImages: (which: FailedImages, by: By) => Promise<number>;
}

/** What a person may see and do; nothing of it without its row in the audit log. */
export function createActs<Tx extends ActsTx>(parts: ActsParts<Tx>): Acts {
  const { db, transaction, link, planTexts, applyAgain, attempt, newControlId, timeZone, policy, now } = parts;
  const trail = operatorAudit(db, now);
  return {
    work: (provisionalDays, viewer, limit) =>
      trail.view(
        viewer,
        { what: 'work' },
        () =>
          listWork(db, {
            provisionalBefore: new Date(now().getTime() - provisionalDays * DAY_MS),
            orderlessBefore: new Date(now().getTime() - WITHOUT_ORDER_MS),
            timeZone,
            limit,
          }),
        (items) => ({ items: items.length }),
      ),
    show: (studyInstanceUid: string, viewer: Viewer | null) =>
      trail.view(viewer, { what: 'study', studyInstanceUid }, () => showStudy(db, studyInstanceUid)),
    showOrder: (accessionNumber, viewer) =>
      trail.view(viewer, { what: 'order', accessionNumber }, () => showOrder(db, accessionKey(accessionNumber))),
    showMessage: (hl7MessageId, viewer) =>
      trail.view(
        viewer,
        { what: 'message' },
        () => showMessage(db, hl7MessageId),
        (message) => ({ messageId: message?.id ?? '' }),
      ),
    tryMessages: (raws, viewer) =>
      trail.view(
        viewer,
        { what: 'hl7-try' },
        async () => {
          const inbound = raws.map((raw) => ({ raw, ...readFrame(raw), remoteAddress: viewer.from }));
          const ends = await attempt(inbound, async (tx, facts, reading) => {
            const studies = [...(facts?.orders ?? []), ...(facts?.reports ?? []).map(({ report }) => report)];
            const keys = new Set(studies.map(({ study }) => accessionKey(study.accessionNumber)));
            const orders = await Promise.all([...keys].map((key) => tx.viewOrder(key)));
            return { reading, orders: orders.filter((order) => order !== null) };
          });
          return ends.map(({ acknowledgment, seen }) => ({ ...answerOf(acknowledgment), ...seen }));
        },
        (trials) => ({ messages: trials.length }),
      ),
    endWork: (subject, by) =>
      trail.act(by, { event: 'operator-act', what: 'work-done' }, (audit) =>
        endWork({ transaction, decided: (tx, kinds) => audit(tx, { subject, kinds }), now }, subject, by),
      ),
    withdrawMerge: (prior, survivor, by) =>
      trail.act(by, { event: 'operator-act', what: 'merge-withdraw' }, (audit) =>
        withdrawMerge(
          {
            transaction,
            decided: async (tx, dicomStudyIds, studyIds, patientIds, at) => {
              await link(tx, dicomStudyIds, studyIds, at);
              await audit(tx, { patientIds });
            },
            now,
          },
          prior,
          survivor,
          by,
        ),
      ),
    withdrawOrder: (accessionNumber, by) =>
      trail.act(by, { event: 'operator-act', what: 'order-withdraw', accessionNumber }, (audit) =>
        withdrawOrder(
          {
            transaction,
            decided: async (tx, dicomStudyIds, studyIds, at) => {
              await link(tx, dicomStudyIds, studyIds, at);
              await audit(tx);
            },
            now,
          },
          accessionNumber,
          by,
        ),
      ),
    showText: (accessionNumber, viewer) =>
      trail.view(viewer, { what: 'text', accessionNumber }, () => showText(db, accessionKey(accessionNumber))),
    hold: (act, thing, by) => {
      const accessionNumber = thing.kind === 'study' ? thing.accessionNumber : null;
      return trail.act(by, { event: 'operator-act', what: `${act}-${thing.kind}`, accessionNumber }, (audit) => {
        const decided = async (tx: Tx, studyIds: readonly string[], at: Date): Promise<void> => {
          await planTexts(tx, studyIds, at);
          await audit(tx, { studies: studyIds.length });
        };
        return holdOrLetGo({ transaction, decided, now }, act, thing, by);
      });
    },
    decideText: (accessionNumber, act, by) =>
      trail.act(by, { event: 'operator-act', what: `text-${act.kind}`, accessionNumber }, (audit) =>
        decideText({ transaction, planTexts, decided: audit, now }, accessionNumber, act, by),
      ),
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
            policy,
            now,
          },
          studyInstanceUid,
          act,
          by,
        ),
      );
    },
    preview: async (studyInstanceUid, act, by): Promise<Preview> => {
      const accessionNumber = act.kind === 'link' ? act.accessionNumber : null;
      const subject = { what: `dry-run-${act.kind}`, studyInstanceUid, accessionNumber };
      const run = async (): Promise<Preview> => {
        const decided = async (tx: Tx, id: string, touched: readonly string[], at: Date): Promise<void> => {
          await link(tx, [id], touched, at);
          throw new DryRun(await tx.preview(id, touched));
        };
        try {
          await resolveReview({ transaction, decided, policy, now }, studyInstanceUid, act, by);
        } catch (error) {
          if (error instanceof DryRun) return error.preview;
          throw error;
        }
        throw new TypeError('a dry run was committed');
      };
      const viewer = { who: by.who.trim(), from: by.from ?? '' };
      return trail.view(viewer, subject, () => trail.act(by, { ...subject, event: 'operator-act' }, run));
    },
    replay: (hl7MessageId: string, by: By): Promise<void> =>
      trail.act(by, { event: 'replay', what: 'replay', hl7MessageId }, (audit) =>
        replayMessage(
          {
            transaction,
            read: readFrame,
            apply: async (tx, message, id, receivedAt) => {
              await applyAgain(tx, message, id, receivedAt);
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
  };
}
