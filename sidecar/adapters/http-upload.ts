import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import busboy, { type FileInfo } from 'busboy';
import type { Request, Response, Handler } from 'express';
import type { ApiKey } from '../core/api-key.ts';
import { cleanTag } from '../core/dicom.ts';
import { asFailure, Failure } from '../core/failure.ts';
import { plainAddress, type Refusal } from '../core/refusal-counts.ts';
import { findApiKey, presentedKey } from './api-keys.ts';

/** What became of one file, as the answer tells it. */
export interface FileAnswer {
  readonly name: string;
  readonly status: 'stored' | 'already-stored' | 'refused' | 'not-taken';
  readonly reason?: string;
  readonly orthancId?: string;
}

/** What became of one upload, broken off or not. */
export interface UploadEnd {
  readonly key: string;
  /** The address. */
  readonly from: string;
  readonly files: readonly FileAnswer[];
  /** As it is answered. */
  readonly status: number;
  readonly code: string | undefined;
}

export interface UploadOptions {
  readonly apiKeys: readonly ApiKey[];
  readonly maxFileBytes: number;
  readonly maxFiles: number;
  readonly maxConcurrent: number;
  /** Without a byte for so long a sender is cut off. */
  readonly stallTimeoutMs: number;
  readonly accept: (file: { name: string; stream: Readable }, signal: AbortSignal) => Promise<FileAnswer>;
  /** Awaited before the answer; must neither reject nor take long. */
  readonly onEnd: (end: UploadEnd) => Promise<void>;
  /** Somebody was not let in. */
  readonly onRefused: (refusal: Refusal) => void;
  readonly log: {
    readonly warn: (fields: object, message: string) => void;
    readonly info: (fields: object, message: string) => void;
  };
}

const fileName = (name = ''): string => cleanTag(name.replace(/\p{Cc}/gu, '')).slice(0, 255) || 'file';

const tooLarge = (limit: number): Failure =>
  new Failure('permanent', 'too-large', `larger than the ${limit} bytes that are taken`);

/** How long what is left of a body that was answered early is read and thrown away. */
const LINGER_MS = 3000;

const brokenOff = (cause: unknown): Failure =>
  new Failure('transient', 'upload-broken-off', 'the upload broke off', { cause });

/** What was wrong with the sender's own bytes, where that is why a file could not be stored. */
function bodyFailure(stream: Readable): Failure | null {
  if (stream.errored === null) return null;
  if (stream.errored instanceof Failure) return stream.errored;
  return new Failure('permanent', 'body-cut-short', 'the body ends before the file does');
}

interface Collected {
  readonly files: FileAnswer[];
  failure: Failure | null;
}

/** Takes one file, or after a failure of the archive tells that it was not taken. */
async function take(
  collected: Collected,
  file: { name: string; stream: Readable },
  options: UploadOptions,
  signal: AbortSignal,
) {
  const { name, stream } = file;
  if (collected.failure !== null) {
    stream.resume();
    collected.files.push({ name, status: 'not-taken', reason: 'an earlier file failed: send it again' });
    return;
  }
  try {
    collected.files.push(await options.accept(file, signal));
  } catch (error) {
    if (signal.aborted) throw brokenOff(error);
    collected.failure = bodyFailure(stream) ?? asFailure(error);
    collected.files.push({ name, status: 'not-taken', reason: collected.failure.message });
    stream.resume();
  }
}

/** Takes the files of a multipart body one after the other, each as it arrives. */
async function takeMultipart(request: Request, options: UploadOptions, signal: AbortSignal): Promise<Collected> {
  const collected: Collected = { files: [], failure: null };
  const { maxFileBytes, maxFiles } = options;
  const limits = { fileSize: maxFileBytes, files: maxFiles, fields: 100, fieldSize: 65_536, headerPairs: 100 };
  let parser: ReturnType<typeof busboy>;
  try {
    parser = busboy({ headers: request.headers, defParamCharset: 'utf8', limits });
  } catch (cause) {
    const text = 'the Content-Type is not complete multipart/form-data';
    return { files: [], failure: new Failure('permanent', 'not-multipart', text, { cause }) };
  }
  let last: Promise<void> = Promise.resolve();
  parser.on('file', (_field: string, stream: Readable, info: FileInfo) => {
    stream.once('limit', () => stream.destroy(tooLarge(maxFileBytes)));
    stream.on('error', () => undefined);
    last = last.then(() => take(collected, { name: fileName(info.filename), stream }, options, signal));
  });
  parser.on('filesLimit', () => {
    collected.failure ??= new Failure('permanent', 'too-large', `more than the ${maxFiles} files that are taken`);
  });
  request.pipe(parser);
  try {
    await finished(parser, { signal });
  } catch (error) {
    request.unpipe(parser);
    parser.destroy();
    if (signal.aborted) throw brokenOff(error);
    collected.failure ??= new Failure('permanent', 'not-multipart', 'the body is not complete multipart/form-data');
  }
  await last;
  return collected;
}

