import { packed } from './base64-data.ts';
import { beginsAsRtf, decodeText, isMostlyWords, isReadable, kindByContent } from './document-kind.ts';
import { tidyLines, type DocumentWords } from './document-words.ts';
import { decodeEntities } from './html-entities.ts';
import { isEscapedHtml, looksLikeHtml, wordsOfHtml } from './html-words.ts';
import { wordsOfRtf } from './rtf-words.ts';

export interface Attachment {
  readonly contentType: string;
  readonly base64: string;
}

/** A part of a report in reading order: words, a document beside them, or both. */
export interface Part {
  readonly form: 'plain' | 'rtf' | 'html';
  readonly lines: readonly string[];
  /** Lines and beginnings of lines that are set in bold. */
  readonly bold: readonly string[];
  readonly attachments: readonly Attachment[];
  /** Words that count only where the report has no others: of a file whose kind is none that is read. */
  readonly isLastResort?: boolean;
}

export const PLAIN = 'text/plain';
const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

const asPart = (form: Part['form'], { text, bold }: DocumentWords, attachments: readonly Attachment[]): Part => ({
  form,
  lines: text === '' ? [] : text.split('\n'),
  bold,
  attachments,
});

/** RTF with each backslash doubled on its way is RTF all the same. */
const undoubled = (source: string): string =>
  /^[\s\0\ufeff]*\{\\\\rtf/.test(source) ? source.replaceAll('\\\\', '\\') : source;

/** RTF as a file has it: letters above 7F as the control words that mean them. */
const asRtfFile = (source: string): string =>
  source.replace(/[\u0080-\uffff]/g, (letter) => {
    const code = letter.charCodeAt(0);
    return `{\\uc1\\u${code > 0x7fff ? code - 0x10000 : code}?}`;
  });

const MAX_DOCUMENTS = 64;

/** The words of one or several RTF documents in a row, and of the plain text between and behind them. */
function rtfWords(source: string, bytes: boolean): DocumentWords {
  const texts: string[] = [];
  const bold: string[] = [];
  let rest = source;
  for (let count = 0; rest !== '' && count < MAX_DOCUMENTS; count += 1) {
    const at = rest.indexOf('{\\rtf');
    const before = at < 0 ? rest : rest.slice(0, at);
    const plain = before.replace(/[\0\ufeff]/g, '').trim();
    if (plain !== '') texts.push(plain);
    if (at < 0) break;
    const read = wordsOfRtf(rest.slice(at), bytes);
    if (read.text !== '') texts.push(read.text);
    for (const one of read.bold) bold.push(one);
    rest = rest.slice(at + read.end);
  }
  return { text: texts.join('\n'), bold };
}

/** RTF that stands in a message as text. */
export function rtfPart(text: string): Part {
  const source = undoubled(text);
  const attachment = {
    contentType: 'application/rtf',
    base64: encode(asRtfFile(source.slice(source.indexOf('{\\rtf')).trim())),
  };
  return asPart('rtf', rtfWords(source, false), [attachment]);
}

function rtfFilePart(bytes: Uint8Array, base64: string): Part {
  const text = decodeText(bytes);
  // UTF-8 has its letters already; other bytes are those of the document's own code page.
  const written = Buffer.from(text, 'utf8');
  const isText = [0, 3].some((mark) => written.equals(bytes.subarray(mark)));
  const source = isText || text.includes('\0') ? text : Buffer.from(bytes).toString('latin1');
  const words = rtfWords(undoubled(source), source !== text);
  return asPart('rtf', words, [{ contentType: 'application/rtf', base64 }]);
}

// One that has neither counts its line ends, as a plain text with bold words in it does.
const LAID_OUT = /<(?:br|p|div|table|tr|li|h[1-6]|pre|paragraph)\b/i;

function htmlPart(text: string, contentType: string, base64: string): Part {
  const html = isEscapedHtml(text) ? decodeEntities(text) : text;
  const isCda = /<(?:[\w.-]+:)?ClinicalDocument\b/.test(html.slice(0, 4096));
  const words = wordsOfHtml(isCda ? html.replace(CDA_FILE, '<text><') : html, !LAID_OUT.test(html));
  const again = isEscapedHtml(words.text) || looksLikeHtml(words.text) ? wordsOfHtml(words.text, true) : words;
  const inner = isCda ? filesOfCda(html) : [];
  return asPart('html', again, [{ contentType, base64 }, ...inner]);
}

const CDA_FILE = /<(?:[\w.-]+:)?text\b[^<>]{0,300}\brepresentation\s{0,9}=\s{0,9}["']B64["'][^<>]{0,300}>([^<]*)</gi;

/** The files that a CDA holds in Base64 in place of a narrative (nonXMLBody). */
function filesOfCda(html: string): Attachment[] {
  return [...html.matchAll(CDA_FILE)].slice(0, MAX_DOCUMENTS).flatMap(([, data = '']) => {
    const base64 = packed(data);
    const contentType = kindByContent(Buffer.from(base64.slice(0, 240), 'base64'));
    return contentType === null ? [] : [{ contentType, base64 }];
  });
}

/**
 * A text as it stands in a message, as words: of HTML what it shows, with the document beside it; character references
 * as letters; RTF and Base64 in it read. A plain text keeps its lines as they are.
 */
export function textPart(lines: readonly string[], rowEnds: readonly number[] = []): Part {
  const text = lines.join('\n');
  if (beginsAsRtf(text) || text.includes('{\\rtf1')) return rtfPart(text);
  if (looksLikeHtml(text) || isEscapedHtml(text)) {
    return htmlPart(rowEnds.length > 1 ? joinedRows(lines, rowEnds) : text, 'text/html', encode(text));
  }
  const bare = text.length < 12 || /\S[ ]\S/.test(text.slice(0, 200)) ? '' : packed(text);
  if (bare.length >= 12 && /^[A-Za-z0-9+/]+={0,2}$/.test(bare) && bare.length % 4 === 0) {
    const bytes = Buffer.from(bare, 'base64');
    if (isReadable(bytes, true)) return documentPart(bare, PLAIN);
    if (bare.length >= 200 && lines.some((line) => line.length >= 60)) {
      return asPart('plain', { text: '', bold: [] }, [{ contentType: 'application/octet-stream', base64: bare }]);
    }
  }
  return { form: 'plain', lines: lines.map(decodeEntities), bold: [], attachments: [] };
}

/** Rows of HTML as one: where a row ends outside of a tag, a line ends. */
function joinedRows(lines: readonly string[], rowEnds: readonly number[]): string {
  const ends = new Set(rowEnds);
  let inTag = false;
  return lines
    .map((line, index) => {
      const [opens, closes] = [line.lastIndexOf('<'), line.lastIndexOf('>')];
      if (opens >= 0 || closes >= 0) inTag = opens > closes && /^<[A-Za-z/!]/.test(line.slice(opens, opens + 2));
      const isEnd = ends.has(index + 1) && index + 1 < lines.length && !inTag;
      return `${line}${isEnd && !/(?:<br\s*\/?>|<\/?(?:p|div|li|tr|table|ul|ol|html|body|h[1-6])>)\s*$/i.test(line.slice(-60)) ? '<br>' : '\n'}`;
    })
    .join('');
}

/** The words of any other XML: what stands in its elements, each apart. */
const wordsOfXml = (text: string): DocumentWords => wordsOfHtml(text.replaceAll('<', ' <'), true);

const IS_PAGE = /<(?:[\w.-]+:)?(?:html|ClinicalDocument)\b/i;
// Types that say that the file holds no words that could be read here, whatever is in it.
const WORDLESS_TYPE = /^image\/|^application\/(?:pdf|dicom)$/;

/** XML by itself: what is no page and no CDA has words only where there are no others. */
function xmlPart(text: string, contentType: string, base64: string): Part {
  if (IS_PAGE.test(text.slice(0, 4096))) return htmlPart(text, contentType, base64);
  return { ...asPart('html', wordsOfXml(text), [{ contentType, base64 }]), isLastResort: true };
}

/** A file of a report, by how it begins, else by the type that was said of it, as words and as an attachment. */
export function documentPart(base64: string, saidType: string, isWordless = false): Part {
  const bytes = Buffer.from(base64, 'base64');
  const kind = kindByContent(bytes);
  if (kind === 'application/rtf') return rtfFilePart(bytes, base64);
  const none: DocumentWords = { text: '', bold: [] };
  if (kind !== null) return asPart('plain', none, [{ contentType: kind, base64 }]);
  const text = decodeText(bytes).replaceAll('\0', '');
  switch (saidType) {
    case 'text/html':
    case 'application/xhtml+xml':
      return htmlPart(text, saidType, base64);
    case 'text/xml':
      return xmlPart(text, saidType, base64);
    case 'application/rtf':
      return looksLikeHtml(text)
        ? htmlPart(text, 'text/html', base64)
        : asPart('plain', { text: tidyLines(text), bold: [] }, [{ contentType: saidType, base64 }]);
    default:
  }
  const isWords =
    saidType === PLAIN ? isMostlyWords(text) : !WORDLESS_TYPE.test(saidType) && !isWordless && isReadable(bytes);
  if (isWords) return textPart(text.split(/\r\n|\n|\r(?!\n)/));
  const contentType = saidType === PLAIN ? 'application/octet-stream' : saidType;
  // What is called a program's file and is plain sentences all the same is better read than lost.
  const isLastResort = isWordless && /\S\s+\S/.test(text.slice(0, 4096)) && isReadable(bytes, true);
  const words = isLastResort ? { text: tidyLines(text), bold: [] } : none;
  return { ...asPart('plain', words, [{ contentType, base64 }]), isLastResort };
}
