import { BROKEN_OFF, createBoldWatch, MAX_LETTERS, tidyLines, type DocumentWords } from './document-words.ts';
import { decodeEntities } from './html-entities.ts';

const NAMED =
  'a|abbr|address|article|b|basefont|big|blockquote|body|br|caption|center|cite|code|col|colgroup|dd|del|div|dl|dt|em|font|footer|h[1-6]|head|header|hr|html|i|img|ins|kbd|li|link|main|mark|meta|ol|p|pre|q|s|samp|section|small|span|strike|strong|style|sub|sup|table|tbody|td|tfoot|th|thead|title|tr|tt|u|ul|var|paragraph|content|linkhtml|structuredbody|clinicaldocument';
const CLOSING = new RegExp(`</(?:${NAMED})\\s*>`, 'i');
const ALONE = /<(?:br|hr|p|html|body|table|div|span|font|ul|ol|pre|h[1-6])(?:\s[^<>]{0,2000})?\/?>/i;
const ATTRIBUTE = /^<[a-z0-9]+(?:\s*\/?>|[^<>]*=)/i;

/** Whether a text is HTML, whole or a fragment: it has a closing tag of HTML, or one that needs none. */
export function looksLikeHtml(text: string): boolean {
  if (!text.includes('<')) return false;
  if (/^\s*(?:<!doctype\s+html|<html\b|<\?xml\b|<clinicaldocument\b)/i.test(text) || CLOSING.test(text)) return true;
  const alone = ALONE.exec(text)?.[0];
  return alone !== undefined && ATTRIBUTE.test(alone);
}

const ESCAPED = new RegExp(`&lt;/?(?:${NAMED})(?:\\s[^<>&]{0,200})?/?&gt;`, 'i');

/** Whether a text is HTML whose own tags are written as character references. */
export function isEscapedHtml(text: string): boolean {
  return ESCAPED.test(text) && looksLikeHtml(decodeEntities(text));
}

// Of these neither tags nor what stands between them is text.
const DROPPED = new Set([
  'script',
  'style',
  'head',
  'noscript',
  'template',
  'object',
  'svg',
  'math',
  'iframe',
  'select',
]);
// What stands between these is no tags either.
const RAW = new Set(['script', 'style', 'iframe']);
const BLOCKS = new Set(
  `address article aside blockquote body caption center dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header
  hr html li main nav ol p pre section table tbody tfoot thead tr ul paragraph text item list component`.split(/\s+/),
);
// A paragraph and a heading stand apart from what is around them.
const APART = new Set(['p', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'table', 'ul', 'ol', 'dl', 'blockquote', 'paragraph']);
const STRONG = new Set(['b', 'strong', 'th', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'title', 'caption']);

/** Far more than any report has, in one document and between two tags of it. */
const MAX_TAGS = 500_000;
const MAX_RUN = 8 * MAX_LETTERS;

interface Tag {
  readonly name: string;
  readonly closes: boolean;
  readonly isWhole: boolean;
  readonly end: number;
}

const TAG_NAME = /[A-Za-z][\w:.-]{0,60}/y;
// What can begin a tag.
const TAG_BEGINS = /<(?=[A-Za-z/!?])/g;

