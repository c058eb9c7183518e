import { once } from 'node:events';
import { createServer } from 'node:http';
import express, { type ErrorRequestHandler } from 'express';
import helmet from 'helmet';
import { asFailure } from '../core/failure.ts';
import { smsRouter, type SmsCallbackOptions } from './http-sms.ts';
import { operatorRouter, type OperatorOptions } from './http-operator.ts';
import { uploadHandler, type UploadOptions } from './http-upload.ts';

/** Whether one part works; `detail` is for an operator, without secrets. */
export interface PartReadiness {
  readonly name: string;
  readonly ok: boolean;
  readonly detail?: string;
}

export interface HttpOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Ends within seconds, whatever hangs. */
  readonly readiness: () => Promise<readonly PartReadiness[]>;
  readonly upload: UploadOptions;
  readonly operator: OperatorOptions;
  /** Twilio's callbacks; without it they are not there. */
  readonly sms: SmsCallbackOptions | undefined;
  readonly closeTimeoutMs: number;
}

export interface HttpServer extends AsyncDisposable {
  readonly port: number;
}

/**
 * `GET /healthz` (the process lives), `GET /readyz` (200 when every part works, else 503, each part named), the
 * upload and what operators do. Closing takes no new requests and lets those in work finish, up to a limit.
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(helmet());
  app.use((_request, response, next) => {
    response.set('Cache-Control', 'no-store');
    next();
  });
  app.get('/healthz', (_request, response) => {
    response.json({ ok: true });
  });
  app.get('/readyz', async (_request, response) => {
    const parts = await options.readiness();
    const ok = parts.every((part) => part.ok);
    response.status(ok ? 200 : 503).json({ ok, parts });
  });
  app.post('/api/modality/dicom', uploadHandler(options.upload));
  app.all('/api/modality/dicom', (_request, response) => {
    response.set('Allow', 'POST').status(405).json({ error: 'method-not-allowed', detail: 'POST only' });
  });
  if (options.sms !== undefined) app.use(smsRouter(options.sms));
  app.use(operatorRouter(options.operator));
  app.use((_request, response) => {
    response.status(404).json({ error: 'not-found', detail: 'there is nothing here' });
  });
  const onError: ErrorRequestHandler = (error, _request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    response.status(500).json({ error: asFailure(error).code, detail: 'the request failed' });
  };
  app.use(onError);

  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 0, keepAliveTimeout: 5000, maxHeaderSize: 16_384 },
    app,
  );
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      const late = setTimeout(() => {
        server.closeAllConnections();
      }, options.closeTimeoutMs);
      await closed;
      clearTimeout(late);
    },
  };
}
