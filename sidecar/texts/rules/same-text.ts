/** A text as the vendor's list shows it. */
export interface ListedText {
  readonly vendorId: string;
  readonly to: string;
  /** Empty where the vendor keeps no bodies. */
  readonly body: string;
  readonly at: Date;
}

/** A text whose end is not known. */
export interface WantedText {
  readonly to: string;
  readonly body: string;
  readonly since: Date;
  /** Ids of texts before it that were known to be sent. */
  readonly except?: readonly string[];
}

/** `unreadable`: nobody can tell from the body of a text to that number at that time which one it is. */
export type FoundText = { readonly vendorId: string } | 'unreadable' | null;

/** The accession number in the link of a text: how it is known again, whatever a vendor wrote before or after it. */
export function referenceOf(body: string): string | null {
  const found = [...body.matchAll(/[?&]ref=([^\s&]+)/g)].at(-1)?.[1];
  return found?.replace(/[.,;:!)]+$/, '') ?? null;
}

/** Whether a body could be that of the wanted text, redacted, cut off or with its link made another. */
function maybeAltered(body: string, reference: string | null): boolean {
  const listed = referenceOf(body);
  if (reference === null || listed === null) return reference !== null || body.trim() === '';
  return reference.toUpperCase().startsWith(listed.toUpperCase());
}

/** The text among those that a vendor lists: by number, time and the reference in its link; without one by its body. */
export function findText(listed: readonly ListedText[], wanted: WantedText, clockSkewMs: number): FoundText {
  const earliest = wanted.since.getTime() - clockSkewMs;
  const reference = referenceOf(wanted.body);
  const possible = listed.filter(
    ({ vendorId, to, at }) =>
      to === wanted.to && at.getTime() >= earliest && wanted.except?.includes(vendorId) !== true,
  );
  const found = possible.find(({ body }) =>
    reference === null ? body === wanted.body : referenceOf(body)?.toUpperCase() === reference.toUpperCase(),
  );
  if (found !== undefined) return { vendorId: found.vendorId };
  return possible.some(({ body }) => maybeAltered(body, reference)) ? 'unreadable' : null;
}
