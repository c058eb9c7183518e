import type { HttpGuard } from '../../adapters/http-guard.ts';

/** A guard of plain HTTP that knows no key, but for what is changed of it. */
export function httpGuard(changed: Partial<HttpGuard> = {}): HttpGuard {
  return {
    tls: undefined,
    trustedProxies: [],
    maxConnections: 500,
    admit: () => Promise.resolve({ refused: 'no-key' }),
    onRefused: () => undefined,
    log: { warn: () => undefined, info: () => undefined },
    now: () => new Date(),
    ...changed,
  };
}
