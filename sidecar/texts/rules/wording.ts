export const DEFAULT_TEMPLATE = 'Your {modality} results are ready! View: {url}';

// What a patient calls it.
const PLAIN_WORDS: Readonly<Record<string, string>> = {
  CT: 'CT', MR: 'MRI', MRI: 'MRI', US: 'ultrasound', BDUS: 'ultrasound', IVUS: 'ultrasound', CR: 'X-ray', DX: 'X-ray',
  DR: 'X-ray', XR: 'X-ray', RG: 'X-ray', MG: 'mammogram', NM: 'nuclear medicine', PT: 'PET', PET: 'PET',
  XA: 'angiography', RF: 'fluoroscopy', BMD: 'bone density', IO: 'dental X-ray', PX: 'dental X-ray', ECG: 'ECG',
  OP: 'eye imaging', OCT: 'OCT',
}; // prettier-ignore

export interface SmsContent {
  readonly template: string;
  /** DICOM modality code (PS3.3 C.7.3.1.1.1); an unknown one reads `imaging`. */
  readonly modality: string;
  readonly portalUrl: string;
  readonly accessionNumber: string;
  /** PRACTICE_NAME. */
  readonly practice?: string | undefined;
}

/** A value of a query, of the unreserved letters of RFC 3986 alone, which no phone takes for the end of a link. */
const inQuery = (value: string): string =>
  encodeURIComponent(value.toWellFormed()).replace(
    /[!'()*]|\.$/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** The text: `{practice}`, `{modality}`, `{url}`, `{accession}` of the template filled in. */
export function smsText({ template, modality, portalUrl, accessionNumber, practice }: SmsContent): string {
  const url = `${portalUrl}${portalUrl.includes('?') ? '&' : '?'}ref=${inQuery(accessionNumber)}`;
  const values: Readonly<Record<string, string>> = {
    '{modality}': PLAIN_WORDS[modality.trim().toUpperCase()] ?? 'imaging',
    '{url}': url,
    '{accession}': accessionNumber,
    '{practice}': practice ?? '',
  };
  return template.replace(/\{\w+\}/g, (name) => values[name] ?? name);
}

/** What is wrong with a template, or `null`. */
export function checkTemplate(template: string): string | null {
  if (!template.includes('{url}')) return 'must contain {url}';
  const unknown = [...template.matchAll(/\{\w*\}/g)].find(
    ([name]) => !['{url}', '{modality}', '{accession}', '{practice}'].includes(name),
  );
  if (unknown !== undefined) return 'may contain {practice}, {modality}, {url} and {accession} only';
  return template.length > 300 ? 'must not be longer than 300 characters' : null;
}

/** Minutes after local midnight between which texts go out; `from` after `to` spans midnight. */
export interface SmsHours {
  readonly from: number;
  readonly to: number;
}

const HOURS = /^(\d{2}):(\d{2})-(\d{2}):(\d{2})$/;
const DAY_MINUTES = 24 * 60;

/** Reads `08:00-20:00`; `00:00-24:00` is always. `null` for anything else, and for a window without length. */
export function parseSmsHours(text: string): SmsHours | null {
  const match = HOURS.exec(text.trim());
  if (match === null) return null;
  const [fromHour = 0, fromMinute = 0, toHour = 0, toMinute = 0] = match.slice(1).map(Number);
  if (fromMinute > 59 || toMinute > 59) return null;
  const [from, to] = [fromHour * 60 + fromMinute, toHour * 60 + toMinute];
  return from >= DAY_MINUTES || to > DAY_MINUTES || from === to ? null : { from, to };
}

/** Whether texts go out at that moment. */
export function withinSmsHours(at: Date, { from, to }: SmsHours, timeZone: string): boolean {
  const parts = new Intl.DateTimeFormat('en-AU', { timeZone, hourCycle: 'h23', hour: 'numeric', minute: 'numeric' });
  const [hour = 0, minute = 0] = parts
    .formatToParts(at)
    .filter(({ type }) => type === 'hour' || type === 'minute')
    .map(({ value }) => Number(value));
  const now = hour * 60 + minute;
  return from < to ? now >= from && now < to : now >= from || now < to;
}

const MINUTE_MS = 60_000;

/**
 * When a text may go out: `now`, or the minute the window opens next in the practice's zone. Found by looking at the
 * clock on the wall minute by minute, so that a change of summer time needs no case of its own.
 */
export function nextSendTime(now: Date, hours: SmsHours, timeZone: string): Date {
  if (withinSmsHours(now, hours, timeZone)) return now;
  const nextMinute = Math.floor(now.getTime() / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
  for (let minute = 0; minute < 2 * DAY_MINUTES; minute += 1) {
    const at = new Date(nextMinute + minute * MINUTE_MS);
    if (withinSmsHours(at, hours, timeZone)) return at;
  }
  return now;
}
