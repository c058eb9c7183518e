import express, { Router, type ErrorRequestHandler, type Handler, type Request, type Response } from 'express';
import { z } from 'zod';
import { plainAddress } from '../../platform/rules/address.ts';
import { asFailure } from '../../platform/rules/failure.ts';
import type { Act, FailedImages, StudyView, WorkItem } from '../rules/work.ts';
import { clientAddress, type LetIn } from '../../access/io/http-guard.ts';
import { ACT_BODIES, BY_BODY, DAYS, openApi, RETRY_BODY } from './openapi.ts';
import type { By, Viewer } from '../../audit/rules/who.ts';

export interface OperatorOptions {
  /** What needs a person; provisional studies from so many days on. */
  readonly work: (days: number, viewer: Viewer) => Promise<readonly WorkItem[]>;
  /** `viewer`: who sees it; `null` after an act of the same request. */
  readonly show: (studyInstanceUid: string, viewer: Viewer | null) => Promise<StudyView | null>;
  readonly resolve: (studyInstanceUid: string, act: Act, by: By) => Promise<void>;
  readonly replay: (hl7MessageId: string, by: By) => Promise<void>;
  /** Gives how many images it has tried again. */
  readonly retryImages: (which: FailedImages, by: By) => Promise<number>;
  readonly log: { readonly warn: (fields: object, message: string) => void };
}

const MAX_BODY_BYTES = 65_536;

/** The failures that say something of the request; whatever else fails is the server's. */
const STATUS: Readonly<Record<string, number>> = {
  'study-unknown': 404,
  'message-unknown': 404,
  'study-not-there': 409,
  'accession-unknown': 409,
  'nothing-to-confirm': 409,
  'message-refused': 409,
  'message-forgotten': 409,
  'not-failed': 409,
  'who-missing': 400,
  'why-missing': 400,
  'too-long': 400,
};

/** A Study Instance UID, or Orthanc's id for what came without one. */
const UID = /^[0-9A-Za-z.-]{1,64}$/;
const UNKNOWN_STUDY = { error: 'study-unknown', detail: 'no such Study Instance UID' };

const problems = (error: z.ZodError): string =>
  error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`).join('; ');

/** Who acts is the key's name and the person that the body names: the key alone may be several people's. */
const byOf = ({ who: key, from }: Viewer, { who, why }: z.output<typeof BY_BODY>): By => ({
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
  operator.use(express.json({ limit: MAX_BODY_BYTES }));

  /** Calls `act` with the body as `schema` has it, or answers 400. */
  const withBody = async <T extends z.output<typeof BY_BODY>>(
    request: Request,
    response: Response,
    schema: z.ZodType<T>,
    act: (body: T, by: By) => Promise<object | null>,
  ): Promise<void> => {
    const body = schema.safeParse(request.body);
    if (!body.success) {
      response.status(400).json({ error: 'bad-request', detail: problems(body.error) });
      return;
    }
    response.json(await act(body.data, byOf(viewerOf(request), body.data)));
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
  operator.post('/studies/:uid/link', (request, response) =>
    withBody(request, response, ACT_BODIES.link, async ({ accessionNumber }, by) => {
      await options.resolve(request.params.uid, { kind: 'link', accessionNumber }, by);
      return options.show(request.params.uid, null);
    }),
  );
  for (const kind of ['unlink', 'confirm', 'release'] as const) {
    operator.post(`/studies/:uid/${kind}`, (request: Request<{ uid: string }>, response) =>
      withBody(request, response, ACT_BODIES[kind], async (_body, by) => {
        await options.resolve(request.params.uid, { kind }, by);
        return options.show(request.params.uid, null);
      }),
    );
  }
  operator.post('/messages/:id/replay', (request, response) =>
    withBody(request, response, BY_BODY, async (_body, by) => {
      await options.replay(request.params.id, by);
      return { id: request.params.id, answer: 'AA' };
    }),
  );
  operator.post('/images/:id/retry', (request, response) =>
    withBody(request, response, BY_BODY, async (_body, by) => {
      const which = { image: request.params.id, studyInstanceUid: null, reason: null };
      return { images: await options.retryImages(which, by) };
    }),
  );
  operator.post('/images/retry', (request, response) =>
    withBody(request, response, RETRY_BODY, async ({ studyInstanceUid = null, reason = null }, by) => ({
      images: await options.retryImages({ image: null, studyInstanceUid, reason }, by),
    })),
  );
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
    if (status !== undefined) response.status(status).json({ error: failure.code, detail: failure.message });
    else {
      options.log.warn({ code: failure.code, kind: failure.kind }, 'an operator request failed');
      response.status(503).set('Retry-After', '30').json({ error: failure.code, detail: 'it cannot be done now' });
    }
  };
  operator.use(onError);
  router.use('/api/operator', operator);
  return router;
}
