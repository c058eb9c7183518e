import { Hl7Rejection } from './rejection.ts';

/**
 * What a message may consist of. Each bound stands far above what any RIS sends, and keeps the time and memory that one
 * message takes near those of the largest real one. A message beyond one is AR, with the bound's name; none is a setting.
 */

/** Fields, repetitions, components and subcomponents: each takes much more memory than its separator did. */
export const MAX_PARTS = 500_000;
/** Repetitions: a text as a repetition for each line has some hundreds, and each telephone number costs a look. */
export const MAX_REPETITIONS = 50_000;
/** Segments: a report with an OBX for each line has some thousands, and every rule looks through all of them. */
export const MAX_SEGMENTS = 20_000;
/** Ends of lines, in broken texts too, CR LF being two: Base64 of 16 MB in lines of 76 letters has 440,000. */
export const MAX_LINE_ENDS = 500_000;
/** Escape characters: RTF of 1 MB with each backslash escaped has some 200,000. */
export const MAX_ESCAPES = 500_000;
/** Orders, reports or merges: a visit has some ten, and all of a message are written in one transaction. */
export const MAX_GROUPS = 500;
/** Messages in one envelope (FHS, BHS): they are answered together, within the time that one answer may take. */
export const MAX_ENVELOPED = 500;

/** Why a message of more than {@link MAX_GROUPS} of these is refused. */
export function tooManyGroups(segment: string, what: string): Hl7Rejection {
  return new Hl7Rejection(102, `more than ${MAX_GROUPS} ${what} in one message, and no setting raises that`, {
    segment,
  });
}

/** How often one of these is in the text; not counted further than to one more than `most`. */
export function countUpTo(text: string, sought: readonly string[], most: number): number {
  let count = 0;
  for (const one of sought) {
    if (one === '') continue;
    for (let at = text.indexOf(one); at >= 0 && count <= most; at = text.indexOf(one, at + 1)) count += 1;
  }
  return count;
}

/** A frame larger than that is read in its turn, not beside others. */
const LARGE_BYTES = 256 * 1024;
/** So is one with more separators, ends of lines and escapes: reading them takes some milliseconds. */
const MANY_PARTS = 10_000;
/** Where MSH-1 and MSH-2 may stand: behind a byte order mark and blanks. */
const SEPARATORS_WITHIN = 64;

/**
 * Whether a frame takes so long to read that others would notice: by its size, or by the bytes that part it. Costs a
 * look at each byte of a small frame, and nothing of a large one.
 */
export function isHeavy(raw: Uint8Array): boolean {
  if (raw.length > LARGE_BYTES) return true;
  if (raw.length <= MANY_PARTS) return false;
  const parting = new Uint8Array(256);
  for (const letter of '\r\n|^~\\&') parting[letter.charCodeAt(0)] = 1;
  const head = String.fromCharCode(...raw.subarray(0, SEPARATORS_WITHIN));
  const msh = head.indexOf('MSH');
  if (msh >= 0) for (const byte of raw.subarray(msh + 3, msh + 9)) parting[byte] = 1;
  let count = 0;
  for (const byte of raw) count += parting[byte] ?? 0;
  return count > MANY_PARTS;
}

const TOO_LARGE = 'larger than the ';

/** Why a frame of more bytes is refused. */
export const tooLarge = (bytes: number): string => `${TOO_LARGE}${bytes} bytes that are taken (HL7_MAX_FRAME_BYTES)`;

/** Whether a message that was refused for that reason is kept in part only: its first bytes. */
export const isKeptInPart = (reason: string | null): boolean => reason?.startsWith(TOO_LARGE) === true;
