/** How many resources are first asked for at once. */
export const FIRST_PORTION = 100;
const MOST = 1000;
/** As long as one request should take: well within its limit, and no longer than others may have to wait for it. */
const AIM_MS = 1000;

/**
 * How many resources to ask for at once after a request for `count`, of at most `size`, took `ms`, or after one that
 * failed: what one costs grows with the archive where Orthanc's index is SQLite, so that no fixed number is right. From
 * half to twice what it was, from 1 to 1,000.
 */
export function nextPortion(size: number, asked: { readonly count: number; readonly ms: number } | 'failed'): number {
  const wanted = asked === 'failed' ? 0 : (asked.count * AIM_MS) / Math.max(1, asked.ms);
  return Math.max(1, Math.min(MOST, Math.round(Math.max(size / 2, Math.min(size * 2, wanted)))));
}
