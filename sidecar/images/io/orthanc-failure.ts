import { isAxiosError, type AxiosError } from 'axios';
import { z } from 'zod';
import { Failure, httpFailureKind } from '../../platform/rules/failure.ts';

const RESET = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);

/** What is cancelled has run into its time limit, or whoever wanted it is gone. */
const timedOut = ({ code, message }: AxiosError): boolean => code === 'ERR_CANCELED' || message.includes('timeout');

/** The connection was made and then broken off. */
export const wentAway = (error: AxiosError): boolean =>
  !timedOut(error) && (RESET.has(error.code ?? '') || error.message === 'stream has been aborted');

/**
 * What axios or a schema threw, classified: `orthanc-STATUS` where there is one, `orthanc-unreachable` where no
 * connection came about, `orthanc-went-away` where it broke off, `orthanc-timeout`. The message names the request, never what
 * was in it.
 */
export function orthancFailure(error: unknown, what: string): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof z.ZodError) {
    return new Failure('transient', 'orthanc-answer', `Orthanc: ${what}: an answer of an unknown shape`, {
      cause: error,
    });
  }
  if (!isAxiosError(error)) return new Failure('transient', 'orthanc-unknown', `Orthanc: ${what}`, { cause: error });
  if (error.code === 'ERR_BAD_RESPONSE' && error.message.startsWith('maxContentLength')) {
    return new Failure('permanent', 'too-large', `Orthanc: ${what}: larger than is taken`);
  }
  // What breaks off has a status too: the answer had begun.
  const status = wentAway(error) ? undefined : error.response?.status;
  // Credentials and disk space are put right by a person, and what was asked for is then still wanted.
  const mendable = status === 401 || status === 403 || status === 507;
  const outcome = { ...(status !== undefined && { status }), ...(error.code !== undefined && { code: error.code }) };
  const kind = mendable ? 'transient' : httpFailureKind({ ...outcome, idempotent: true });
  const code = `orthanc-${status ?? (wentAway(error) ? 'went-away' : timedOut(error) ? 'timeout' : 'unreachable')}`;
  return new Failure(kind, code, `Orthanc: ${what}: ${status ?? error.code ?? 'no answer'}`);
}
