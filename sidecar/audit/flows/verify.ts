export interface ChainLink {
  readonly id: number;
  readonly former: string;
  readonly hash: string;
  /** Whether the hash is that of the row's content. */
  readonly intact: boolean;
}

export interface VerifyAuditDeps {
  /** Rows after the one of that id, in the order of ids. */
  readonly links: (after: number, limit: number) => Promise<readonly ChainLink[]>;
  /** Where the chain ends, as the database says apart from the rows. */
  readonly head: () => Promise<{ readonly id: number; readonly hash: string } | null>;
  /** The last row that was forgotten, as a row tells. */
  readonly forgotten: () => Promise<{ readonly id: number; readonly hash: string } | null>;
  /** The hash before the very first row. */
  readonly origin: string;
}

export interface AuditCheck {
  readonly rows: number;
  readonly first: number | null;
  readonly last: number | null;
  /** Of the last row: to be noted elsewhere, since whoever may rewrite everything can make a new chain. */
  readonly hash: string | null;
  /** What is wrong, by row; none where the chain is whole. */
  readonly problems: readonly string[];
}

const PAGE = 1000;
const MAX_PROBLEMS = 20;

/**
 * Follows the chain of the audit log from its beginning, or from what was forgotten, to its end: no row may be changed,
 * missing or added between, at the end neither. `noted` is a row's id and hash as they were noted elsewhere earlier.
 * Rows that come while it runs are no problem.
 */
export async function verifyAudit(
  deps: VerifyAuditDeps,
  noted: { readonly id: number; readonly hash: string } | null = null,
): Promise<AuditCheck> {
  const head = await deps.head();
  const forgotten = await deps.forgotten();
  const before = forgotten ?? { id: 0, hash: deps.origin };
  const problems: string[] = [];
  const say = (problem: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(problem);
  };
  let [rows, first, last]: [number, ChainLink | null, ChainLink] = [0, null, { ...before, former: '', intact: true }];
  let headSeen = head !== null && head.id === last.id && head.hash === last.hash;
  let notedSeen = noted === null || (noted.id <= last.id && (noted.id < last.id || noted.hash === last.hash));
  for (;;) {
    const page = await deps.links(rows === 0 ? 0 : last.id, PAGE);
    for (const link of page) {
      if (link.id !== last.id + 1) say(`row ${last.id + 1}: is missing (the next is ${link.id})`);
      else if (link.former !== last.hash) say(`row ${link.id}: does not follow the row before it`);
      if (!link.intact) say(`row ${link.id}: is not as it was written`);
      headSeen ||= link.id === head?.id && link.hash === head.hash;
      notedSeen ||= link.id === noted?.id && link.hash === noted.hash;
      first ??= link;
      last = link;
      rows += 1;
    }
    if (page.length < PAGE) break;
  }
  if (!headSeen) say(`row ${head?.id ?? '(unknown)'}: the log should reach it and does not`);
  if (!notedSeen) say(`row ${noted?.id ?? ''}: is not there as it was noted`);
  return { rows, first: first?.id ?? null, last: first && last.id, hash: first && last.hash, problems };
}