/** A reader of the tags of a text, which looks through it for each kind of sign once at most. */
function createTagReader(html: string) {
  const gone = new Set<string>();
  const indexOf = (sign: string, from: number): number => {
    if (gone.has(sign)) return -1;
    const found = html.indexOf(sign, from);
    if (found < 0) gone.add(sign);
    return found;
  };
  /** Where the tag at `at` ends, past `>` within quotes; `-1`: it does not. */
  const endOf = (at: number): number => {
    const simple = indexOf('>', at);
    if (simple < 0) return -1;
    let from = at;
    for (let quotes = 0; quotes < 200; quotes += 1) {
      const close = indexOf('>', from);
      const match = close < 0 ? null : /=\s*(["'])/.exec(html.slice(from, close));
      if (match === null) return close < 0 ? simple : close;
      const open = from + match.index + match[0].length;
      const end = indexOf(match[1] ?? '"', open);
      if (end < 0 || end - open > 20_000) return simple;
      from = end + 1;
    }
    return simple;
  };
  return {
    /** Where the next tag can begin, from `at` on; the text's end where there is none. */
    next(at: number): number {
      if (indexOf('<', at) < 0 || indexOf('>', at) < 0) return html.length;
      TAG_BEGINS.lastIndex = at;
      return TAG_BEGINS.exec(html)?.index ?? html.length;
    },
    /** Where the closing tag of that name begins; `-1`: there is none. */
    closingOf(name: string, at: number): number {
      if (gone.has(`</${name}`)) return -1;
      const closing = new RegExp(`</(?:[\\w.-]{0,20}:)?${name}\\b`, 'gi');
      closing.lastIndex = at;
      const found = closing.exec(html)?.index ?? -1;
      if (found < 0) gone.add(`</${name}`);
      return found;
    },
    /** The tag, comment or declaration that begins at `at`; `null` where `<` is a sign of the text. */
    tagAt(at: number): Tag | null {
      const next = html.charAt(at + 1);
      if (html.startsWith('<!--', at)) {
        const end = indexOf('-->', at + 4);
        return { name: '', closes: false, isWhole: true, end: end < 0 ? html.length : end + 3 };
      }
      if (html.startsWith('<![CDATA[', at)) return { name: '', closes: false, isWhole: true, end: at + 9 };
      if (next === '!' || next === '?') {
        const end = indexOf('>', at);
        return end < 0 ? null : { name: '', closes: false, isWhole: true, end: end + 1 };
      }
      const closes = next === '/';
      const from = at + (closes ? 2 : 1);
      TAG_NAME.lastIndex = from;
      const name = TAG_NAME.exec(html)?.[0] ?? '';
      if (name === '') return null;
      const end = endOf(from + name.length);
      if (end < 0) return null;
      return {
        name: name.slice(name.lastIndexOf(':') + 1).toLowerCase(),
        closes,
        isWhole: html.charAt(end - 1) === '/',
        end: end + 1,
      };
    },
  };
}

/** Words as HTML lays them out: runs of blanks are one, blocks are lines. */
function createLayout() {
  const parts: string[] = [];
  const bold = createBoldWatch();
  let begun = false;
  let blank = false;
  let letters = 0;
  const isFull = (): boolean => letters > MAX_LETTERS;
  const put = (text: string, isBold: boolean): void => {
    letters += text.length;
    parts.push(text);
    begun = true;
    bold.text(text, isBold);
  };
  return {
    isFull,
    result(): DocumentWords {
      bold.endLine();
      return { text: tidyLines(parts.join('')) + (isFull() ? BROKEN_OFF : ''), bold: bold.found };
    },
    word(run: string, isBold: boolean, kept: boolean): void {
      if (kept) {
        for (const [index, line] of run.split(/\r\n?|\n/).entries()) {
          if (index > 0) this.line(true);
          if (line !== '') put(line, isBold);
        }
        return;
      }
      const flat = run.replace(/[ \t\r\n\f]+/g, ' ');
      const trimmed = flat.trimStart() === flat ? flat : flat.slice(1);
      if (begun && (blank || trimmed !== flat) && trimmed !== '') put(' ', isBold);
      const word = trimmed.endsWith(' ') ? trimmed.slice(0, -1) : trimmed;
      if (word !== '') put(word, isBold);
      blank = word === '' ? blank || flat !== '' : word !== trimmed;
    },
    cell(): void {
      if (begun) parts.push('\t');
      blank = false;
    },
    line(always: boolean): void {
      bold.endLine();
      letters += 1;
      if (begun || always) parts.push('\n');
      [begun, blank] = [false, false];
    },
    apart(): void {
      this.line(false);
      if (parts.length > 0 && parts.at(-1) === '\n' && parts.at(-2) !== '\n') parts.push('\n');
    },
  };
}

/**
 * The words of HTML or of a fragment of it (HTML 4.01, XHTML 1.0, the narrative of a CDA), as a page would show them:
 * blocks, `<br>` and table rows as lines, cells parted by tabs, character references as letters; without scripts, styles
 * and what else is not shown. Of a CDA the titles and narrative texts alone. `keepLines`: line ends count as in a plain
 * text. Time and room are linear in the source.
 */
export function wordsOfHtml(html: string, keepLines = false): DocumentWords {
  const reader = createTagReader(html);
  const layout = createLayout();
  const isCda = /<(?:[\w.-]+:)?ClinicalDocument\b/.test(html.slice(0, 4096));
  let at = 0;
  let preformatted = 0;
  let strong = 0;
  let narrative = 0;
  let dropped = '';
  let droppedDepth = 0;

  const open = (name: string, closes: boolean): void => {
    const by = closes ? -1 : 1;
    if (name === 'pre') preformatted = Math.max(0, preformatted + by);
    if (STRONG.has(name)) strong = Math.max(0, strong + by);
    if (isCda && (name === 'text' || name === 'title')) narrative = Math.max(0, narrative + by);
    if (name === 'br') layout.line(true);
    else if ((name === 'td' || name === 'th') && !closes) layout.cell();
    else if (APART.has(name)) layout.apart();
    else if (BLOCKS.has(name) || (isCda && name === 'title')) layout.line(false);
  };

  const text = (to: number): void => {
    if (dropped === '' && (!isCda || narrative > 0) && to > at) {
      // The end of a CDATA section is no tag.
      layout.word(
        decodeEntities(html.slice(at, Math.min(to, at + MAX_RUN)).replaceAll(']]>', '')),
        strong > 0,
        keepLines || preformatted > 0,
      );
    }
    at = to;
  };

  for (let tags = 0; at < html.length && tags < MAX_TAGS && !layout.isFull();) {
    const next = reader.next(at);
    const tag = next === at ? reader.tagAt(at) : null;
    if (tag === null) {
      text(next === at ? reader.next(at + 1) : next);
      continue;
    }
    tags += 1;
    at = tag.end;
    const { name, closes, isWhole } = tag;
    if (dropped !== '') {
      if (name === dropped && !isWhole) droppedDepth += closes ? -1 : 1;
      if (droppedDepth === 0) dropped = '';
    } else if (DROPPED.has(name)) {
      // One that never closes would take all words behind it away.
      const closing = closes || isWhole ? -1 : reader.closingOf(name, at);
      if (closing >= 0) [dropped, droppedDepth] = [name, 1];
      if (closing >= 0 && RAW.has(name)) at = closing;
    } else if (!isWhole || BLOCKS.has(name) || name === 'br') open(name, closes);
  }
  return layout.result();
}
