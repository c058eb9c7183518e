import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import express, { type ErrorRequestHandler } from 'express';
import helmet from 'helmet';
import { z } from 'zod';
import { asFailure } from '../platform/rules/failure.ts';
import { guardServer, letIn, limitBodies, operatorRate, type HttpGuard } from '../access/io/http-guard.ts';
import { smsRouter, type SmsCallbackOptions } from '../texts/io/http-callbacks.ts';
import { operatorRouter, type OperatorOptions } from '../operators/io/http.ts';
import { listen } from '../platform/net/listen.ts';
import { uploadHandler, type UploadOptions } from '../images/io/http-upload.ts';
import { followTlsFiles, tlsOptions } from '../platform/net/tls-files.ts';
import type { PartReadiness } from '../monitoring/readiness.ts';

export interface HttpOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Ends within seconds, whatever hangs. */
  readonly readiness: () => Promise<readonly PartReadiness[]>;
  readonly upload: UploadOptions;
  readonly operator: OperatorOptions;
  readonly guard: HttpGuard;
  /** The text vendor's callbacks; without it they are not there. */
  readonly sms: SmsCallbackOptions | undefined;
  readonly closeTimeoutMs: number;
}

export interface HttpServer extends AsyncDisposable {
  readonly port: number;
}

const UPLOAD_PATH = '/api/modality/dicom';
const LIMITS = {
  headersTimeout: 10_000,
  connectionsCheckingInterval: 2000,
  // Uploads may take long: limitBodies and the upload itself see to it that something comes.
  requestTimeout: 0,
  keepAliveTimeout: 5000,
  maxHeaderSize: 16_384,
};
const MAX_HEADERS = 100;
/** Without a byte in either direction for so long a connection is cut. */
const IDLE_TIMEOUT_MS = 120_000;

/** However many ask at once, one answer is worked out for all of them. */
function shared<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= work().finally(() => {
      running = undefined;
    });
    return running;
  };
}

const BAD_REQUEST = z.object({ status: z.int().min(400).max(499) });

/**
 * `GET /healthz` (the process lives), `GET /readyz` (200 when every part works, else 503, each part named), the
 * upload and what operators do. Closing takes no new requests and lets those in work finish, up to a limit.
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { guard } = options;
  const readiness = shared(options.readiness);
  const admission = letIn(guard);
  const app = express();
  if (guard.trustedProxies.length > 0) app.set('trust proxy', [...guard.trustedProxies]);
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(helmet());
  app.use((_request, response, next) => {
    response.set('Cache-Control', 'no-store');
    next();
  });
  app.use(limitBodies((request) => request.method === 'POST' && request.path === UPLOAD_PATH));
  app.get('/healthz', (_request, response) => {
    response.json({ ok: true });
  });
  app.get('/readyz', async (_request, response) => {
    const parts = await readiness();
    const ok = parts.every((part) => part.ok);
    response.status(ok ? 200 : 503).json({ ok, parts });
  });
  app.post(UPLOAD_PATH, uploadHandler(options.upload, admission('upload', 'axis-portal')));
  app.all(UPLOAD_PATH, (_request, response) => {
    response.set('Allow', 'POST').status(405).json({ error: 'method-not-allowed', detail: 'POST only' });
  });
  if (options.sms !== undefined) app.use(smsRouter(options.sms));
  app.use(operatorRouter(options.operator, admission('operator', 'axis-operator'), operatorRate(guard)));
  app.use((_request, response) => {
    response.status(404).json({ error: 'not-found', detail: 'there is nothing here' });
  });
  const onError: ErrorRequestHandler = (error, _request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    if (BAD_REQUEST.safeParse(error).success) {
      response.status(400).json({ error: 'bad-request', detail: 'the request cannot be read' });
      return;
    }
    response.status(500).json({ error: asFailure(error).code, detail: 'the request failed' });
  };
  app.use(onError);

  const server =
    guard.tls === undefined
      ? createServer(LIMITS, app)
      : createTlsServer({ ...LIMITS, ...tlsOptions(guard.tls, false) }, app);
  server.maxHeadersCount = MAX_HEADERS;
  server.setTimeout(IDLE_TIMEOUT_MS);
  const { destroyAll } = guardServer(server, guard);
  const port = await listen(server, options.port, options.host);
  const following =
    guard.tls !== undefined && 'setSecureContext' in server ? followTlsFiles(server, guard.tls, guard.log) : undefined;
  return {
    port,
    async [Symbol.asyncDispose]() {
      following?.[Symbol.dispose]();
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      const late = setTimeout(() => {
        server.closeAllConnections();
        destroyAll();
      }, options.closeTimeoutMs);
      await closed;
      clearTimeout(late);
    },
  };
}
