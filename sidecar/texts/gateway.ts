import { randomUUID } from 'node:crypto';
import type { Log } from '../platform/log.ts';
import { statusCallback } from './callbacks.ts';
import { startSmsSandbox } from './io/sandbox.ts';
import { createTwilio } from './io/twilio.ts';
import type { TextsSettings } from './settings.ts';

const TWILIO_TIMEOUT_MS = 10_000;

export interface TextGateway extends AsyncDisposable, ReturnType<typeof createTwilio> {
  /** By which callbacks are signed. */
  readonly authToken: string;
}

/** What sends texts: Twilio, or a sandbox that only takes them where there are no credentials, which it says loudly. */
export async function openTextGateway(
  settings: TextsSettings,
  parts: { readonly now: () => Date; readonly log: Pick<Log, 'warn'> },
): Promise<TextGateway> {
  await using stack = new AsyncDisposableStack();
  const { TWILIO_ACCOUNT_SID: accountSid, TWILIO_AUTH_TOKEN: authToken } = settings;
  const sandbox = async () => {
    const { url } = stack.use(await startSmsSandbox({ host: '127.0.0.1', port: 0, now: parts.now }));
    parts.log.warn('NO TEXT WILL BE SENT: there are no Twilio credentials, so a sandbox takes the messages');
    return { accountSid: `AC${'0'.repeat(32)}`, authToken: randomUUID(), apiUrl: url };
  };
  const account =
    accountSid !== undefined && authToken !== undefined
      ? { accountSid, authToken, apiUrl: settings.TWILIO_API_URL }
      : await sandbox();
  const twilio = createTwilio({
    ...account,
    from: settings.TWILIO_FROM ?? '+61400000000',
    messagingServiceSid: settings.TWILIO_MESSAGING_SERVICE_SID,
    statusCallback: statusCallback(settings.PUBLIC_URL),
    timeoutMs: TWILIO_TIMEOUT_MS,
  });
  const opened = stack.move();
  return { ...twilio, authToken: account.authToken, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
