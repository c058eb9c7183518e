/** What is kept of a message beside its answer. */
export interface Envelope {
  readonly sendingApplication: string;
  readonly sendingFacility: string;
  readonly messageType: string;
  readonly controlId: string;
  readonly contentHash: string;
  readonly raw: Buffer;
  readonly remoteAddress: string;
}

/** How it was answered for good. */
export interface Outcome {
  readonly answer: 'AA' | 'AR';
  readonly reason: string | null;
  /** Whether it was acknowledged as one of a type that nobody asked for. */
  readonly ignored: boolean;
  readonly acknowledgment: string;
}

/** A message with the id it is kept under. */
export interface KeptOutcome {
  readonly id: string;
  readonly envelope: Envelope;
  readonly outcome: Outcome;
}
