import type { Knex } from 'knex';
import type { Log } from '../platform/log.ts';
import type { SendSmsDeps } from './flows/send.ts';
import { createTextGates } from './gates.ts';
import { gateStatements } from './io/gate-rows.ts';
import { smsStatements, type Requeued } from './io/text-rows.ts';
import { smsText } from './rules/wording.ts';
import type { TextGateway } from './rules/vendor.ts';
import type { TextsSettings } from './settings.ts';

/** What a text's end does to the plan of it, under the linking lock. */
export interface Settling {
  /** It is planned anew before it is begun: rules, settings and the time may be others than when it was planned. */
  readonly planAgain: (smsId: string, now: Date) => Promise<void>;
  /** It waits again, if nobody else has settled it, planned anew from the facts as they are now. */
  readonly requeue: (smsId: string, again: Requeued, now: Date) => Promise<void>;
  /** It is sent, and marked with what a person must see that became known meanwhile. */
  readonly markSent: (smsId: string, since: Date, vendorId: string, now: Date) => Promise<void>;
}

interface SettlingTx {
  lockLinking(): Promise<void>;
  studiesOfQueued(smsId: string): Promise<string[]>;
  requeueText(smsId: string, again: Requeued, now: Date): Promise<string[]>;
  markTextSent(smsId: string, since: Date, vendorId: string, now: Date): Promise<string[]>;
}

export function settlingBy<Tx extends SettlingTx>(parts: {
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  readonly planTexts: (tx: Tx, studyIds: readonly string[], now: Date) => Promise<void>;
}): Settling {
  const settle = (now: Date, change: (tx: Tx) => Promise<string[]>): Promise<void> =>
    parts.transaction(async (tx) => {
      await tx.lockLinking();
      await parts.planTexts(tx, await change(tx), now);
    });
  return {
    planAgain: (smsId, now) => settle(now, (tx) => tx.studiesOfQueued(smsId)),
    requeue: (smsId, again, now) => settle(now, (tx) => tx.requeueText(smsId, again, now)),
    markSent: (smsId, since, vendorId, now) => settle(now, (tx) => tx.markTextSent(smsId, since, vendorId, now)),
  };
}

/** What a text is sent by: the rows of the database, and whatever vendor the gateway speaks to. */
export function sendingBy(
  settings: Pick<TextsSettings, 'SMS_HOURS' | 'PUBLIC_URL' | 'SMS_TEMPLATE' | 'PORTAL_URL' | 'PRACTICE_NAME'> & {
    readonly timeZone: string;
  },
  parts: {
    readonly db: Knex;
    readonly gateway: Pick<TextGateway, 'send' | 'find' | 'callbacks'>;
    /** Without it, rows change and nothing is planned anew: for tests of a vendor. */
    readonly settling?: Settling;
    readonly now: () => Date;
    readonly random: () => number;
    readonly log?: Pick<Log, 'error' | 'info'>;
  },
): SendSmsDeps {
  const { db, gateway, settling, now, random, log } = parts;
  const { SMS_TEMPLATE: template, PORTAL_URL: portalUrl, PRACTICE_NAME: practice } = settings;
  const statements = smsStatements(db, (study) => smsText({ ...study, template, portalUrl, practice }));
  return {
    ...statements,
    ...(settling !== undefined && {
      claim: async (smsId, at, mayBegin) => {
        if (mayBegin <= at) await settling.planAgain(smsId, at);
        return statements.claim(smsId, at, mayBegin);
      },
      markSent: settling.markSent,
      requeue: (smsId, since, reason, notBefore, at, isCounted) =>
        settling.requeue(smsId, { since, reason, notBefore, isCounted }, at),
    }),
    ...{ send: gateway.send, find: gateway.find, now, random },
    gates: createTextGates({ failures: gateStatements(db), now, random, ...(log !== undefined && { log }) }),
    hours: settings.SMS_HOURS,
    timeZone: settings.timeZone,
    hearsStart: settings.PUBLIC_URL !== undefined && gateway.callbacks !== null,
  };
}
