import express, { Router, type ErrorRequestHandler, type Handler } from 'express';
import { z } from 'zod';
import { asFailure } from '../../platform/rules/failure.ts';
import type { Refusal } from '../../audit/rules/refusal-counts.ts';
import { readOptChoice, type OptChoice } from '../rules/opt-out.ts';
import { readReceipt, type CallbackFields, type Receipt } from '../rules/receipt.ts';
import { signedByTwilio } from './twilio.ts';

export interface SmsCallbackOptions {
  /** How Twilio reaches this server, without a slash at its end: what its signatures cover, whatever Host is asked for. */
  readonly publicUrl: string;
  readonly authToken: string;
  /** The body is there by then, or the connection is closed. */
  readonly bodyTimeoutMs: number;
  readonly keepReceipt: (receipt: Receipt) => Promise<void>;
  readonly recordOptChoice: (choice: OptChoice) => Promise<void>;
  /** Somebody who is not Twilio. */
  readonly onRefused: (refusal: Refusal) => void;
  readonly log: { readonly warn: (fields: object, message: string) => void };
}

/** Where Twilio posts what became of a text, after the public URL. */
export const STATUS_PATH = '/api/sms/status';
const INBOUND_PATH = '/api/sms/inbound';

const MAX_BODY_BYTES = 16_384;
const MAX_FIELDS = 200;

/** Nothing for Twilio to do: it answers STOP and the like itself. */
const NO_REPLY = '<?xml version="1.0" encoding="UTF-8"?><Response/>';

const FIELDS = z.record(z.string(), z.union([z.string(), z.array(z.string())]));
const UNREADABLE = z.object({ status: z.int().min(400).max(499), expose: z.literal(true) });

const limitedInTime =
  (limitMs: number): Handler =>
  (request, _response, next) => {
    const late = setTimeout(() => request.socket.destroy(), limitMs);
    // Of the request, which a refused body comes to only once it is read to its end.
    request.once('close', () => {
      clearTimeout(late);
    });
    next();
  };

/**
 * `POST /api/sms/status`, Twilio's status callbacks (204), and `POST /api/sms/inbound`, messages to us (empty TwiML). Of
 * requests that Twilio has not signed nothing is kept: 403. 503 where the database is away.
 */
export function smsRouter(options: SmsCallbackOptions): Router {
  const { publicUrl, authToken, log } = options;
  const router = Router();
  const inTime = limitedInTime(options.bodyTimeoutMs);

  /** The fields of a body that Twilio signed for that path; else `null`, answered 403. */
  const signed =
    (path: string, take: (fields: CallbackFields) => Promise<void>, answered: Handler): Handler =>
    async (request, response, next) => {
      const signature = request.get('X-Twilio-Signature') ?? '';
      const fields = FIELDS.safeParse(request.body);
      const url = `${publicUrl}${path}`;
      if (!fields.success || !signedByTwilio({ authToken, signature, url, fields: fields.data })) {
        log.warn({ path, remoteAddress: request.socket.remoteAddress }, 'refused: not signed by Twilio');
        options.onRefused({ what: 'sms-callback', from: request.socket.remoteAddress ?? '', code: 'not-signed' });
        response.status(403).json({ error: 'forbidden', detail: "Twilio's signature is needed" });
        return;
      }
      await take(fields.data);
      await answered(request, response, next);
    };

  const body = express.urlencoded({
    extended: false,
    inflate: false,
    limit: MAX_BODY_BYTES,
    parameterLimit: MAX_FIELDS,
  });
  const takeReceipt = async (fields: CallbackFields): Promise<void> => {
    const receipt = readReceipt(fields);
    if (receipt === null) log.warn({}, 'a status callback that says nothing known');
    else await options.keepReceipt(receipt);
  };
  const takeInbound = async (fields: CallbackFields): Promise<void> => {
    const choice = readOptChoice(fields);
    if (choice !== null) await options.recordOptChoice(choice);
  };
  router.post(
    STATUS_PATH,
    inTime,
    body,
    signed(STATUS_PATH, takeReceipt, (_request, response) => {
      response.status(204).end();
    }),
  );
  router.post(
    INBOUND_PATH,
    inTime,
    body,
    signed(INBOUND_PATH, takeInbound, (_request, response) => {
      response.type('text/xml').send(NO_REPLY);
    }),
  );
  router.all([STATUS_PATH, INBOUND_PATH], (_request, response) => {
    response.set('Allow', 'POST').status(405).json({ error: 'method-not-allowed', detail: 'POST only' });
  });

  const onError: ErrorRequestHandler = (error, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const unreadable = UNREADABLE.safeParse(error);
    if (unreadable.success) {
      response.status(unreadable.data.status).json({ error: 'bad-request', detail: 'the body cannot be taken' });
      return;
    }
    const { code, kind } = asFailure(error);
    log.warn({ code, kind, path: request.path }, 'a callback of Twilio was not kept');
    response.status(503).set('Retry-After', '30').json({ error: code, detail: 'it cannot be kept now' });
  };
  router.use(onError);
  return router;
}
