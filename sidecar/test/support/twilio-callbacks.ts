import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { expect } from 'chai';
import twilio from 'twilio';
import { z } from 'zod';
import { newApiKey } from '../../access/io/api-keys.ts';
import type { SandboxDelivery } from '../../texts/io/sandbox.ts';
import { freePort } from '../../dev/child.ts';
import { orm, oru } from '../../dev/ris-messages.ts';
import { orderOf, person, reportOf } from './people.ts';
import { startRig, type Rig } from './rig.ts';

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

const WORK = z.array(z.object({ kind: z.string(), subject: z.string(), reason: z.string().nullable() }));
const TEXT = z.object({
  state: z.string(),
  reason: z.string().nullable(),
  delivery: z.string().nullable(),
  error: z.number().nullable(),
});
export const newSid = (): string => `SM${randomBytes(16).toString('hex')}`;

/** Each with a number of its own. */
export const patientOf = (number: number) => {
  const digits = `0412 340 ${String(number).padStart(3, '0')}`;
  return {
    who: person(`C${number}`, { phone: `${digits}^PRN^CP` }),
    mobile: `+61${digits.slice(1).replaceAll(' ', '')}`,
  };
};

export const taken = async (rig: Rig, message: string) => {
  expect(await rig.ris.send(message)).to.contain('MSA|AA|');
};
export const textOf = async (rig: Rig, accession: string) =>
  (
    await rig.rows(
      `SELECT m.state, m.reason, r.status AS delivery, r.error_code AS error
       FROM sms_messages m JOIN studies s ON s.id = m.study_id LEFT JOIN sms_receipts r ON r.twilio_sid = m.twilio_sid
       WHERE s.accession_number = $1`,
      TEXT,
      [accession],
    )
  )[0];
export const textsTo = (rig: Rig, mobile: string) => rig.sandbox.messages.filter(({ to }) => to === mobile);
export const kept = async (rig: Rig) => {
  const counted = await rig.rows(
    'SELECT (SELECT count(*) FROM sms_receipts) + (SELECT count(*) FROM sms_opt_outs) AS count',
    z.object({ count: z.coerce.number() }),
  );
  return counted[0]?.count;
};

/** A rig that Twilio reaches, and what is done with it. */
export async function startDesk() {
  const { key, entry } = newApiKey('desk', randomBytes(32));
  const port = await freePort();
  const publicUrl = `http://localhost:${port}`;
  // The slash at the end must not count.
  const rig = await startRig({ HTTP_PORT: String(port), PUBLIC_URL: `${publicUrl}/`, OPERATOR_API_KEYS: entry });
  const post = (
    path: string,
    fields: Record<string, string>,
    over: Partial<Parameters<typeof postCallback>[0]> = {},
  ): Promise<CallbackAnswer> => postCallback({ port, path, signedUrl: `${publicUrl}${path}`, fields, ...over });
  return {
    rig,
    port,
    publicUrl,
    post,
    async inbound(From: string, Body: string, MessageSid = newSid(), more: Record<string, string> = {}) {
      const answer = await post('/api/sms/inbound', {
        MessageSid,
        From,
        To: '+61480000000',
        Body,
        FromCity: '',
        ...more,
      });
      expect(answer.status).to.equal(200);
      return answer;
    },
    /** Orders and reports an examination, and waits until its text needs nothing more. */
    async reported(number: number, delivery?: SandboxDelivery) {
      const { who, mobile } = patientOf(number);
      const accession = `T${number}`;
      if (delivery !== undefined) rig.sandbox.deliver(delivery);
      await taken(rig, orm(rig.head(), who, orderOf(accession)));
      await taken(rig, oru(rig.head(), who, reportOf(accession, 'F')));
      await rig.settled();
      return { who, mobile, accession };
    },
    /** What an operator is shown of that order. */
    async listed(accession: string) {
      const response = await fetch(`http://127.0.0.1:${port}/api/operator/work`, {
        headers: { Authorization: `Bearer ${key}` },
      });
      return WORK.parse(await response.json()).filter(({ subject }) => subject === accession);
    },
  };
}
