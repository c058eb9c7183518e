import type { Attachment, Part } from './report-document.ts';
import type { RowParts } from './report-parts.ts';
import { containsWords, wordsOnly } from './same-words.ts';

export interface ReportBody {
  readonly body: string;
  /** Lines and beginnings of lines of the body that are set in bold. */
  readonly bold: readonly string[];
  readonly attachments: readonly Attachment[];
}

/** These lines as one text, without blank ones around it. */
export function textOf(lines: readonly string[]): string {
  const [from, to] = [lines.findIndex((line) => line !== ''), lines.findLastIndex((line) => line !== '')];
  return lines.slice(from, to + 1).join('\n');
}

const hasWords = ({ lines }: Part): boolean => lines.some((line) => line.trim() !== '');

/** A part of the body that may be said again by another. */
interface Piece {
  readonly part: Part;
  readonly display: string | null;
  readonly isNote: boolean;
}

// Plain words before RTF before HTML; PIT is the older Australian form with commands in its lines.
const rank = ({ part: { form }, display }: Piece): number =>
  display === 'PIT' ? 3 : form === 'plain' ? 0 : form === 'rtf' ? 1 : 2;

/** Of several forms of one report (display segments) those pieces that are not the one to be read. */
function otherForms(pieces: readonly Piece[]): Set<Piece> {
  const displays = pieces.filter((piece) => piece.display !== null && !piece.isNote && hasWords(piece.part));
  const best = displays.reduce((lowest, piece) => Math.min(lowest, rank(piece)), Infinity);
  return new Set(displays.filter((piece) => rank(piece) !== best));
}

/** A document of fewer words than this is not taken for the same as another text that has them all. */
const MIN_WORDS = 3;
/** How many documents are compared with all the rest. */
const MAX_COMPARED = 16;

const joined = (pieces: readonly Piece[]): string | null =>
  wordsOnly(pieces.map(({ part }) => part.lines.join('\n')).join('\n'));

/** Whether what `some` says is said, word for word, by `all` too. */
const isSaidBy = (all: string | null, some: string | null): boolean =>
  all !== null &&
  some !== null &&
  some !== '' &&
  (all === some || (some.split(' ', MIN_WORDS).length === MIN_WORDS && containsWords(all, some)));

/** Those pieces whose words another piece has too: a document beside the same words as rows, or in another form. */
function saidTwice(pieces: readonly Piece[]): Set<Piece> {
  const twice = new Set<Piece>();
  const documents = pieces
    .filter(({ part, isNote }) => part.form !== 'plain' && !isNote)
    .sort((a, b) => rank(a) - rank(b));
  if (documents.length === 0) return twice;
  const plain = pieces.filter(({ part, isNote }) => part.form === 'plain' && !isNote);
  let plainWords = joined(plain);
  const kept: string[] = [];
  for (const document of documents) {
    const words = joined([document]);
    const isCompared = kept.length < MAX_COMPARED;
    if (isSaidBy(plainWords, words) || (isCompared && kept.some((other) => isSaidBy(other, words)))) {
      twice.add(document);
      continue;
    }
    if (words !== null) kept.push(words);
    if (isCompared && isSaidBy(words, plainWords)) {
      for (const piece of plain) twice.add(piece);
      plainWords = null;
    }
  }
  return twice;
}

/** Rows beside display segments whose line one of the segments has too. */
function shownInDisplay(pieces: readonly Piece[]): Set<Piece> {
  const shown = pieces.filter(({ display, isNote }) => display !== null && !isNote);
  const others = pieces.filter((piece) => piece.display === null && !piece.isNote && hasWords(piece.part));
  if (shown.length === 0 || others.length === 0) return new Set();
  const lines = new Set(shown.flatMap(({ part }) => part.lines.flatMap((line) => line.split('\n')).map(wordsOnly)));
  const isShown = ({ part }: Piece): boolean =>
    part.lines.every((line) => line.split('\n').every((one) => one.trim() === '' || lines.has(wordsOnly(one))));
  return new Set(isSaidBy(joined(shown), joined(others)) ? others : others.filter(isShown));
}

/** A plain text that is not the one to be read is kept beside the body too. */
function attachmentsOf(piece: Piece, isOther: boolean): readonly Attachment[] {
  const { lines, attachments } = piece.part;
  if (!isOther || attachments.length > 0) return attachments;
  return [{ contentType: 'text/plain', base64: Buffer.from(lines.join('\n'), 'utf8').toString('base64') }];
}

/**
 * A report's body of what its rows hold, and the documents beside it. Of several forms one is the body: plain words,
 * else RTF, else HTML; what a document and rows both say is there once. It has words wherever a row had some.
 */
export function composeBody(rows: readonly RowParts[]): ReportBody {
  const all = rows.flatMap(({ parts, notes, display }): Piece[] => [
    ...parts.map((part) => ({ part, display, isNote: false })),
    ...(notes === null ? [] : [{ part: notes, display, isNote: true }]),
  ]);
  const others = otherForms(all);
  const isLastResort = ({ part }: Piece): boolean => part.isLastResort === true;
  const shown = all.filter((piece) => !others.has(piece) && !isLastResort(piece));
  const inDisplay = shownInDisplay(shown);
  const apart = shown.filter((piece) => !inDisplay.has(piece));
  const twice = saidTwice(apart.filter(({ part }) => hasWords(part)));
  const pieces = apart.filter((piece) => !twice.has(piece));
  const body = textOf(pieces.flatMap(({ part }) => part.lines));
  const read = body.trim() === '' && all.some(isLastResort) ? all.filter(isLastResort) : pieces;
  return {
    body: read === pieces ? body : textOf(read.flatMap(({ part }) => part.lines)),
    bold: read.flatMap(({ part }) => part.bold),
    attachments: all.flatMap((piece) => attachmentsOf(piece, others.has(piece))),
  };
}
