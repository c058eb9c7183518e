/** One byte of a code page as text; `null`: it begins a letter of several bytes. */
type ByteTable = readonly string[];

export interface CodePage {
  readonly label: string;
  /** The letter of each byte; empty for code pages whose letters take several. */
  readonly table: ByteTable;
}

const CP437 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';
const CP850 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0';
// Adobe's Symbol from 0x20 and from 0xA0, by which RTF writes µ, ≤, ≥, ± and Greek letters.
const SYMBOL_LOW = ' !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼';
const SYMBOL_HIGH =
  '€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪\u00a0〉∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭';
// Of Wingdings what a form ticks; all else is drawn as a bullet.
const WINGDINGS: ReadonlyMap<number, string> = new Map([
  [0x20, ' '], [0x6f, '☐'], [0x71, '☐'], [0x72, '☐'], [0x78, '☒'], [0x7f, '☐'], [0xa8, '☐'],
  [0xd8, '➢'], [0xdf, '←'], [0xe0, '→'], [0xe1, '↑'], [0xe2, '↓'], [0xfb, '✗'], [0xfc, '✓'], [0xfd, '☒'], [0xfe, '☑'],
]); // prettier-ignore

const ASCII: ByteTable = Array.from({ length: 128 }, (_, byte) => String.fromCharCode(byte));
const bytes = Array.from({ length: 256 }, (_, byte) => byte);

const symbolOf = (byte: number): string =>
  (byte >= 0xa0 ? SYMBOL_HIGH.charAt(byte - 0xa0) : byte >= 0x20 ? SYMBOL_LOW.charAt(byte - 0x20) : '') || '•';

/** Fonts that draw signs in place of letters. */
export const SYMBOL: CodePage = { label: 'symbol', table: bytes.map(symbolOf) };
export const WINGDING: CodePage = { label: 'wingdings', table: bytes.map((byte) => WINGDINGS.get(byte) ?? '•') };

const MULTI_BYTE: ReadonlyMap<number, string> = new Map([
  [932, 'shift_jis'],
  [936, 'gbk'],
  [949, 'euc-kr'],
  [950, 'big5'],
  [54936, 'gb18030'],
  [65001, 'utf-8'],
]);

const SINGLE_BYTE: ReadonlyMap<number, string> = new Map([
  ...[874, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258].map((page): [number, string] => [
    page,
    `windows-${page}`,
  ]),
  [866, 'ibm866'],
  [10000, 'macintosh'],
  [20866, 'koi8-r'],
  [28592, 'iso-8859-2'],
  [28605, 'iso-8859-15'],
]);

function singleByte(label: string): CodePage {
  const decoder = new TextDecoder(label);
  const fallback = new TextDecoder('windows-1252');
  const letter = (byte: number): string => {
    const found = decoder.decode(Uint8Array.of(byte));
    return found === '\ufffd' ? fallback.decode(Uint8Array.of(byte)) : found;
  };
  return { label, table: bytes.map(letter) };
}

const pages = new Map<number, CodePage>([
  [437, { label: 'cp437', table: [...ASCII, ...Array.from(CP437)] }],
  [850, { label: 'cp850', table: [...ASCII, ...Array.from(CP850)] }],
]);

/** A code page by its number (RTF 1.9.1, `\ansicpg`); one that is not known is read as windows-1252. */
export function codePage(number: number): CodePage {
  const known = pages.get(number);
  if (known !== undefined) return known;
  const multiByte = MULTI_BYTE.get(number);
  const page =
    multiByte === undefined ? singleByte(SINGLE_BYTE.get(number) ?? 'windows-1252') : { label: multiByte, table: [] };
  // Only of the few that are known, so that a document cannot fill the map.
  if (multiByte !== undefined || SINGLE_BYTE.has(number)) pages.set(number, page);
  return page;
}

// \fcharset of RTF 1.9.1 to code pages; 0 and 1 are the document's own.
const BY_FONT_CHARSET: ReadonlyMap<number, number> = new Map([
  [77, 10000],
  [128, 932],
  [129, 949],
  [134, 936],
  [136, 950],
  [161, 1253],
  [162, 1254],
  [163, 1258],
  [177, 1255],
  [178, 1256],
  [186, 1257],
  [204, 1251],
  [222, 874],
  [238, 1250],
  [254, 437],
  [255, 850],
]);

/** The code page of a font by its `\fcharset` and name; `null`: that of the document. */
export function fontCodePage(charset: number, name: string): CodePage | null {
  if (/^(?:wingdings|webdings)/i.test(name)) return WINGDING;
  if (charset === 2 || /^symbol\b/i.test(name)) return SYMBOL;
  const number = BY_FONT_CHARSET.get(charset);
  return number === undefined ? null : codePage(number);
}

/** These bytes in a code page; never U+FFFD: what it does not have is read as windows-1252. */
export function decodePage(page: CodePage, run: readonly number[]): string {
  if (page.table.length > 0) return run.map((byte) => page.table[byte] ?? '').join('');
  const packed = Uint8Array.from(run);
  try {
    return new TextDecoder(page.label, { fatal: true }).decode(packed);
  } catch {
    return new TextDecoder('windows-1252').decode(packed);
  }
}

/** Whether a byte begins a letter of several bytes whose next may stand in the document as it is. */
export function isLeadByte(page: CodePage, byte: number): boolean {
  if (page.table.length > 0 || page.label === 'utf-8') return false;
  return page.label === 'shift_jis' ? (byte >= 0x81 && byte <= 0x9f) || byte >= 0xe0 : byte >= 0x81;
}
