import express, { Router, type ErrorRequestHandler, type Handler, type Request } from 'express';
import { z } from 'zod';
import { plainAddress } from '../../platform/rules/address.ts';
import { asFailure } from '../../platform/rules/failure.ts';
import type { Acts } from '../acts.ts';
import { ACTS, BY, type Act } from '../definitions.ts';
import { PatientDiffers } from '../rules/patient-differs.ts';
import { BY_REFUSALS } from '../rules/by.ts';
import { clientAddress, type LetIn } from '../../access/io/http-guard.ts';
import { messagesOfFile } from '../../hl7/rules/file-messages.ts';
import { DAYS, openApi } from './openapi.ts';
import type { By, Viewer } from '../../audit/rules/who.ts';

export interface OperatorOptions extends Acts {
  readonly log: { readonly warn: (fields: object, message: string) => void };
}

const MAX_BODY_BYTES = 65_536;
const MAX_TRIED_BYTES = 1_048_576;

/** The failures that say something of the request; whatever else fails is the server's. */
const STATUS: Readonly<Record<string, number>> = Object.fromEntries(
  [BY_REFUSALS, ...ACTS.map(({ refusals }) => refusals)].flatMap((refusals) => Object.entries(refusals)),
);

/** A Study Instance UID, or Orthanc's id for what came without one. */
const UID = /^[0-9A-Za-z.-]{1,64}$/;
const SUBJECT = z.string();
const UNKNOWN_STUDY = { error: 'study-unknown', detail: 'no such Study Instance UID' };

const problems = (error: z.ZodError): string =>
  error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`).join('; ');

/** Who acts is the key's name and the person that the body names: the key alone may be several people's. */
const byOf = ({ who: key, from }: Viewer, { who, why }: z.output<typeof BY>): By => ({
  who: `${key}: ${who}`,
  why,
  from,
});

/**
 * `/api/operator/…` for whoever has a key or certificate of the operators', and its description at `/api/openapi.json` for
 * everybody. Errors are JSON, `{error, detail}`, with a code that stays and a text without patient data.
 */
export function operatorRouter(options: OperatorOptions, letIn: LetIn, rate: Handler): Router {
  const router = Router();
  const description = openApi();
  router.get('/api/openapi.json', (_request, response) => {
    response.json(description);
  });

  const operator = Router();
  const keys = new WeakMap<Request, string>();
  const viewerOf = (request: Request): Viewer => ({
    who: keys.get(request) ?? '',
    from: plainAddress(clientAddress(request)),
  });
  operator.use(async (request, response, next) => {
    const key = await letIn(request, response);
    if (key === null) return;
    keys.set(request, key);
    next();
  });
  operator.use(rate);
  operator.param('uid', (_request, response, next, uid: string) => {
    if (UID.test(uid)) next();
    else response.status(404).json(UNKNOWN_STUDY);
  });
  operator.use(
    express.json({
      limit: MAX_BODY_BYTES,
      type: ({ url, headers }) => url !== '/messages/try' && /json/.test(headers['content-type'] ?? ''),
    }),
  );

  const serve =
    (act: Act): Handler =>
    async (request, response) => {
      const body = BY.extend(act.input.shape).safeParse(request.body);
      if (!body.success) {
        response.status(400).json({ error: 'bad-request', detail: problems(body.error) });
        return;
      }
      const subject = act.subject === null ? '' : SUBJECT.parse(request.params[act.subject.name]);
      const { json } = await act.perform(options, subject, body.data, byOf(viewerOf(request), BY.parse(body.data)));
      response.json(json);
    };

  operator.get('/work', async (request, response) => {
    const query = DAYS.safeParse(request.query);
    if (!query.success) {
      response.status(400).json({ error: 'bad-request', detail: problems(query.error) });
      return;
    }
    response.json(await options.work(query.data.days, viewerOf(request)));
  });
  operator.get('/studies/:uid', async (request, response) => {
    const study = await options.show(request.params.uid, viewerOf(request));
    if (study === null) response.status(404).json(UNKNOWN_STUDY);
    else response.json(study);
  });
  operator.get('/messages/:id', async (request, response) => {
    const message = await options.showMessage(request.params.id, viewerOf(request));
    if (message === null) response.status(404).json({ error: 'message-unknown', detail: 'no such message' });
    else response.json(message);
  });
  operator.post(
    '/messages/try',
    express.raw({ type: () => true, limit: MAX_TRIED_BYTES }),
    async (request, response) => {
      const raw: unknown = request.body;
      if (Buffer.isBuffer(raw)) response.json(await options.tryMessages(messagesOfFile(raw), viewerOf(request)));
      else response.status(400).json({ error: 'bad-request', detail: 'the body must be HL7 messages' });
    },
  );
  operator.get('/texts/:accession', async (request, response) => {
    const text = await options.showText(request.params.accession, viewerOf(request));
    if (text === null) response.status(404).json({ error: 'text-unknown', detail: 'no text tells of that number' });
    else response.json(text);
  });
  for (const act of ACTS) operator.post(act.route.replace(/\{(\w+)\}/g, ':$1'), serve(act));
  const onError: ErrorRequestHandler = (error, _request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const unreadable = z.object({ status: z.literal([400, 413, 415]), expose: z.literal(true) }).safeParse(error);
    if (error instanceof URIError) {
      response.status(400).json({ error: 'bad-request', detail: 'the path cannot be read' });
      return;
    }
    if (unreadable.success) {
      response.status(unreadable.data.status).json({ error: 'bad-request', detail: 'the body must be JSON' });
      return;
    }
    const failure = asFailure(error);
    const status = STATUS[failure.code];
    const shown = failure instanceof PatientDiffers ? { compared: failure.compared } : {};
    if (status !== undefined) {
      response.status(status).json({ error: failure.code, detail: failure.message, ...shown });
    } else {
      options.log.warn({ code: failure.code, kind: failure.kind }, 'an operator request failed');
      response.status(503).set('Retry-After', '30').json({ error: failure.code, detail: 'it cannot be done now' });
    }
  };
  operator.use(onError);
  router.use('/api/operator', operator);
  return router;
}
