const START = 0x0b;
const FILE_SEPARATOR = 0x1c;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

// What real senders put between frames: NULs, blanks, line ends, and a doubled end of frame.
const BETWEEN_FRAMES = new Set([0x00, 0x09, LINE_FEED, CARRIAGE_RETURN, 0x20, FILE_SEPARATOR]);

/** How much of a frame above the limit is kept, to read from it whom to answer. */
const HEAD_BYTES = 4096;

export type MllpEvent =
  | { readonly kind: 'frame'; readonly bytes: Buffer }
  /** Once for each frame that passes the limit, as it does; `head` is how it begins. The rest of it is thrown away. */
  | { readonly kind: 'too-large'; readonly head: Buffer }
  /** Bytes that belong to no frame. */
  | { readonly kind: 'garbage'; readonly bytes: number };

export interface MllpDecoder {
  /** Whether a frame has begun that has not come to its end. */
  readonly inside: boolean;
  /** Bytes that are held of it. */
  readonly held: number;
  /** Whether the last byte was a 1C: an end without its 0D, unless more of the message follows. */
  readonly maybeEnded: boolean;
  /** Takes the next bytes of a connection, cut anywhere, and gives what they completed, in order. */
  push(chunk: Buffer): MllpEvent[];
  /** Nothing follows for now: a frame whose last byte was a 1C is at its end. */
  settle(): MllpEvent[];
}

/**
 * Takes MLLP frames (HL7 v2.5.1 implementation guide, appendix C: 0B … 1C 0D) out of a byte stream. Holds at most
 * `maxFrameBytes` of one frame. Put up with: NULs, blanks and line ends between frames, doubled frame bytes
 * (0B 0B … 1C 0D 1C 0D), an end with 0A in place of 0D, and one without either where the next frame begins at once or
 * where {@link MllpDecoder.settle} says that nothing follows. A 0B within a frame means that the
 * sender began anew: what came before it is garbage.
 */
export function createMllpDecoder(maxFrameBytes: number): MllpDecoder {
  let inside = false;
  let afterSeparator = false;
  let tooLarge = false;
  let size = 0;
  let parts: Buffer[] = [];
  let events: MllpEvent[] = [];
  let garbage = 0;

  const reportGarbage = (): void => {
    if (garbage > 0) events.push({ kind: 'garbage', bytes: garbage });
    garbage = 0;
  };
  const begin = (): void => {
    reportGarbage();
    [inside, afterSeparator, tooLarge, size, parts] = [true, false, false, 0, []];
  };
  const append = (bytes: Buffer): void => {
    size += bytes.length;
    if (tooLarge || bytes.length === 0) return;
    parts.push(bytes);
    // However small the pieces are that come, few are kept, and joining them copies a byte few times.
    for (let [before, last] = parts.slice(-2); before && last && before.length <= last.length;) {
      parts.splice(-2, 2, Buffer.concat([before, last]));
      [before, last] = parts.slice(-2);
    }
    if (size <= maxFrameBytes) return;
    tooLarge = true;
    events.push({ kind: 'too-large', head: Buffer.from(Buffer.concat(parts).subarray(0, HEAD_BYTES)) });
    parts = [];
  };
  const finish = (): void => {
    if (!tooLarge) events.push({ kind: 'frame', bytes: Buffer.concat(parts, size) });
    [inside, afterSeparator, parts] = [false, false, []];
  };

  return {
    get inside() {
      return inside;
    },
    get held() {
      return inside && !tooLarge ? size : 0;
    },
    get maybeEnded() {
      return inside && afterSeparator;
    },
    settle() {
      events = [];
      if (inside && afterSeparator) finish();
      return events;
    },
    push(chunk) {
      events = [];
      let from = 0;
      for (let at = 0; at < chunk.length; at += 1) {
        const byte = chunk[at] ?? 0;
        if (!inside) {
          if (byte === START) {
            begin();
            from = at + 1;
          } else if (!BETWEEN_FRAMES.has(byte)) {
            garbage += 1;
          }
        } else if (afterSeparator && (byte === CARRIAGE_RETURN || byte === LINE_FEED)) {
          finish();
        } else if (afterSeparator && byte === START) {
          finish();
          begin();
          from = at + 1;
        } else if (byte === FILE_SEPARATOR) {
          if (!afterSeparator) append(chunk.subarray(from, at));
          afterSeparator = true;
          from = at + 1;
        } else if (byte === START) {
          append(chunk.subarray(from, at));
          garbage += size;
          begin();
          from = at + 1;
        } else if (afterSeparator) {
          append(Buffer.of(FILE_SEPARATOR));
          afterSeparator = false;
          from = at;
        }
      }
      if (inside && !afterSeparator) {
        const rest = chunk.subarray(from);
        append(tooLarge ? rest : Buffer.from(rest));
      }
      reportGarbage();
      return events;
    },
  };
}

/** `message` as one MLLP frame. */
export function mllpFrame(message: Buffer): Buffer {
  return Buffer.concat([Buffer.of(START), message, Buffer.of(FILE_SEPARATOR, CARRIAGE_RETURN)]);
}
