import { parseHl7Time } from '../../hl7/rules/time.ts';

export interface BackupSchedule {
  /** Local time of the first of a day, `HH:MM`. */
  readonly at: string;
  /** From 1 to 168; below a day from `at` on, each day anew. */
  readonly everyHours: number;
  readonly timeZone: string;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The local calendar day of `at`, `YYYYMMDD`. */
function localDay(at: Date, timeZone: string): string {
  const day = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' });
  return day.format(at).replaceAll('-', '');
}

/**
 * When the next backup is due, the last good one having ended at `last`: the first time of the schedule at which that is
 * old enough (three quarters of `everyHours`, since one takes its time). `now` where there is none, or where one was
 * missed.
 */
export function nextBackup(schedule: BackupSchedule, last: Date | null, now: Date): Date {
  const { at, everyHours, timeZone } = schedule;
  if (last === null) return now;
  const oldEnough = last.getTime() + everyHours * HOUR_MS * 0.75;
  const stepMs = Math.min(everyHours, 24) * HOUR_MS;
  for (let days = -1; days <= 9; days += 1) {
    const day = localDay(new Date(last.getTime() + days * DAY_MS), timeZone);
    const start = parseHl7Time(`${day}${at.replace(':', '')}`, timeZone)?.instant.getTime() ?? last.getTime() + DAY_MS;
    for (let ms = 0; ms < DAY_MS - HOUR_MS / 2; ms += stepMs) {
      if (start + ms >= oldEnough) return new Date(Math.max(start + ms, now.getTime()));
    }
  }
  return now;
}
