import { BROKEN_OFF, createBoldWatch, MAX_LETTERS, tidyLines, type DocumentWords } from './document-words.ts';
import { LINE_ENDS, MARGIN, SIGNS, STARRED_WORDS, WORDLESS } from './rtf-control-words.ts';
import { codePage, decodePage, fontCodePage, isLeadByte, SYMBOL, WINGDING, type CodePage } from './rtf-charset.ts';

/** What a group says of the text in it; each group begins with what the one around it had. */
interface State {
  /** Where the text goes: to the body, to the page's head and foot, to the font table, or nowhere. */
  into: 'body' | 'margin' | 'fonts' | 'none';
  page: CodePage | null;
  font: number;
  bold: boolean;
  hidden: boolean;
  /** How many characters stand behind a \u for readers that do not know it. */
  skipAfterUnicode: number;
  /** Whether this is the group of \upr, whose first group says the same as its second. */
  twice: boolean;
}

/** Groups that are opened deeper than this are read as if they were of the group around them. */
const MAX_DEPTH = 500;
/** Letters of several bytes are read in runs; a document of more runs than this is read as windows-1252 from there on. */
const MAX_MULTI_BYTE_RUNS = 100_000;
const MAX_FONTS = 4096;

/** Text of one place in the document, as it is written. */
function createWriter() {
  const parts: string[] = [];
  const bold = createBoldWatch();
  let letters = 0;
  const isFull = (): boolean => letters > MAX_LETTERS;
  return {
    isFull,
    write(text: string, isBold: boolean): void {
      letters += text.length;
      parts.push(text);
      bold.text(text, isBold);
    },
    endLine(): void {
      letters += 1;
      parts.push('\n');
      bold.endLine();
    },
    result(): DocumentWords {
      bold.endLine();
      return { text: tidyLines(parts.join('')) + (isFull() ? BROKEN_OFF : ''), bold: bold.found };
    },
  };
}

/** A reader of one document that is fed words, signs and group ends, in their order. */
export function createReader() {
  const body = createWriter();
  const margin = createWriter();
  const fonts = new Map<number, CodePage | null>();
  let document = codePage(1252);
  let state: State = {
    ...{ into: 'body', page: null, font: -1, bold: false, hidden: false },
    ...{ skipAfterUnicode: 1, twice: false },
  };
  const around: State[] = [];
  let tooDeep = 0;
  let fontCharset = 0;
  let fontName = '';
  let pending: number[] = [];
  let runs = 0;
  let toSkip = 0;
  let starred = false;

  const pageNow = (): CodePage => state.page ?? document;
  const put = (text: string): void => {
    if (state.into === 'fonts') fontName = (fontName + text).slice(0, 64);
    else if (state.into !== 'none' && !state.hidden) (state.into === 'body' ? body : margin).write(text, state.bold);
  };
  const flush = (): void => {
    if (pending.length === 0) return;
    const page = pageNow();
    if (page.table.length === 0) runs += 1;
    put(decodePage(runs > MAX_MULTI_BYTE_RUNS && page.table.length === 0 ? codePage(1252) : page, pending));
    pending = [];
  };
  const endFont = (): void => {
    if (fonts.size < MAX_FONTS) fonts.set(state.font, fontCodePage(fontCharset, fontName.trim()));
    [fontCharset, fontName] = [0, ''];
  };
  const endLine = (): void => {
    if (state.into === 'body' || state.into === 'margin') (state.into === 'body' ? body : margin).endLine();
  };

  return {
    result: (): DocumentWords => {
      flush();
      const read = body.result();
      // Where all words stand in the page's head, they are the document's.
      return read.text === '' ? margin.result() : read;
    },
    isFull: () => body.isFull() || margin.isFull(),
    depth: () => around.length + tooDeep,
    skipsUnicode: () => toSkip > 0,
    skipOne: () => {
      toSkip -= 1;
    },
    open(): void {
      flush();
      toSkip = 0;
      starred = false;
      if (around.length >= MAX_DEPTH) {
        tooDeep += 1;
        return;
      }
      around.push(state);
      const first = state.twice;
      state.twice = false;
      state = { ...state, twice: false, into: first ? 'none' : state.into };
    },
    close(): void {
      flush();
      toSkip = 0;
      if (tooDeep > 0) {
        tooDeep -= 1;
        return;
      }
      if (state.into === 'fonts' && fontName !== '') endFont();
      state = around.pop() ?? state;
    },
    star(): void {
      starred = true;
    },
    text(run: string): void {
      flush();
      if (state.into === 'fonts') {
        for (const one of run.split(/(;)/)) {
          if (one === ';') endFont();
          else put(one);
        }
      } else if (pageNow() === SYMBOL || pageNow() === WINGDING) {
        put(run.replace(/[\x21-\xff]/g, (sign) => pageNow().table[sign.charCodeAt(0)] ?? sign));
      } else put(run);
    },
    /** A byte of the code page; the second byte of a letter may stand there as a plain sign. */
    byte(value: number): void {
      const letter = pageNow().table[value];
      if (letter === undefined) pending.push(value);
      else put(letter);
    },
    isWithinLetter: (): boolean => {
      const page = pageNow();
      if (pending.length === 0 || page.table.length > 0) return false;
      let open = false;
      for (const byte of pending) open = !open && isLeadByte(page, byte);
      return open;
    },
    unicode(value: number): void {
      flush();
      const code = value < 0 ? value + 65_536 : value;
      const own = pageNow() === WINGDING ? WINGDING : SYMBOL;
      if (code >= 0xf020 && code <= 0xf0ff) put(own.table[code - 0xf000] ?? '•');
      else if (code <= 0x10ffff) put(code > 0xffff ? String.fromCodePoint(code) : String.fromCharCode(code));
      toSkip = state.skipAfterUnicode;
    },
    word(name: string, value: number | null): void {
      flush();
      const behindStar = starred;
      starred = false;
      if (state.into === 'none' && name !== 'ud') return;
      if (name === 'fonttbl') state.into = 'fonts';
      else if (name === 'ud') state.into = around.at(-1)?.into ?? state.into;
      else if (MARGIN.has(name)) state.into = 'margin';
      else if (WORDLESS.has(name) || (behindStar && !STARRED_WORDS.has(name))) state.into = 'none';
      else if (name === 'upr') state.twice = true;
      else if (name === 'ansicpg' && value !== null) document = codePage(value);
      else if (name === 'mac') document = codePage(10000);
      else if (name === 'pc') document = codePage(437);
      else if (name === 'pca') document = codePage(850);
      else if (name === 'uc') state.skipAfterUnicode = Math.min(Math.max(value ?? 1, 0), 16);
      else if (name === 'f' && value !== null) {
        state.font = value;
        if (state.into !== 'fonts') state.page = fonts.get(value) ?? null;
      } else if (name === 'fcharset' && value !== null) fontCharset = value;
      else if (name === 'v' || name === 'deleted') state.hidden = value !== 0;
      else if (name === 'b') state.bold = value !== 0;
      else if (name === 'plain') Object.assign(state, { bold: false, hidden: false, page: null });
      else if (LINE_ENDS.has(name)) endLine();
      else put(SIGNS.get(name) ?? '');
    },
    endLine,
  };
}
