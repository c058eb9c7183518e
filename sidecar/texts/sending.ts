import type { Knex } from 'knex';
import { sendSms, type SendSmsOutcome } from './flows/send.ts';
import { smsStatements } from './io/text-rows.ts';
import type { TextGateway } from './rules/vendor.ts';
import type { TextsSettings } from './settings.ts';

/** Sends the text of that row, at most once, by whatever vendor the gateway speaks to. */
export function createSendSms(
  settings: Pick<TextsSettings, 'SMS_HOURS' | 'PUBLIC_URL'> & { readonly timeZone: string },
  parts: {
    readonly db: Knex;
    readonly gateway: Pick<TextGateway, 'send' | 'find' | 'callbacks'>;
    readonly now: () => Date;
    readonly random: () => number;
  },
): (smsId: string) => Promise<SendSmsOutcome> {
  const { db, gateway, now, random } = parts;
  const deps = {
    ...smsStatements(db),
    ...{ send: gateway.send, find: gateway.find, now, random },
    hours: settings.SMS_HOURS,
    timeZone: settings.timeZone,
    hearsStart: settings.PUBLIC_URL !== undefined && gateway.callbacks !== null,
  };
  return (smsId) => sendSms(deps, smsId);
}
