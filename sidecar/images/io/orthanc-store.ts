import { pipeline, type Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { isAxiosError, type AxiosInstance, type AxiosRequestConfig } from 'axios';
import { z } from 'zod';
import { cleanTag } from '../rules/dicom.ts';
import { Failure } from '../../platform/rules/failure.ts';
import { digesting, type ContentsDigest } from './contents-digest.ts';
import { orthancFailure } from './orthanc-failure.ts';
import { differencesTold, RESENT_METADATA } from './orthanc-instance.ts';

/** What Orthanc made of one file (Orthanc Book, "REST API": POST /instances). */
export type StoreResult =
  | { readonly status: 'stored'; readonly orthancId: string; readonly orthancStudyId: string }
  | {
      readonly status: 'already-stored';
      readonly orthancId: string;
      readonly orthancStudyId: string;
      /** What came, to be compared with what is stored. */
      readonly came: ContentsDigest;
    }
  | { readonly status: 'refused'; readonly reason: string };

const STORED = z.object({ ID: z.string(), ParentStudy: z.string(), Status: z.enum(['Success', 'AlreadyStored']) });
const ERROR_BODY = z.object({ Message: z.string().default(''), Details: z.string().default('') });

/** What Orthanc answers to a file that it will never store; 404 is "Inexistent tag". */
const REFUSALS = new Set([400, 404, 415]);

export interface StoringParts {
  readonly client: AxiosInstance;
  readonly ask: <T>(what: string, request: AxiosRequestConfig, schema: z.ZodType<T>) => Promise<T>;
  readonly timeoutMs: number;
  /** A connection that nothing else uses, closed after it. */
  readonly ownConnection: () => Pick<AxiosRequestConfig, 'httpAgent' | 'httpsAgent'>;
}

/** How a file gets into Orthanc, and what became of one whose identifiers were there. */
export function storing({ client, ask, timeoutMs, ownConnection }: StoringParts) {
  return {
    /**
     * Streams one file into Orthanc, chunked, so that it is never whole in memory here. Idempotent: a file sent twice is
     * `already-stored`. An error of `body` breaks the request off, and Orthanc then keeps nothing of it.
     */
    async store(body: Readable, signal: AbortSignal): Promise<StoreResult> {
      try {
        const headers = { 'Content-Type': 'application/dicom' };
        const { stream, digest } = digesting();
        const data = pipeline(body, stream, () => undefined);
        const request = { method: 'POST', url: '/instances', data, headers, signal, maxBodyLength: Infinity };
        // A file is streamed once, so that it cannot go out again where an idle connection was just closed.
        const answer = await client.request<unknown>({ ...ownConnection(), ...request, timeout: 0 });
        const { ID, ParentStudy, Status } = STORED.parse(answer.data);
        const ids = { orthancId: ID, orthancStudyId: ParentStudy };
        return Status === 'Success'
          ? { status: 'stored', ...ids }
          : { status: 'already-stored', ...ids, came: digest() };
      } catch (error) {
        const refusal = isAxiosError(error) ? error.response : undefined;
        if (refusal !== undefined && REFUSALS.has(refusal.status)) {
          const { Message, Details } = ERROR_BODY.safeParse(refusal.data).data ?? { Message: '', Details: '' };
          const missing = refusal.status === 404 ? 'an identifier that DICOM requires is missing: ' : '';
          return { status: 'refused', reason: missing + cleanTag(Details || Message || 'not a DICOM file') };
        }
        throw orthancFailure(error, 'store');
      }
    },

    /**
     * In what a file that is `already-stored` differs from the one that is stored: DICOM keywords, `PixelData`, `file`;
     * nothing where it is the same. What differs is then told in the feed, and was before this answers.
     */
    async differences(orthancId: string, came: ContentsDigest): Promise<readonly string[]> {
      const at = `/instances/${orthancId}`;
      const text = z.unknown().transform(String);
      if ((await ask('md5', { url: `${at}/attachments/dicom/md5` }, text)) === came.file) return [];
      const told = await ask(
        'metadata',
        { url: `${at}/metadata/${RESENT_METADATA}`, responseType: 'text' },
        text,
      ).catch((error: unknown) => {
        if (error instanceof Failure && error.code === 'orthanc-404') return '';
        throw error;
      });
      const there = digesting();
      try {
        const request: AxiosRequestConfig = { url: `${at}/file`, responseType: 'stream', timeout: timeoutMs * 10 };
        const answer = await client.request<Readable>(request);
        await finished(answer.data.pipe(there.stream).resume());
      } catch (error) {
        throw orthancFailure(error, 'file');
      }
      const isSame = there.digest().contents === came.contents;
      const { fields, tell } = differencesTold(told, isSame ? null : came);
      if (tell !== null) {
        await ask('metadata', { method: 'PUT', url: `${at}/metadata/${RESENT_METADATA}`, data: tell }, z.unknown());
      }
      return fields;
    },
  };
}
