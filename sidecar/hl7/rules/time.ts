export interface PracticeTime {
  readonly instant: Date;
  /** The calendar day in the practice's zone, `YYYY-MM-DD`. */
  readonly localDate: string;
}

// Senders write more digits of a second than the four of the standard, without the point too, and `Z` for +0000.
const TS = /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.?\d{1,9})?)?)?)?(?:([+-]\d{2}):?(\d{2})|(Z))?$/;

const DAY_MS = 86_400_000;

// One costs as much as thousands of times that it writes.
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-AU', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(timeZone, made);
  return made;
}

/** Offsets change on a quarter of an hour only, since 1973. */
const SAME_OFFSET_MS = 900_000;
const MOST_OFFSETS = 10_000;
const knownOffsets = new Map<string, Map<number, number>>();

function offsetsOf(timeZone: string): Map<number, number> {
  const known = knownOffsets.get(timeZone);
  if (known !== undefined) return known;
  const made = new Map<number, number>();
  knownOffsets.set(timeZone, made);
  return made;
}

/** The offset of `timeZone` from UTC at `instant`, in milliseconds. */
function zoneOffsetMs(instant: Date, timeZone: string): number {
  const offsets = offsetsOf(timeZone);
  const quarter = Math.floor(instant.getTime() / SAME_OFFSET_MS);
  const known = offsets.get(quarter);
  if (known !== undefined) return known;
  const offset = readOffsetMs(instant, timeZone);
  if (offsets.size >= MOST_OFFSETS) offsets.clear();
  offsets.set(quarter, offset);
  return offset;
}

function readOffsetMs(instant: Date, timeZone: string): number {
  const parts = Object.fromEntries(
    formatOf(timeZone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(instant.getTime() / 1000) * 1000;
}

interface WrittenTime {
  /** As if it were written in UTC. */
  readonly asUtc: number;
  /** How long the day, hour, minute or second is that it names, in milliseconds. */
  readonly spanMs: number;
  /** `null`: the practice's local time. */
  readonly offsetMs: number | null;
  readonly day: string;
}

function readTime(text: string): WrittenTime | null {
  const match = TS.exec(text.trim());
  if (match === null) return null;
  const [, year = '', month = '', day = '', hour, minute, second, hours, minutes = '00', utc] = match;
  const asUtc = Date.parse(`${year}-${month}-${day}T${hour ?? '00'}:${minute ?? '00'}:${second ?? '00'}Z`);
  if (Number.isNaN(asUtc) || new Date(asUtc).getUTCDate() !== Number(day)) return null;
  if (Number(year) <= 1850 || Number(year) >= 9999) return null;
  const offset = utc === undefined ? hours : '+00';
  const sign = offset?.startsWith('-') === true ? -1 : 1;
  return {
    asUtc,
    spanMs: second !== undefined ? 1000 : minute !== undefined ? 60_000 : hour !== undefined ? 3_600_000 : DAY_MS,
    offsetMs: offset === undefined ? null : sign * (Number(offset.slice(1, 3)) * 60 + Number(minutes)) * 60_000,
    day: `${year}-${month}-${day}`,
  };
}

/** The instants that a local time can mean, the earliest first: two in the hour that a change of summer time repeats. */
function localInstants(asUtc: number, timeZone: string): readonly [number, ...number[]] {
  // The offsets of the day before and the day after: they differ around a change of summer time only.
  const [before, after] = [asUtc - DAY_MS, asUtc + DAY_MS].map(
    (near) => asUtc - zoneOffsetMs(new Date(near), timeZone),
  );
  const [skipped = asUtc, other = asUtc] = [before, after];
  const exact = [...new Set([skipped, other])].filter((at) => at + zoneOffsetMs(new Date(at), timeZone) === asUtc);
  const [first, ...more] = exact.sort((a, b) => a - b);
  return first === undefined ? [skipped] : [first, ...more];
}

/**
 * An HL7 TS or DTM (v2.5.1 chapter 2.A.77) with at least a day: without an offset it is the practice's local time (of
 * the hour that a change of summer time repeats, the first; of the one it skips, the hour after). `null` if it is not
 * a time, or one of no year that a practice could mean.
 */
export function parseHl7Time(text: string, timeZone: string): PracticeTime | null {
  const written = readTime(text);
  if (written === null) return null;
  const { asUtc, offsetMs, day } = written;
  if (offsetMs === null) return { instant: new Date(localInstants(asUtc, timeZone)[0]), localDate: day };
  const instant = new Date(asUtc - offsetMs);
  const local = new Date(instant.getTime() + zoneOffsetMs(instant, timeZone));
  return { instant, localDate: local.toISOString().slice(0, 10) };
}

/**
 * The last instant that a time can mean, but none after `notAfter`: a day without an hour is not its midnight, and of
 * the hour that a change of summer time repeats it is the one before `notAfter`. `null` if it is not a time.
 */
export function latestMeant(text: string, timeZone: string, notAfter: Date): Date | null {
  const written = readTime(text);
  if (written === null) return null;
  const { asUtc, spanMs, offsetMs } = written;
  const begins = (at: number) => (offsetMs === null ? localInstants(at, timeZone) : ([at - offsetMs] as const));
  const [first] = begins(asUtc);
  const begun = begins(asUtc).findLast((at) => at <= notAfter.getTime()) ?? first;
  // Whole seconds stay as they are written: most senders mean just that one.
  if (spanMs <= 1000) return new Date(Math.min(begun, notAfter.getTime()));
  const ends = begins(asUtc + spanMs).findLast((at) => at > begun) ?? begun + spanMs;
  return new Date(Math.min(ends - 1, notAfter.getTime()));
}
