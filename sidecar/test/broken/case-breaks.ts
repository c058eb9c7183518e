import type { Edit } from './breaks.ts';

/** A mistake that no crash is needed for: recorded cases end otherwise. */
export interface CaseBreak {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** Of which kind they are: recorded episodes, or recorded texts. */
  readonly recorded: 'episodes' | 'texts';
  /** Their files in sidecar/test/fixtures/, of which each must notice it. */
  readonly cases: readonly string[];
}

export const CASE_BREAKS: readonly CaseBreak[] = [
  {
    name: 'what an image said before counts on when it comes again',
    edits: [
      {
        file: 'sidecar/images/io/said-rows.ts',
        find: 'said_key = k.says,',
        replace: 'said_key = i.said_key,',
      },
    ],
    recorded: 'episodes',
    cases: ['accession-corrected-and-resent', 'deleted-and-sent-again', 'sent-again-without-identity'],
  },
  {
    name: 'images that are deleted take with them what they claimed',
    edits: [
      {
        file: 'sidecar/images/io/deleted-rows.ts',
        find: '      await execute(trx, KEEP_CLAIMS, { ids: list(dicomStudyIds) });',
        replace: '',
      },
    ],
    recorded: 'episodes',
    cases: ['review-deleted', 'review-modified', 'taken-away-then-deleted', 'contested-then-deleted'],
  },
  {
    name: 'what a person decided is over when the images are deleted',
    edits: [
      {
        file: 'sidecar/linking/flows/link.ts',
        find: '  const touched = new Set(await standAgain(tx, stored));',
        replace: '  const touched = new Set<string>();',
      },
    ],
    recorded: 'episodes',
    cases: ['taken-away-then-sent-again', 'linked-by-a-person-then-sent-again'],
  },
  {
    name: 'a text that waits again goes as it was planned first',
    edits: [
      {
        file: 'sidecar/texts/sending.ts',
        find: '      await parts.planTexts(tx, await change(tx), now);',
        replace: '      await change(tx);',
      },
    ],
    recorded: 'texts',
    cases: ['way-withdrawn', 'way-number-changed', 'way-number-deleted', 'way-died'],
  },
  {
    name: 'a text that the vendor lists without its body counts as never sent',
    edits: [
      {
        file: 'sidecar/texts/rules/same-text.ts',
        find: "? 'unreadable' : null",
        replace: '? null : null',
      },
    ],
    recorded: 'texts',
    cases: ['way-redacted'],
  },
];
