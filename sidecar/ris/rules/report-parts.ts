import { component, HL7_NULL, textRepetitions, type Hl7Message, type Hl7Segment } from '../../hl7/rules/message.ts';
import { packed } from './base64-data.ts';
import { beginsAsRtf } from './document-kind.ts';
import { followFile, type FileEnd } from './file-pieces.ts';
import {
  contentsOf,
  fileData,
  hasData,
  isPieceOfBase64,
  UNKNOWN_TYPE,
  type Content,
  type EnclosedFile,
} from './report-attachment.ts';
import { documentPart, PLAIN, textPart, type Part } from './report-document.ts';
import { TEXT_TYPES, valueLines } from './report-values.ts';

/** A row of a report: an OBX with the lines of the notes behind it. */
export interface Row {
  readonly obx: Hl7Segment;
  readonly notes: readonly string[];
}

/** What one row brings to a report. */
export interface RowParts {
  /** One that goes on with the file or text of a row before it has none of its own. */
  readonly parts: readonly Part[];
  readonly notes: Part | null;
  readonly isBlank: boolean;
  /** The name of this form (OBX-3 of coding system AUSPDI), where the report comes in several; else `null`. */
  readonly display: string | null;
}

type FileProblem = (obx: Hl7Segment, code: 102 | 103, reason: string) => Error;

const isEmpty = (line: string): boolean => line.trim() === '' || line.trim() === HL7_NULL;

const named = (obx: Hl7Segment): string => [1, 2, 3, 4, 5, 6].map((part) => component(obx, 3, part).trim()).join('^');

/** OBX-3 of the Australian display segments (AS 4700.2): the form, and AUSPDI for the coding system. */
function displayOf(obx: Hl7Segment): string | null {
  const systems = [component(obx, 3, 3), component(obx, 3, 6)].map((system) => system.trim().toUpperCase());
  if (!systems.includes('AUSPDI')) return null;
  const code = component(obx, 3, systems[0] === 'AUSPDI' ? 1 : 4);
  return code.trim().toUpperCase();
}

interface OpenFile {
  readonly file: EnclosedFile;
  readonly end: FileEnd;
  readonly row: number;
  readonly name: string;
  readonly subId: string;
}

const isEncoded = (file: EnclosedFile): boolean => file.encoding === 'BASE64' || file.encoding === '';

/** As {@link contentsOf} gives it; `'before'`: it is more of what a row before it holds, and was put there. */
type RowContents = readonly Content[] | 'before' | null;

/** The rows' contents, those of a file that goes on in rows behind its first put together. */
function joinedContents(message: Hl7Message, rows: readonly Row[]): RowContents[] {
  let last: OpenFile | undefined;
  const bySubId = new Map<string, OpenFile>();
  const contents: RowContents[] = [];
  for (const [index, { obx }] of rows.entries()) {
    const own = contentsOf(message, obx);
    const [name, subId] = [named(obx), component(obx, 4).trim()];
    const known = subId === '' ? undefined : bySubId.get(`${name}\n${subId}`);
    const open = known ?? (last?.name === name && last.row === index - 1 ? last : undefined);
    if (open !== undefined && goesOn(open, message, obx, own, subId)) {
      last = { ...open, row: index };
      contents.push('before');
      continue;
    }
    const files = own?.flatMap((content) => (content.kind === 'file' ? [content.file] : [])) ?? [];
    const file = files.at(-1);
    if (file !== undefined) {
      const end = followFile(file.pieces[0] ?? '', isEncoded(file) && !beginsAsRtf(file.pieces[0] ?? ''));
      for (const piece of file.pieces.slice(1)) end.feed(piece);
      last = { file, end, row: index, name, subId };
      if (subId !== '') bySubId.set(`${name}\n${subId}`, last);
    } else last = undefined;
    contents.push(own);
  }
  return contents;
}

/** Whether this row is more of an open file; if it is, it was added to it. */
function goesOn(
  { file, end, subId: itsSubId }: OpenFile,
  message: Hl7Message,
  obx: Hl7Segment,
  own: readonly Content[] | null,
  subId: string,
): boolean {
  const encoded = isEncoded(file) && !beginsAsRtf(file.pieces[0] ?? '');
  const add = (pieces: readonly string[]): true => {
    for (const piece of pieces) {
      end.feed(encoded ? piece : `\n${piece}`);
      if (encoded) file.pieces.push(piece);
      else file.pieces.push(`${file.pieces.pop() ?? ''}\n${piece}`);
    }
    return true;
  };
  const [content, another] = own ?? [];
  if (content?.kind === 'file' && another === undefined) {
    const { pieces } = content.file;
    const begins = followFile(pieces[0] ?? '', encoded).isReached() && !beginsAsRtf(pieces[0] ?? '');
    const isSameType = [file.contentType, UNKNOWN_TYPE].includes(content.file.contentType);
    const fits = isEncoded(content.file) ? encoded && pieces.every(isPieceOfBase64) : !encoded;
    if (!begins || !fits || !isSameType) return false;
    if (!end.isReached()) return add(pieces);
    return encoded && isRestOfText(file, subId !== '' && subId === itsSubId) ? add(pieces) : false;
  }
  if (own !== null || end.isReached()) return false;
  const lines = textRepetitions(message, obx, 5);
  if (!encoded) return add([lines.join('~')]);
  const text = lines.join('');
  if (!isPieceOfBase64(text)) return false;
  return packed(text).length >= 40 || end.wouldReach(text) ? add(lines) : false;
}

