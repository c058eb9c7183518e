import { timingSafeEqual } from 'node:crypto';
import { TLSSocket } from 'node:tls';
import type { Request } from 'express';
import type { ApiKey, ApiKeyScope, RegisteredKey } from '../rules/api-key.ts';
import { Failure } from '../../platform/rules/failure.ts';
import { findApiKey, hashOf, presentedKey } from './api-keys.ts';

export interface AdmissionDeps {
  /** The keys of the settings. */
  readonly settings: Readonly<Record<ApiKeyScope, readonly ApiKey[]>>;
  /** The registered keys and certificates. */
  readonly load: () => Promise<readonly RegisteredKey[]>;
  readonly markUsed: (id: string, now: Date) => Promise<void>;
  readonly now: () => Date;
}

/** Who asks, by the name of the key or certificate; or why nobody is let in, with a code for the log alone. */
export type Admission = { readonly name: string } | { readonly refused: string };

/** @throws Failure transient where the registered keys are needed and cannot be looked up. */
export type Admit = (request: Request, scope: ApiKeyScope) => Promise<Admission>;

/** How old what is known of the registered keys may be: a withdrawal holds after that. */
const FRESH_MS = 2000;
/** How old it may be while the database is away, which is where keys are withdrawn. */
const STALE_MS = 600_000;
const MARK_MS = 60_000;

/** The client certificate that a request came with, `null` for none; `problem` says what is wrong with it. */
function presentedCertificate(request: Request, now: Date): { sha256: string; problem: string | null } | null {
  const { socket } = request;
  if (!(socket instanceof TLSSocket)) return null;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return null;
  const sha256 = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
  const error: unknown = socket.authorizationError;
  const untrusted = typeof error === 'string' ? error : 'certificate-untrusted';
  // A connection may live longer than what it began with.
  const expired = now.getTime() > Date.parse(certificate.validTo) ? 'CERT_HAS_EXPIRED' : null;
  return { sha256, problem: socket.authorized ? expired : untrusted };
}

function find(registered: readonly RegisteredKey[], kind: RegisteredKey['kind'], hash: Buffer): RegisteredKey[] {
  return registered.filter((one) => {
    const same = timingSafeEqual(hash, Buffer.from(one.sha256, 'hex'));
    return same && one.kind === kind;
  });
}

/**
 * Says who asks, by a key (of the settings or registered) or by a registered client certificate, which must be good too:
 * signed by an authority that the server trusts, and in its time. A request that shows a key is judged by that alone.
 * Registered ones are looked up at most every {@link FRESH_MS}, however many ask.
 */
export function createAdmission(deps: AdmissionDeps): Admit {
  const { settings, now } = deps;
  let known: { readonly keys: readonly RegisteredKey[]; readonly at: number; readonly triedAt: number } | undefined;
  let loading: Promise<readonly RegisteredKey[]> | undefined;
  const marked = new Map<string, number>();

  const load = async (): Promise<readonly RegisteredKey[]> => {
    const at = now().getTime();
    try {
      known = { keys: await deps.load(), at, triedAt: at };
    } catch (error) {
      if (known === undefined || at - known.at > STALE_MS) throw error;
      known = { ...known, triedAt: at };
    }
    return known.keys;
  };
  const registered = (): Promise<readonly RegisteredKey[]> => {
    if (known !== undefined && now().getTime() - known.triedAt < FRESH_MS) return Promise.resolve(known.keys);
    loading ??= load().finally(() => {
      loading = undefined;
    });
    return loading;
  };
  const used = async ({ id }: RegisteredKey): Promise<void> => {
    const at = now();
    const last = marked.get(id);
    if (last !== undefined && at.getTime() - last < MARK_MS) return;
    marked.set(id, at.getTime());
    await deps.markUsed(id, at).catch((error: unknown) => {
      // Not for that is anybody turned away; the next use says it.
      if (!(error instanceof Failure)) throw error;
      marked.delete(id);
    });
  };
  const admitted = async (found: readonly RegisteredKey[], scope: ApiKeyScope): Promise<Admission | null> => {
    const holding = found.filter(({ withdrawnAt }) => withdrawnAt === null);
    const key = holding.find((one) => one.scope === scope);
    if (key !== undefined) {
      await used(key);
      return { name: key.name };
    }
    if (holding.length > 0) return { refused: 'not-for-this' };
    return found.length > 0 ? { refused: 'withdrawn' } : null;
  };

  return async (request, scope) => {
    const presented = presentedKey(request);
    if (presented !== '') {
      const name = findApiKey(settings[scope], presented);
      if (name !== null) return { name };
      const found = await admitted(find(await registered(), 'key', hashOf(presented)), scope);
      if (found !== null) return found;
      const elsewhere = findApiKey([...settings.upload, ...settings.operator], presented);
      return { refused: elsewhere === null ? 'key-unknown' : 'not-for-this' };
    }
    const certificate = presentedCertificate(request, now());
    if (certificate === null) return { refused: 'no-key' };
    if (certificate.problem !== null) return { refused: certificate.problem };
    const found = await admitted(
      find(await registered(), 'certificate', Buffer.from(certificate.sha256, 'hex')),
      scope,
    );
    return found ?? { refused: 'certificate-unknown' };
  };
}
