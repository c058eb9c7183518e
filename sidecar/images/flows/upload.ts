import { PassThrough, type Readable } from 'node:stream';

/** What became of one file; `name` is the sender's own, for the sender. */
export interface UploadedFile {
  readonly name: string;
  /** `differs`: another file of those identifiers is there, and stays; what this one says counts, and a person is told. */
  readonly status: 'stored' | 'already-stored' | 'differs' | 'refused';
  readonly reason?: string;
  readonly orthancId?: string;
}

export interface FileToAccept {
  readonly name: string;
  readonly stream: Readable;
}

type StoreResult<Digest> =
  | { readonly status: 'stored'; readonly orthancId: string }
  | { readonly status: 'already-stored'; readonly orthancId: string; readonly came: Digest }
  | { readonly status: 'refused'; readonly reason: string };

export interface AcceptDeps<Digest> {
  /** Streams a file into the archive; idempotent. An error of the stream leaves nothing behind. */
  readonly store: (body: Readable, signal: AbortSignal) => Promise<StoreResult<Digest>>;
  /** In what a file differs from the stored one of its identifiers; what differs counts, and is told, before this answers. */
  readonly differences: (orthancId: string, came: Digest) => Promise<readonly string[]>;
}

const DONE = 'what it says of patient and study counts from now on, and a person is told';

/** Where the preamble ends and `DICM` stands (PS3.10 7.1). */
const MAGIC_OFFSET = 128;
const MAGIC = 'DICM';

/** Reads just enough of `stream` to tell a DICOM file, and gives it back whole; `null` when it is none. */
async function dicomStream(stream: Readable): Promise<Readable | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) continue;
    chunks.push(chunk);
    size += chunk.length;
    if (size >= MAGIC_OFFSET + MAGIC.length) break;
  }
  const head = Buffer.concat(chunks);
  if (head.toString('latin1', MAGIC_OFFSET, MAGIC_OFFSET + MAGIC.length) !== MAGIC) return null;
  const whole = new PassThrough();
  whole.write(head);
  stream.once('error', (error) => whole.destroy(error));
  stream.pipe(whole);
  return whole;
}

/**
 * Hands one uploaded file to the archive as it arrives. What is no DICOM file (a ZIP, say, which Orthanc would unpack)
 * never reaches it. `refused` is for good; a thrown Failure is not: the sender may send the file again, since
 * storing is idempotent.
 */
export async function acceptUpload<Digest>(
  deps: AcceptDeps<Digest>,
  file: FileToAccept,
  signal: AbortSignal,
): Promise<UploadedFile> {
  const { name, stream } = file;
  const body = await dicomStream(stream);
  if (body === null) {
    stream.resume();
    return { name, status: 'refused', reason: 'not a DICOM file (PS3.10): no DICM after a 128-byte preamble' };
  }
  try {
    const result = await deps.store(body, signal);
    if (result.status === 'refused') return { name, status: 'refused', reason: result.reason };
    const { status, orthancId } = result;
    const fields = status === 'already-stored' ? await deps.differences(orthancId, result.came) : [];
    if (fields.length === 0) return { name, status, orthancId };
    const reason = `another file of these identifiers is stored and stays. This one differs in ${fields.join(', ')}: ${DONE}`;
    return { name, status: 'differs', orthancId, reason };
  } finally {
    stream.unpipe();
    stream.resume();
  }
}
