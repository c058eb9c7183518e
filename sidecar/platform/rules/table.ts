const BLANK = /\p{Cc}+/gu;

const widthOf = (text: string): number => Array.from(text).length;

/**
 * Rows under their headings, each column as wide as its widest cell. What is not there is `-`; control characters become
 * blanks, since cells hold what others sent.
 */
export function table(headings: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  const cells = rows.map((row) =>
    row.map(
      (cell) =>
        String(cell ?? '')
          .replace(BLANK, ' ')
          .trim() || '-',
    ),
  );
  const lines = [headings.map((heading) => heading.toUpperCase()), ...cells];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column] ?? ''))));
  const padded = (cell: string, width: number): string => cell + ' '.repeat(width - widthOf(cell));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => padded(cell, widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
