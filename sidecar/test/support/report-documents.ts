import { readReportMessage, type Report } from '../../ris/rules/report.ts';
import { hl7, PID, seg, SETTINGS } from './hl7-messages.ts';

export const base64 = (data: string | Uint8Array): string => Buffer.from(data).toString('base64');

/** Text as a field of HL7 has it: separators and line ends escaped. */
export const escaped = (text: string): string =>
  text.replace(/[\\|^&~\r\n]/g, (sign) =>
    sign === '\n' ? '\\.br\\' : `\\${{ '\\': 'E', '|': 'F', '^': 'S', '&': 'T', '~': 'R' }[sign] ?? 'X0D'}\\`,
  );

/** A small RTF document of these lines, its letters above 7F as control words. */
export function rtf(lines: readonly string[]): string {
  const words = (line: string): string =>
    line.replace(/[\\{}]/g, '\\$&').replace(/[^\x20-\x7e]/g, (letter) => {
      const code = letter.charCodeAt(0);
      return letter === '\t' ? '\\tab ' : `\\u${code > 0x7fff ? code - 0x10000 : code}?`;
    });
  const head = '{\\rtf1\\ansi\\ansicpg1252\\deff0{\\fonttbl{\\f0\\fswiss Arial;}}{\\colortbl;\\red0\\green0\\blue0;}';
  return `${head}{\\*\\generator Made up;}\\pard\\f0\\fs20 ${lines.map(words).join('\\par\r\n')}\\par}`;
}

/** A small HTML page of these lines. */
export function html(lines: readonly string[]): string {
  const words = (line: string): string =>
    line.replace(/[&<>"]/g, (sign) => `&${{ '&': 'amp', '<': 'lt', '>': 'gt' }[sign] ?? 'quot'};`);
  const style = '<style>p { margin: 0 }</style><script>if (1 < 2) document.write("<p>not a word</p>")</script>';
  return `<html><head><title>not a word</title>${style}</head><body>${lines.map((line) => `<div>${words(line)}</div>`).join('')}</body></html>`;
}

/** A PDF that is none but begins and ends as one; different ones by their number. */
export const pdf = (number = 1, size = 40): string => `%PDF-1.4\n${String(number).repeat(size)}\n%%EOF\n`;

export const obx = (type: string, value: string, more: Readonly<Record<number, string>> = {}): string =>
  seg('OBX', { 2: type, 5: value, 11: 'F', ...more });

/** The one report of a message with these rows. */
export function readRows(...rows: readonly string[]): Report {
  const [report, another] = readReportMessage(
    hl7('ORU^R01', PID, seg('OBR', { 18: 'ACC1', 25: 'F' }), ...rows),
    SETTINGS,
  ).reports;
  if (report === undefined || another !== undefined) throw new Error('not one report');
  return report;
}

/** The types of a report's attachments. */
export const types = (report: Report): string[] => report.attachments.map(({ contentType }) => contentType);

/** Only the words of a text. */
export const wordsIn = (text: string): string[] => text.match(/[\p{L}\p{N}]+/gu) ?? [];
