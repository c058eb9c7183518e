import type { Server } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import { isIP, type DropArgument } from 'node:net';
import type { Handler, Request, Response } from 'express';
import type { ApiKeyScope } from '../rules/api-key.ts';
import { asFailure } from '../../platform/rules/failure.ts';
import type { RateLimits } from './rate-limits.ts';
import type { OnRefusedAccess } from '../../platform/rules/refused-access.ts';
import { addressMatcher } from '../../platform/net/addresses.ts';
import { addressKey, plainAddress } from '../../platform/rules/address.ts';
import type { Admit } from './admission.ts';
import { guardConnections, type Connections } from '../../platform/net/connections.ts';
import { onHandshakeFailed, type TlsFiles } from '../../platform/net/tls-files.ts';

export interface HttpGuard {
  /** Then the port takes HTTPS only. */
  readonly tls: TlsFiles | undefined;
  /** Addresses and ranges of proxies, whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** Of one address at most half, unless it is a trusted proxy's. */
  readonly maxConnections: number;
  readonly admit: Admit;
  readonly limits: RateLimits;
  readonly onRefused: OnRefusedAccess;
  readonly log: {
    readonly warn: (fields: object, message: string) => void;
    readonly info: (fields: object, message: string) => void;
  };
}

/** Lets the request in and gives the name of its key or certificate; or answers it, and gives `null`. */
export type LetIn = (request: Request, response: Response) => Promise<string | null>;

/** The body of whatever is no upload is there by then. */
const BODY_TIMEOUT_MS = 10_000;
/** How long what is left of a body that was answered early is read and thrown away. */
const LINGER_MS = 3000;

/** Where a request comes from: what the last trusted proxy says, else the connection's own address. */
export function clientAddress(request: Request): string {
  const said = plainAddress(request.ip ?? '');
  return isIP(said) === 0 ? plainAddress(request.socket.remoteAddress ?? '') : said;
}

function tooMany(response: Response, seconds: number): void {
  response.status(429).set('Retry-After', String(seconds));
  response.json({ error: 'too-many-requests', detail: `try again in ${seconds} s` });
}

/**
 * Who has no key or certificate for `scope` is answered 401; 429 once an address has failed too often. Who has one gets
 * in, however often others failed from the same address: it may be a whole practice's.
 */
export function letIn(guard: HttpGuard): (scope: ApiKeyScope, realm: string) => LetIn {
  return (scope, realm) => async (request, response) => {
    const admission = await guard.admit(request, scope).catch((error: unknown) => ({ failure: asFailure(error) }));
    if ('name' in admission) return admission.name;
    if ('failure' in admission) {
      response.status(503).set('Retry-After', '30');
      response.json({ error: admission.failure.code, detail: 'keys cannot be looked up now' });
      return null;
    }
    const from = clientAddress(request);
    guard.onRefused({ what: scope, from, code: admission.refused });
    const wait = await guard.limits.failures.take(addressKey(from));
    if (wait > 0) {
      tooMany(response, wait);
      return null;
    }
    response.status(401).set('WWW-Authenticate', `Bearer realm="${realm}"`);
    response.json({
      error: 'unauthorized',
      detail: `a key for this is needed (${scope}): Authorization: Bearer, or X-API-Key; or a registered certificate`,
    });
    return null;
  };
}

/** At most so many requests of one address in a minute as an operator's. */
export function operatorRate(guard: HttpGuard): Handler {
  return async (request, response, next) => {
    const wait = await guard.limits.requests.take(addressKey(clientAddress(request)));
    if (wait > 0) tooMany(response, wait);
    else next();
  };
}

/**
 * Ends the connection of who sends a body too slowly, or goes on sending one that was answered already. `isLong` tells
 * requests that have limits of their own.
 */
export function limitBodies(isLong: (request: Request) => boolean): Handler {
  return (request, response, next) => {
    const cut = (): void => {
      if (!request.complete) request.socket.destroy();
    };
    const late = isLong(request) ? undefined : setTimeout(cut, BODY_TIMEOUT_MS);
    response.once('finish', () => {
      if (!request.complete) setTimeout(cut, LINGER_MS);
    });
    response.once('close', () => {
      clearTimeout(late);
    });
    next();
  };
}

/** Limits whose connections a server takes, and tells who failed to make one. */
export function guardServer(server: Server | TlsServer, guard: HttpGuard): Connections {
  const what = guard.tls === undefined ? 'http' : 'https';
  const isProxy = addressMatcher(guard.trustedProxies);
  const mostOfOne = Math.max(1, Math.floor(guard.maxConnections / 2));
  const refused = (from: string, code: string): void => {
    guard.onRefused({ what, from: plainAddress(from), code });
  };
  const connections = guardConnections(server, {
    admits: () => true,
    mostOf: (address) => (isProxy(address) ? guard.maxConnections : mostOfOne),
    onRefused: refused,
  });
  server.maxConnections = guard.maxConnections;
  server.on('drop', (dropped?: DropArgument) => {
    refused(dropped?.remoteAddress ?? '', 'too-many-connections');
  });
  if ('setSecureContext' in server) onHandshakeFailed(server, refused);
  return connections;
}
