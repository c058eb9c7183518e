import { randomUUID } from 'node:crypto';
import type { Log } from '../platform/log.ts';
import { statusCallback } from './callbacks.ts';
import { startSmsSandbox } from './io/sandbox.ts';
import { createTwilio } from './io/twilio.ts';
import { senderWarnings, type SenderWarning } from './rules/sender.ts';
import type { TextGateway } from './rules/vendor.ts';
import type { TextsSettings } from './settings.ts';

const CALL_TIMEOUT_MS = 10_000;

export interface VendorOptions {
  /** Where the vendor is to post what becomes of each text; `undefined` where it cannot reach this server. */
  readonly statusCallback: string | undefined;
  /** A call has ended by then. */
  readonly timeoutMs: number;
}

/** How each vendor's gateway is made from the settings, by its name; `null` where they name no account there. */
export type TextVendors = Readonly<
  Record<string, (settings: TextsSettings, options: VendorOptions) => TextGateway | null>
>;

function twilioOf(settings: TextsSettings, options: VendorOptions): TextGateway | null {
  const { TWILIO_ACCOUNT_SID: accountSid, TWILIO_AUTH_TOKEN: authToken } = settings;
  if (accountSid === undefined || authToken === undefined) return null;
  return createTwilio({
    ...{ accountSid, authToken, ...options },
    from: settings.TWILIO_FROM,
    messagingServiceSid: settings.TWILIO_MESSAGING_SERVICE_SID,
    apiUrl: settings.TWILIO_API_URL,
  });
}

/** The vendors of production. */
const VENDORS: TextVendors = { Twilio: twilioOf };

/** The gateway of the first vendor that the settings name an account of; `null` where they name none. */
export function createTextGateway(
  settings: TextsSettings,
  { vendors = VENDORS, timeoutMs = CALL_TIMEOUT_MS }: { vendors?: TextVendors; timeoutMs?: number } = {},
): TextGateway | null {
  const options = { statusCallback: statusCallback(settings.PUBLIC_URL), timeoutMs };
  for (const create of Object.values(vendors)) {
    const gateway = create(settings, options);
    if (gateway !== null) return gateway;
  }
  return null;
}

/** What should be mended about the sender and the words of texts, though they go out. */
export function warningsOf(
  settings: Pick<TextsSettings, 'TWILIO_FROM' | 'SMS_TEMPLATE' | 'PRACTICE_NAME'>,
): SenderWarning[] {
  const { TWILIO_FROM: from, SMS_TEMPLATE: template, PRACTICE_NAME: practice } = settings;
  return senderWarnings({ from, template, practice });
}

/** What sends texts: a vendor, or a sandbox that only takes them where there are no credentials, which it says loudly. */
export async function openTextGateway(
  settings: TextsSettings,
  parts: { readonly now: () => Date; readonly log: Pick<Log, 'warn'>; readonly vendors?: TextVendors },
): Promise<TextGateway & AsyncDisposable> {
  const { now, log, vendors = VENDORS } = parts;
  for (const { seen, todo } of warningsOf(settings)) log.warn(`${seen}. ${todo}`);
  await using stack = new AsyncDisposableStack();
  const sandbox = async (): Promise<TextGateway> => {
    const { url } = stack.use(await startSmsSandbox({ host: '127.0.0.1', port: 0, now }));
    const names = Object.keys(vendors).join(' or ');
    log.warn(`NO TEXT WILL BE SENT: there are no ${names} credentials, so a sandbox takes the messages`);
    return createTwilio({
      accountSid: `AC${'0'.repeat(32)}`,
      authToken: randomUUID(),
      from: settings.TWILIO_FROM ?? '+61400000000',
      messagingServiceSid: settings.TWILIO_MESSAGING_SERVICE_SID,
      apiUrl: url,
      statusCallback: statusCallback(settings.PUBLIC_URL),
      timeoutMs: CALL_TIMEOUT_MS,
    });
  };
  const gateway = createTextGateway(settings, { vendors }) ?? (await sandbox());
  const opened = stack.move();
  return { ...gateway, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
