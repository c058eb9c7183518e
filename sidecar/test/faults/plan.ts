import type { End } from '../../dev/tcp-proxy.ts';

export type Random = () => number;

/** Mulberry32: numbers from 0 up to 1, the same ones for the same seed. */
export function mulberry32(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export const PARTS = ['sidecar', 'orthanc', 'postgres', 'azurite'] as const;
export const LINKS = ['postgres', 'orthanc', 'azurite', 'twilio', 'ris'] as const;
export type Part = (typeof PARTS)[number];
export type Link = (typeof LINKS)[number];

interface At {
  /** Milliseconds from the start of the storm. */
  readonly at: number;
}
export type Fault = At &
  (
    | { readonly kind: 'kill'; readonly part: Part; readonly downMs: number }
    | { readonly kind: 'cut'; readonly link: Link }
    | { readonly kind: 'delay'; readonly link: Link; readonly ms: number }
    | { readonly kind: 'half-close'; readonly link: Link; readonly towards: End }
  );

export interface PlannedOrder extends At {
  readonly accession: string;
  readonly number: number;
  readonly images: number;
  readonly how: 'c-store' | 'rest';
  /** The steps in the order in which they come. */
  readonly steps: readonly ('order' | 'images' | 'report')[];
}

export interface Plan {
  readonly faults: readonly Fault[];
  readonly orders: readonly PlannedOrder[];
}

const STEPS: readonly PlannedOrder['steps'][] = [
  ['order', 'images', 'report'],
  ['order', 'images', 'report'],
  ['images', 'order', 'report'],
  ['order', 'report', 'images'],
];

/** All that happens in a run. `unclearTexts`: also what leaves a text's end unclear, which then takes minutes to settle. */
export function planRun(options: { seed: number; ms: number; orders: number; unclearTexts: boolean }): Plan {
  const random = mulberry32(options.seed);
  const between = (low: number, high: number): number => Math.floor(low + random() * (high - low));
  const pick = <T>(items: readonly T[], fallback: T): T => items[between(0, items.length)] ?? fallback;

  const orders = Array.from({ length: options.orders }, (_, number): PlannedOrder => ({
    at: between(0, options.ms * 0.8),
    accession: `FT-${number + 1}`,
    number,
    images: options.unclearTexts ? between(6, 16) : between(2, 6),
    how: random() < 0.3 ? 'c-store' : 'rest',
    steps: pick(STEPS, ['order', 'images', 'report']),
  }));

  // The first faults kill each part once, in some order; what follows is drawn.
  const first = PARTS.map((part) => ({ part, rank: random() })).sort((a, b) => a.rank - b.rank);
  const faults: Fault[] = [];
  for (let at = between(500, 1200); at < options.ms; at += between(300, 1600)) {
    const part = first.shift()?.part ?? (random() < 0.35 ? pick(PARTS, 'sidecar') : undefined);
    if (part !== undefined) {
      faults.push({ at, kind: 'kill', part, downMs: between(200, 2500) });
      continue;
    }
    const kind = pick(['cut', 'delay', 'half-close'] as const, 'cut');
    const link = pick(options.unclearTexts ? LINKS : LINKS.filter((name) => name !== 'twilio'), 'ris');
    if (kind === 'cut') faults.push({ at, kind, link });
    else if (kind === 'delay') faults.push({ at, kind, link, ms: between(200, 3000) });
    else faults.push({ at, kind, link, towards: pick(['client', 'server'] as const, 'client') });
  }
  return { faults, orders };
}
