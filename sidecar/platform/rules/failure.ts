/**
 * What an error means for whoever may try again:
 * - `transient`: nothing happened, the same call may work later (connection refused, 429, 503);
 * - `ambiguous`: it may have happened, ask before doing it again (a time-out after the request went out);
 * - `permanent`: the same call will never work (bad input, 404, a refusal).
 */
export type FailureKind = 'transient' | 'ambiguous' | 'permanent';

/**
 * The one error type that crosses from adapters into flows. An adapter classifies what its vendor throws once, at the
 * place where it is thrown; nobody classifies again. `code` is short, stable and free of patient data
 * (`orthanc-415`, `blob-403`), `message` is for whoever must act and free of patient data too.
 */
export class Failure extends Error {
  readonly kind: FailureKind;
  readonly code: string;

  constructor(kind: FailureKind, code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'Failure';
    this.kind = kind;
    this.code = code;
  }
}

/** `error` as a {@link Failure}: itself when it is one, else transient, since what nobody foresaw may pass. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new Failure('transient', 'unexpected', message, { cause: error });
}

const CONNECTION_NEVER_MADE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/**
 * Classifies an HTTP exchange that failed: `status` of the answer, or the socket's error `code` where there was none.
 * `idempotent` says that the request may be sent twice without harm, so that an unclear end is merely transient.
 */
export function httpFailureKind(outcome: { status?: number; code?: string; idempotent: boolean }): FailureKind {
  const { status, code, idempotent } = outcome;
  if (status === 429) return 'transient';
  if (status !== undefined && status < 500) return 'permanent';
  if (code !== undefined && CONNECTION_NEVER_MADE.has(code)) return 'transient';
  return idempotent ? 'transient' : 'ambiguous';
}

/**
 * Milliseconds to wait before attempt `attempt + 1` (attempts count from 1): doubling from `baseMs` up to `maxMs`, the
 * upper half drawn by `random` (0 to 1) so that many waiters do not come back at once.
 */
export function retryDelayMs(attempt: number, random: number, baseMs = 500, maxMs = 30_000): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}