/** Whether a file of a kind that does not tell its end cannot have ended, or is a text that breaks off within a sentence. */
function isRestOfText({ pieces }: EnclosedFile, sameSubId: boolean): boolean {
  const before = packed(pieces.at(-1) ?? '');
  if (before.endsWith('=') || !isPieceOfBase64(before)) return false;
  if (before.length % 4 !== 0) return true;
  return sameSubId && /[\p{L}\p{N}, ]$/u.test(Buffer.from(before.slice(-8), 'base64').toString('latin1'));
}

function filePart(file: EnclosedFile, problem: (code: 102 | 103, reason: string) => Error): Part | null {
  if (!hasData(file)) return null;
  const data = fileData(file);
  if ('problem' in data) throw problem(data.problem.code, data.problem.reason);
  if ('base64' in data) return documentPart(data.base64, file.contentType, file.isWordless);
  const { text } = data;
  const isWordsOnly = file.contentType === PLAIN || file.contentType === UNKNOWN_TYPE;
  const isPdf = /^\s*%PDF-/.test(text);
  if (!isPdf && ((isWordsOnly && !file.isWordless) || beginsAsRtf(text))) return textPart(text.split('\n'));
  return documentPart(Buffer.from(text, 'utf8').toString('base64'), file.contentType, file.isWordless);
}

const pointerPart = (pointer: string): Part => ({
  ...{ form: 'plain', lines: [], bold: [] },
  attachments: [{ contentType: 'text/uri-list', base64: Buffer.from(pointer, 'utf8').toString('base64') }],
});

const plainPart = (lines: readonly string[]): Part => ({ form: 'plain', lines, bold: [], attachments: [] });

/** Rows of plain text that follow one another, of one name: HTML and Base64 may go on from one to the next. */
interface TextRun {
  readonly name: string;
  readonly rows: { readonly index: number; readonly lines: readonly string[] }[];
}

function runParts({ rows }: TextRun): Map<number, Part> {
  const lines = rows.flatMap((row) => row.lines);
  let at = 0;
  const ends = rows.map((row) => (at += row.lines.length));
  const whole = textPart(lines, ends);
  if (
    rows.length === 1 ||
    whole.form !== 'plain' ||
    whole.attachments.length > 0 ||
    whole.lines.length !== lines.length
  ) {
    return new Map(rows.map(({ index }, number) => [index, number === 0 ? whole : plainPart([])]));
  }
  return new Map(rows.map((row) => [row.index, textPart(row.lines)]));
}

/**
 * What each row of a report holds in words and documents: one part for all rows that a file is parted into (by OBX-4, or
 * in consecutive rows of one OBX-3 until the file ends), values by their types.
 * @throws what `problem` makes of data that is not what its encoding says.
 */
export function rowParts(message: Hl7Message, rows: readonly Row[], problem: FileProblem): RowParts[] {
  const contents = joinedContents(message, rows);
  const texts = new Map<number, Part>();
  let run: TextRun | undefined;
  const endRun = (): void => {
    if (run !== undefined) for (const [index, part] of runParts(run)) texts.set(index, part);
    run = undefined;
  };
  for (const [index, { obx, notes }] of rows.entries()) {
    const isText = contents[index] === null && TEXT_TYPES.has(component(obx, 2).trim().toUpperCase());
    if (!isText || run?.name !== named(obx)) endRun();
    if (isText) {
      run ??= { name: named(obx), rows: [] };
      run.rows.push({ index, lines: valueLines(message, obx) });
    }
    if (notes.length > 0) endRun();
  }
  endRun();
  return rows.map(({ obx, notes }, index) => {
    const own = contents[index] ?? null;
    const text = texts.get(index);
    const wrong = (code: 102 | 103, reason: string): Error => problem(obx, code, reason);
    const parts =
      own === 'before' ? [] : own === null ? [text ?? plainPart(valueLines(message, obx))] : partsOf(own, wrong);
    const isEmptyPart = ({ lines, attachments }: Part): boolean => lines.every(isEmpty) && attachments.length === 0;
    return {
      parts,
      notes: notes.length === 0 ? null : textPart(notes),
      isBlank: own !== 'before' && notes.every(isEmpty) && parts.every(isEmptyPart),
      display: displayOf(obx),
    };
  });
}

function partsOf(contents: readonly Content[], problem: (code: 102 | 103, reason: string) => Error): Part[] {
  const parts: Part[] = [];
  let lines: string[] = [];
  const endText = (): void => {
    if (lines.length > 0) parts.push(textPart(lines));
    lines = [];
  };
  for (const content of contents) {
    if (content.kind === 'line') lines.push(content.line);
    else {
      endText();
      const part = content.kind === 'pointer' ? pointerPart(content.pointer) : filePart(content.file, problem);
      if (part !== null) parts.push(part);
    }
  }
  endText();
  return parts;
}
