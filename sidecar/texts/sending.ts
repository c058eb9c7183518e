import type { Knex } from 'knex';
import type { SendSmsDeps } from './flows/send.ts';
import { smsStatements } from './io/text-rows.ts';
import { smsText } from './rules/wording.ts';
import type { TextGateway } from './rules/vendor.ts';
import type { TextsSettings } from './settings.ts';

/** What a text is sent by: the rows of the database, and whatever vendor the gateway speaks to. */
export function sendingBy(
  settings: Pick<TextsSettings, 'SMS_HOURS' | 'PUBLIC_URL' | 'SMS_TEMPLATE' | 'PORTAL_URL' | 'PRACTICE_NAME'> & {
    readonly timeZone: string;
  },
  parts: {
    readonly db: Knex;
    readonly gateway: Pick<TextGateway, 'send' | 'find' | 'callbacks'>;
    readonly now: () => Date;
    readonly random: () => number;
  },
): SendSmsDeps {
  const { db, gateway, now, random } = parts;
  return {
    ...smsStatements(db, (study) =>
      smsText({
        ...study,
        template: settings.SMS_TEMPLATE,
        portalUrl: settings.PORTAL_URL,
        practice: settings.PRACTICE_NAME,
      }),
    ),
    ...{ send: gateway.send, find: gateway.find, now, random },
    hours: settings.SMS_HOURS,
    timeZone: settings.timeZone,
    hearsStart: settings.PUBLIC_URL !== undefined && gateway.callbacks !== null,
  };
}
