import { Failure, type FailureKind } from '../../platform/rules/failure.ts';

/** Where renderings are kept, for whoever the practice shows them to. Nobody else can read them. */
export interface BlobStore {
  /** What it is called to a person, such as where a failure is listed. */
  readonly name: string;
  /**
   * Writes a JPEG over whatever has that name, and gives its address, which opens nothing by itself. Idempotent. Makes
   * the place for it, private, if it is not there.
   */
  readonly write: (name: string, jpeg: Buffer) => Promise<string>;
  /** Removes a blob; does nothing where there is none. */
  readonly remove: (name: string) => Promise<void>;
  /** The names that begin with `prefix`, page by page. */
  readonly names: (prefix: string) => AsyncIterable<readonly string[]>;
  /** Answers when the store does; makes its place, private, if it is not there. */
  readonly ping: () => Promise<void>;
}

/** The one type of failure of a blob store. `code` says what happened, and `about` what it speaks against. */
export class BlobFailure extends Failure {
  /** The `store`, whatever it is asked for, or the one `blob`. */
  readonly about: 'store' | 'blob';

  constructor(
    about: 'store' | 'blob',
    kind: FailureKind,
    code: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(kind, code, message, options);
    this.name = 'BlobFailure';
    this.about = about;
  }
}

/** Whether a failure speaks against the store and not against the one blob that was asked for. */
export function isOfStore(failure: Failure): boolean {
  return failure instanceof BlobFailure && failure.about === 'store';
}
