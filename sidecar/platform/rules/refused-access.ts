import { createRateLimit } from './rate-limit.ts';

/** Somebody who was not let in. `code` says why: short, stable, without anything that the stranger sent. */
export interface RefusedAccess {
  readonly what: 'dicom-tls' | 'hl7' | 'hl7-tls' | 'http' | 'https' | 'upload' | 'operator';
  /** The address. */
  readonly from: string;
  readonly code: string;
}

export type OnRefusedAccess = (refused: RefusedAccess) => void;

const WINDOW_MS = 60_000;
const PER_ADDRESS = 10;
const IN_ALL = 300;
const MAX_ADDRESSES = 10_000;

/**
 * Passes on to `note` what may be written down, however often strangers come: {@link PER_ADDRESS} a minute of one
 * address, {@link IN_ALL} of all. `unnoted` is how many were left out before.
 */
export function boundedRefusals(
  note: (refused: RefusedAccess & { readonly unnoted: number }) => void,
  now: () => Date,
): OnRefusedAccess {
  const each = createRateLimit({ limit: PER_ADDRESS, windowMs: WINDOW_MS, maxKeys: MAX_ADDRESSES });
  const all = createRateLimit({ limit: IN_ALL, windowMs: WINDOW_MS, maxKeys: 1 });
  let unnoted = 0;
  return (refused) => {
    const at = now();
    if (each.take(refused.from, at) > 0 || all.take('all', at) > 0) {
      unnoted += 1;
      return;
    }
    note({ ...refused, unnoted });
    unnoted = 0;
  };
}
