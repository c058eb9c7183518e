import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import busboy, { type FileInfo } from 'busboy';
import type { Request, Response, Handler } from 'express';
import { cleanTag } from '../rules/dicom.ts';
import { asFailure, Failure } from '../../platform/rules/failure.ts';
import { plainAddress } from '../../platform/rules/address.ts';
import { clientAddress, type LetIn } from '../../access/io/http-guard.ts';

/** What became of one file, as the answer tells it. */
export interface FileAnswer {
  readonly name: string;
  readonly status: 'stored' | 'already-stored' | 'differs' | 'refused' | 'not-taken';
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
  readonly maxFileBytes: number;
  readonly maxFiles: number;
  /** At once; with one key or certificate half as many. */
  readonly maxConcurrent: number;
  /** A sender of whom less than {@link MIN_BYTES} came in so long is cut off. */
  readonly stallTimeoutMs: number;
  readonly accept: (file: { name: string; stream: Readable }, signal: AbortSignal) => Promise<FileAnswer>;
  /** Awaited before the answer; must neither reject nor take long. */
  readonly onEnd: (end: UploadEnd) => Promise<void>;
  readonly log: {
    readonly warn: (fields: object, message: string) => void;
    readonly info: (fields: object, message: string) => void;
  };
}

const fileName = (name = ''): string => cleanTag(name.replace(/\p{Cc}/gu, '')).slice(0, 255) || 'file';

const tooLarge = (limit: number): Failure =>
  new Failure('permanent', 'too-large', `larger than the ${limit} bytes that are taken`);

const MIN_BYTES = 16_384;
/** How often `stallTimeoutMs` the archive has, once a body is there. */
const ARCHIVE_WAITS = 10;
const MAX_FIELDS = 100;
/** How many of the largest files a form may take in all. */
const MAX_BODY_FILES = 8;

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
  const limits = {
    fileSize: maxFileBytes,
    files: maxFiles,
    fields: MAX_FIELDS,
    parts: maxFiles + MAX_FIELDS,
    fieldSize: 65_536,
    headerPairs: 100,
  };
  let parser: ReturnType<typeof busboy>;
  try {
    parser = busboy({ headers: request.headers, defParamCharset: 'utf8', limits });
  } catch (cause) {
    const text = 'the Content-Type is not complete multipart/form-data';
    return { files: [], failure: new Failure('permanent', 'not-multipart', text, { cause }) };
  }
  // What goes wrong is told by `finished`, but for what follows of it when it is destroyed.
  parser.on('error', () => undefined);
  let last: Promise<void> = Promise.resolve();
  parser.on('file', (_field: string, stream: Readable, info: FileInfo) => {
    stream.once('limit', () => stream.destroy(tooLarge(maxFileBytes)));
    stream.on('error', () => undefined);
    last = last.then(() => take(collected, { name: fileName(info.filename), stream }, options, signal));
  });
  parser.on('filesLimit', () => {
    collected.failure ??= new Failure('permanent', 'too-large', `more than the ${maxFiles} files that are taken`);
  });
  parser.on('partsLimit', () => {
    collected.failure ??= new Failure('permanent', 'too-large', `more than the ${limits.parts} parts that are taken`);
  });
  let size = 0;
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxFileBytes * MAX_BODY_FILES || parser.destroyed) return;
    collected.failure ??= tooLarge(maxFileBytes * MAX_BODY_FILES);
    request.unpipe(parser);
    parser.destroy(collected.failure);
  });
  request.pipe(parser);
  try {
    await finished(parser, { signal });
  } catch (error) {
    request.unpipe(parser);
    parser.destroy();
    if (signal.aborted) {
      await last.catch(() => undefined);
      throw brokenOff(error);
    }
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
  const stream = Readable.from(limited(), { objectMode: false });
  const { promise: given, reject: giveUp } = Promise.withResolvers<never>();
  const abort = (): void => {
    giveUp(brokenOff(signal.reason));
  };
  signal.addEventListener('abort', abort);
  try {
    // A body of which nothing comes ends only with its connection.
    await Promise.race([take(collected, { name: 'body', stream }, options, signal), given]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
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
  // A sender that is still sending would not see the answer on a connection closed at once.
  if (!response.req.complete) response.req.resume();
  response.status(status).json(body);
}

/** Calls `breakOff` where too little of a body comes, or the archive takes too long over what came. */
function watchProgress(request: Request, stallTimeoutMs: number, breakOff: () => void): Disposable {
  const { socket } = request;
  let seen = socket.bytesRead;
  let waits = 0;
  const timer = setInterval(() => {
    const came = socket.bytesRead - seen;
    seen = socket.bytesRead;
    if (request.complete) waits += 1;
    if (request.complete ? waits >= ARCHIVE_WAITS : came < MIN_BYTES) breakOff();
  }, stallTimeoutMs);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
    },
  };
}

/**
 * `POST /api/modality/dicom`: one or many files as multipart/form-data, or one as application/dicom. 200 when at least
 * one was taken, with what became of each; 401 without a key; 413 above a limit; 415 for another content type; 422 when
 * there was no file or none was DICOM; 429 when too many upload at once; 503 when the archive cannot take it now.
 * A 413 or 503 tells too which files were stored before: sending them again does no harm.
 */
export function uploadHandler(options: UploadOptions, letIn: LetIn): Handler {
  let uploading = 0;
  const uploadingOf = new Map<string, number>();
  const mostOfOne = Math.ceil(options.maxConcurrent / 2);
  const count = (key: string, more: 1 | -1): void => {
    uploading += more;
    const own = (uploadingOf.get(key) ?? 0) + more;
    if (own === 0) uploadingOf.delete(key);
    else uploadingOf.set(key, own);
  };
  const upload = async (request: Request, response: Response): Promise<void> => {
    const key = await letIn(request, response);
    if (key === null || request.destroyed) return;
    const isMultipart = request.is('multipart/form-data') !== false;
    if (!isMultipart && request.is('application/dicom') === false) {
      answer(response, 415, { error: 'unsupported-media-type', detail: 'multipart/form-data or application/dicom' });
      return;
    }
    if (uploading >= options.maxConcurrent || (uploadingOf.get(key) ?? 0) >= mostOfOne) {
      answer(response, 429, { error: 'too-many-uploads', detail: 'try again later' });
      return;
    }
    count(key, 1);
    const from = plainAddress(clientAddress(request));
    // What was stored of an upload that breaks off is stored.
    const stored: FileAnswer[] = [];
    const accept: UploadOptions['accept'] = async (file, stop) => {
      const became = await options.accept(file, stop);
      stored.push(became);
      return became;
    };
    const broken = new AbortController();
    const breakOff = (): void => {
      broken.abort();
    };
    const closed = (): void => {
      if (!request.complete) breakOff();
    };
    const { socket } = request;
    const idleTimeoutMs = socket.timeout ?? 0;
    socket.setTimeout(0);
    request.once('close', closed);
    const progress = watchProgress(request, options.stallTimeoutMs, breakOff);
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
      const status = code === 'upload-broken-off' && !request.complete ? 408 : 503;
      await options.onEnd({ key, from, files: stored, status, code });
      answer(response, status, { error: code, detail: 'the upload broke off' });
    } finally {
      count(key, -1);
      progress[Symbol.dispose]();
      socket.setTimeout(idleTimeoutMs);
      request.off('close', closed);
    }
  };
  return upload;
}