async function takeBody(request: Request, options: UploadOptions, signal: AbortSignal): Promise<Collected> {
  const collected: Collected = { files: [], failure: null };
  let size = 0;
  const limited = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      if (!Buffer.isBuffer(chunk)) continue;
      size += chunk.length;
      if (size > options.maxFileBytes) throw tooLarge(options.maxFileBytes);
      yield chunk;
    }
  };
  await take(collected, { name: 'body', stream: Readable.from(limited(), { objectMode: false }) }, options, signal);
  return collected;
}

function statusOf({ files, failure }: Collected): number {
  if (failure?.code === 'too-large') return 413;
  if (failure?.code === 'not-multipart' || failure?.code === 'body-cut-short') return 422;
  if (failure !== null) return 503;
  return files.some(({ status }) => status !== 'refused') ? 200 : 422;
}

function answer(response: Response, status: number, body: object): void {
  if (response.headersSent || response.destroyed) return;
  if (status === 503 || status === 429) response.set('Retry-After', '30');
  if (status === 401) response.set('WWW-Authenticate', 'Bearer realm="axis-portal"');
  const { req: request } = response;
  if (!request.complete) {
    // A sender that is still sending would not see the answer on a connection closed at once.
    const linger = setTimeout(() => request.socket.destroy(), LINGER_MS);
    request.once('close', () => {
      clearTimeout(linger);
    });
    request.resume();
  }
  response.status(status).json(body);
}

/**
 * `POST /api/modality/dicom`: one or many files as multipart/form-data, or one as application/dicom. 200 when at least
 * one was taken, with what became of each; 401 without a key; 413 above a limit; 415 for another content type; 422 when
 * there was no file or none was DICOM; 429 when too many upload at once; 503 when the archive cannot take it now.
 * A 413 or 503 tells too which files were stored before: sending them again does no harm.
 */
export function uploadHandler(options: UploadOptions): Handler {
  let uploading = 0;
  const upload = async (request: Request, response: Response): Promise<void> => {
    const key = findApiKey(options.apiKeys, presentedKey(request));
    if (key === null) {
      options.log.warn({ remoteAddress: request.socket.remoteAddress }, 'upload refused: no valid API key');
      options.onRefused({ what: 'upload', from: request.socket.remoteAddress ?? '', code: 'unauthorized' });
      answer(response, 401, {
        error: 'unauthorized',
        detail: 'an API key is needed: Authorization: Bearer, or X-API-Key',
      });
      return;
    }
    const isMultipart = request.is('multipart/form-data') !== false;
    if (!isMultipart && request.is('application/dicom') === false) {
      answer(response, 415, { error: 'unsupported-media-type', detail: 'multipart/form-data or application/dicom' });
      return;
    }
    if (uploading >= options.maxConcurrent) {
      answer(response, 429, { error: 'too-many-uploads', detail: 'try again later' });
      return;
    }
    uploading += 1;
    const from = plainAddress(request.socket.remoteAddress ?? '');
    // What was stored of an upload that breaks off is stored.
    const stored: FileAnswer[] = [];
    const accept: UploadOptions['accept'] = async (file, stop) => {
      const became = await options.accept(file, stop);
      stored.push(became);
      return became;
    };
    const broken = new AbortController();
    const breakOff = (): void => {
      if (!request.complete) broken.abort();
    };
    const { socket } = request;
    socket.setTimeout(options.stallTimeoutMs, breakOff);
    request.once('close', breakOff);
    try {
      const taken = await (isMultipart ? takeMultipart : takeBody)(request, { ...options, accept }, broken.signal);
      const { files, failure } = taken;
      const status = statusOf(taken);
      const counts = Object.fromEntries(
        [...Map.groupBy(files, ({ status: became }) => became)].map(([became, some]) => [became, some.length]),
      );
      options.log.info({ key, status, ...counts, code: failure?.code }, 'upload');
      await options.onEnd({ key, from, files, status, code: failure?.code });
      const detail = failure?.message ?? (files.length === 0 ? 'there is no file in the body' : undefined);
      answer(response, status, { ...(status !== 200 && { error: failure?.code ?? 'no-dicom', detail }), files });
    } catch (error) {
      const { code } = asFailure(error);
      options.log.warn({ key, code }, 'upload broken off');
      const status = code === 'upload-broken-off' ? 408 : 503;
      await options.onEnd({ key, from, files: stored, status, code });
      answer(response, status, { error: code, detail: 'the upload broke off' });
    } finally {
      uploading -= 1;
      socket.setTimeout(0).off('timeout', breakOff);
      request.off('close', breakOff);
    }
  };
  return upload;
}
