import { request } from 'node:http';
import twilio from 'twilio';

export interface CallbackAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Posts a form as Twilio does, signed for `signedUrl`; `signature` instead, `null` for none. */
export function postCallback(options: {
  readonly port: number;
  readonly path: string;
  readonly signedUrl: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly authToken?: string;
  readonly signature?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}): Promise<CallbackAnswer> {
  const { port, path, signedUrl, fields, authToken = 'sandbox', headers = {} } = options;
  const { signature = twilio.getExpectedTwilioSignature(authToken, signedUrl, { ...fields }) } = options;
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method: 'POST',
        headers: {
          'Content-Type': 'application/x-www-form-urlencoded',
          ...(signature !== null && { 'X-Twilio-Signature': signature }),
          ...headers,
        },
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body });
        });
      },
    );
    sent.on('error', reject);
    sent.end(new URLSearchParams(fields).toString());
  });
}
