/** The words of a document, and which of its lines or beginnings of lines are set in bold. */
export interface DocumentWords {
  readonly text: string;
  readonly bold: readonly string[];
}

// What no text that is shown holds: control characters, halves of letters, and signs that only say where a line may break.
const UNSHOWN = /[\p{Surrogate}[\p{Cc}--[\t\n]]\u00ad\ufeff]/gv;

/** As many letters as are read of one document: about five hundred pages. What is longer is no report. */
export const MAX_LETTERS = 1_000_000;
/** Stands where the words of a longer document break off; the document itself is kept whole. */
export const BROKEN_OFF = '\n[…]';

/** Lines without blanks behind them, and no more than one empty line between two. */
export function tidyLines(text: string): string {
  const shown = text.replace(UNSHOWN, '').replace(/[\u00a0\u2002-\u200a\u202f]/g, ' ');
  // Line by line: one expression for all would look at long runs of blanks again and again.
  const lines = shown.split('\n').map((line) => line.trimEnd());
  return lines
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/^\n+|\n+$/g, '');
}

const MAX_BOLD = 200;

/** Watches a text as it is written for what is in bold where a line begins. */
export function createBoldWatch() {
  const found: string[] = [];
  let strong = '';
  let plainBefore = false;
  const end = (): void => {
    if (strong.trim() !== '') found.push(strong.trim());
    strong = '';
  };
  return {
    found,
    text(text: string, isBold: boolean): void {
      if (isBold && !plainBefore && strong.length < MAX_BOLD) strong += text;
      else if (text.trim() !== '') {
        if (!isBold) plainBefore = true;
        end();
      }
    },
    endLine(): void {
      end();
      plainBefore = false;
    },
  };
}
