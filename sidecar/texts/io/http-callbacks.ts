import express, { Router, type ErrorRequestHandler, type Handler } from 'express';
import { z } from 'zod';
import { asFailure } from '../../platform/rules/failure.ts';
import type { Refusal } from '../../audit/rules/refusal-counts.ts';
import { optChoiceOf, type OptChoice } from '../rules/opt-out.ts';
import type { Receipt } from '../rules/receipt.ts';
import type { CallbackFields, TextCallbacks } from '../rules/vendor.ts';

export interface SmsCallbackOptions {
  /** How the vendor reaches this server, without a slash at its end: what it signs, whatever Host is asked for. */
  readonly publicUrl: string;
  readonly callbacks: TextCallbacks;
  /** The body is there by then, or the connection is closed. */
  readonly bodyTimeoutMs: number;
  readonly keepReceipt: (receipt: Receipt) => Promise<void>;
  readonly recordOptChoice: (choice: OptChoice) => Promise<void>;
  /** Somebody who is not the vendor. */
  readonly onRefused: (refusal: Refusal) => void;
  readonly log: { readonly warn: (fields: object, message: string) => void };
}

/** Where the vendor posts what became of a text, after the public URL. */
export const STATUS_PATH = '/api/sms/status';
const INBOUND_PATH = '/api/sms/inbound';

const MAX_BODY_BYTES = 16_384;
const MAX_FIELDS = 200;

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
 * `POST /api/sms/status`, what became of texts (204), and `POST /api/sms/inbound`, messages to us (an answer that sends
 * nothing back). Of requests that are not the vendor's own nothing is kept: 403. 503 where the database is away.
 */
export function smsRouter(options: SmsCallbackOptions): Router {
  const { publicUrl, callbacks, log } = options;
  const { vendor, noReply } = callbacks;
  const router = Router();
  const inTime = limitedInTime(options.bodyTimeoutMs);

  /** Takes what the vendor itself posted to that path; else it is answered 403. */
  const genuine =
    (path: string, take: (fields: CallbackFields) => Promise<void>, answered: Handler): Handler =>
    async (request, response, next) => {
      const header = (name: string): string => request.get(name) ?? '';
      const fields = FIELDS.safeParse(request.body);
      const url = `${publicUrl}${path}`;
      if (!fields.success || !callbacks.isGenuine({ url, header, fields: fields.data })) {
        log.warn({ path, remoteAddress: request.socket.remoteAddress }, `refused: not signed by ${vendor}`);
        options.onRefused({ what: 'sms-callback', from: request.socket.remoteAddress ?? '', code: 'not-signed' });
        response.status(403).json({ error: 'forbidden', detail: `${vendor}'s signature is needed` });
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
    const receipt = callbacks.receipt(fields);
    if (receipt === null) log.warn({}, 'a status callback that says nothing known');
    else await options.keepReceipt(receipt);
  };
  const takeInbound = async (fields: CallbackFields): Promise<void> => {
    const message = callbacks.inbound(fields);
    const choice = message === null ? null : optChoiceOf(message);
    if (choice !== null) await options.recordOptChoice(choice);
  };
  router.post(
    STATUS_PATH,
    inTime,
    body,
    genuine(STATUS_PATH, takeReceipt, (_request, response) => {
      response.status(204).end();
    }),
  );
  router.post(
    INBOUND_PATH,
    inTime,
    body,
    genuine(INBOUND_PATH, takeInbound, (_request, response) => {
      response.type(noReply.type).send(noReply.body);
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
    log.warn({ code, kind, path: request.path }, `a callback of ${vendor} was not kept`);
    response.status(503).set('Retry-After', '30').json({ error: code, detail: 'it cannot be kept now' });
  };
  router.use(onError);
  return router;
}
