/** Who acts, and why: of every manual act both are kept. */
export interface By {
  readonly who: string;
  readonly why: string;
  /** The address, or the machine. */
  readonly from?: string;
}

/** Whoever looks or acts, and the address. */
export interface Viewer {
  readonly who: string;
  readonly from: string;
}
