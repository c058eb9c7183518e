/** How long a report waits before its patient may see it: by procedure code or modality, in capitals; `*` is every other. */
export type Delays = ReadonlyMap<string, number>;

export const NO_DELAY: Delays = new Map();

const ENTRY = /^([^\s=,]{1,64})=(?:0|(\d{1,4})([dhm]))$/;
const UNITS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000 };

/** Reads `CT=2d,*=0`: names of modalities or procedure codes, each with days, hours or minutes. `null` for anything else. */
export function parseDelays(text: string): Delays | null {
  const delays = new Map<string, number>();
  if (text.trim() === '') return delays;
  for (const entry of text.split(',')) {
    const match = ENTRY.exec(entry.trim());
    if (match === null) return null;
    const [, name = '', amount = '0', unit = 'd'] = match;
    const key = name.toUpperCase();
    if (delays.has(key)) return null;
    delays.set(key, Number(amount) * (UNITS[unit] ?? 0));
  }
  return delays;
}

/** The delay of a study in milliseconds: that of its procedure code, else of its modality, else of `*`, else none. */
export function delayOf(delays: Delays, study: { modality: string; procedureCode: string }): number {
  const names = [study.procedureCode, study.modality].map((name) => name.trim().toUpperCase());
  const found = [...names.filter((name) => name !== ''), '*'].find((name) => delays.has(name));
  return found === undefined ? 0 : (delays.get(found) ?? 0);
}
