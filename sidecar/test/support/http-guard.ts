import { createRateLimits } from '../../access/io/rate-limits.ts';
import type { HttpGuard } from '../../access/io/http-guard.ts';
import { startHttp, type HttpOptions, type HttpServer } from '../../app/http.ts';

const never = () => Promise.reject(new Error('not here'));
const log = { warn: () => undefined, info: () => undefined };

/** A guard of plain HTTP that knows no key, but for what is changed of it. */
export function httpGuard(changed: Partial<HttpGuard> = {}): HttpGuard {
  return {
    tls: undefined,
    trustedProxies: [],
    maxConnections: 500,
    admit: () => Promise.resolve({ refused: 'no-key' }),
    onRefused: () => undefined,
    log: { warn: () => undefined, info: () => undefined },
    limits: createRateLimits(null),
    ...changed,
  };
}

/** The real HTTP server on a free port of 127.0.0.1, with nothing behind its routes, but for what is changed of it. */
export function serveHttp(changed: Partial<HttpOptions>): Promise<HttpServer> {
  const limits = { maxFileBytes: 1, maxFiles: 1, maxConcurrent: 1, stallTimeoutMs: 1000 };
  return startHttp({
    host: '127.0.0.1',
    port: 0,
    readiness: () => Promise.resolve([]),
    closeTimeoutMs: 500,
    operator: {
      work: never,
      show: never,
      showOrder: never,
      showMessage: never,
      tryMessages: never,
      withdrawMerge: never,
      withdrawOrder: never,
      resolve: never,
      preview: never,
      replay: never,
      retryImages: never,
      showText: never,
      hold: never,
      decideText: never,
      endWork: never,
      log,
    },
    upload: { ...limits, accept: never, onEnd: never, log },
    sms: undefined,
    guard: httpGuard(),
    ...changed,
  });
}
