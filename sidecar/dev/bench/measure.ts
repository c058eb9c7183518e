/** One quantity of one part, measured with ours and with the bare limit in turn. */
export interface Figure {
  readonly part: string;
  readonly what: string;
  /** Of `ours` and `bare`: `images/s`, `s`. */
  readonly unit: string;
  readonly ours: readonly number[];
  /** Empty where there is nothing to compare with. */
  readonly bare: readonly number[];
  readonly compared: Comparison;
}

/** How the two are compared, and what is asked: `ratio` is ours through bare, `excess` ours less bare. */
export interface Comparison {
  readonly kind: 'ratio' | 'excess' | 'value';
  readonly goal: { readonly is: 'at least' | 'at most' | 'below'; readonly value: number } | null;
}

export interface Result {
  readonly ours: number;
  readonly bare: number | null;
  readonly value: number;
  readonly least: number;
  readonly most: number;
  /** `null` where nothing is asked. */
  readonly reached: boolean | null;
}

/** The middle one, or the mean of the two in the middle. @throws RangeError of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  if (low === undefined || high === undefined) throw new RangeError('the median of nothing');
  return (low + high) / 2;
}

/** The smallest value that `share` (0 to 1) of them do not exceed. @throws RangeError of nothing. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new RangeError('a percentile of nothing');
  return value;
}

/** Compares what was measured side by side, pair by pair, so that what slowed both of a pair counts for neither. */
export function resultOf({ ours, bare, compared }: Figure): Result {
  const values = ours.map((value, at) => {
    const limit = bare[at];
    if (compared.kind === 'value') return value;
    if (limit === undefined) throw new RangeError('a measurement without its limit');
    return compared.kind === 'ratio' ? value / limit : value - limit;
  });
  const value = median(values);
  const { goal } = compared;
  const reached =
    goal === null
      ? null
      : goal.is === 'at least'
        ? value >= goal.value
        : goal.is === 'at most'
          ? value <= goal.value
          : value < goal.value;
  return {
    ours: median(ours),
    bare: bare.length === 0 ? null : median(bare),
    value,
    least: Math.min(...values),
    most: Math.max(...values),
    reached,
  };
}

/** Runs the two in turn, `repeats` times each; which of them is first changes each time. */
export async function alternate(
  repeats: number,
  ours: () => Promise<number>,
  bare: () => Promise<number>,
): Promise<{ ours: number[]; bare: number[] }> {
  const measured: { ours: number[]; bare: number[] } = { ours: [], bare: [] };
  for (let turn = 0; turn < repeats; turn += 1) {
    const both = [async () => void measured.ours.push(await ours()), async () => void measured.bare.push(await bare())];
    for (const run of turn % 2 === 0 ? both : both.reverse()) await run();
  }
  return measured;
}

/** Seconds that `work` took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}
