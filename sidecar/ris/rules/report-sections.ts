export type SectionKind =
  'history' | 'technique' | 'comparison' | 'findings' | 'impression' | 'recommendation' | 'other';

/** A stretch of a report's body under one heading. */
export interface Section {
  /** As it was written, without its colon; `''` of what stands before the first heading. */
  readonly heading: string;
  readonly kind: SectionKind;
  readonly text: string;
}

// What radiologists' reports call their sections.
const NAMES: Readonly<Record<Exclude<SectionKind, 'other'>, string>> = {
  history:
    '(?:relevant |brief )?(?:clinical )?(?:history|indications?|notes?|details|information|data|question|context|background)|clinical|(?:reason|indication)s? for (?:the )?(?:exam(?:ination)?|study|scan|referral|request|procedure)|referral (?:details|notes|reason)|clinical history and indication|presenting (?:complaint|problem)',
  technique:
    '(?:examination |scan(?:ning)? |imaging |ct |mri |procedure )?(?:technique|protocol)|procedure(?: details)?|method(?:ology)?|contrast',
  comparison:
    'comparisons?(?: studies| with| made)?|compared (?:to|with)|(?:prior|previous|relevant prior) (?:studies|imaging|examinations?|study)|correlation',
  findings:
    '(?:imaging |radiological |ct |mri |ultrasound |x-ray )?findings?|report|results?|observations?|description',
  impression:
    '(?:final |overall |diagnostic )?(?:impressions?|conclusions?|opinion|summary|interpretation|assessment)|comments?|summary and recommendations?|impression and recommendations?|(?:radiological )?diagnosis',
  recommendation: '(?:further )?recommendations?|advice|suggest(?:ion|ed follow[- ]?up)s?|follow[- ]?up|management',
};

const KINDS: readonly Exclude<SectionKind, 'other'>[] = [
  'history', 'technique', 'comparison', 'findings', 'impression', 'recommendation',
]; // prettier-ignore

const WHOLE = KINDS.map((kind) => [kind, new RegExp(`^(?:${NAMES[kind]})$`, 'i')] as const);
const ANY = KINDS.map((kind) => `(?:${NAMES[kind]})`).join('|');
const WITH_COLON = new RegExp(`^[\\s*•#-]{0,8}(${ANY})\\s{0,4}[:：]`, 'i');
const ALONE = new RegExp(`^[\\s*#]{0,8}(${ANY})[\\s.*-]{0,8}$`, 'i');
// In capitals with a sentence behind it in the same line.
const IN_CAPITALS = /^\s{0,8}([A-Z][A-Z/& -]{2,40}[A-Z])(?:\s+-\s+|\s{2,}|\s)(?=[A-Z0-9]?[a-z0-9])/;

const kindOf = (heading: string): SectionKind =>
  WHOLE.find(([, name]) => name.test(heading.trim().replace(/\s+/g, ' ')))?.[0] ?? 'other';

const MAX_HEADING = 80;
const withoutColon = (text: string): string => text.replace(/[\s:：]+$/, '').trim();

interface Found {
  readonly heading: string;
  readonly rest: string;
}

/** The heading that a line begins with, and what stands behind it; `null`: it begins with none. */
function headingOf(line: string, bold: ReadonlySet<string>, boldBeginnings: RegExpMatcher): Found | null {
  const head = line.slice(0, MAX_HEADING * 2);
  const [withColon, named = ''] = WITH_COLON.exec(head) ?? [];
  if (withColon !== undefined) return { heading: named, rest: line.slice(withColon.length) };
  const alone = ALONE.exec(line.length > MAX_HEADING ? '' : line)?.[1];
  if (alone !== undefined) return { heading: alone, rest: '' };
  const [inCapitals, capitals = ''] = IN_CAPITALS.exec(head) ?? [];
  if (inCapitals !== undefined && kindOf(capitals) !== 'other') {
    return { heading: capitals, rest: line.slice(inCapitals.length) };
  }
  const trimmed = line.trim();
  if (trimmed.length <= MAX_HEADING && bold.has(trimmed) && /\p{L}/u.test(trimmed)) {
    return { heading: withoutColon(trimmed), rest: '' };
  }
  const beginning = boldBeginnings(trimmed);
  if (beginning === null) return null;
  return { heading: withoutColon(beginning), rest: trimmed.slice(beginning.length).replace(/^\s*[:：]/, '') };
}

type RegExpMatcher = (line: string) => string | null;

/** Finds the bold words that a line begins with, where a colon is at their end: `Liver: normal`. */
function beginnings(bold: readonly string[]): RegExpMatcher {
  const known = new Set(bold.filter((one) => one.length <= MAX_HEADING));
  return (line) => {
    const colon = line.slice(0, MAX_HEADING).search(/[:：]/);
    if (colon <= 0) return null;
    return [line.slice(0, colon + 1), line.slice(0, colon).trimEnd()].find((one) => known.has(one)) ?? null;
  };
}

/** A longer body is one section: no report is, and no headings are looked for in it. */
const MAX_BODY = 1_000_000;

/**
 * A report's body by its headings, at the beginnings of lines: those that radiologists use, with or without a colon, and
 * lines or beginnings of lines in bold. All words of the body are in the sections, in their order; one without headings is
 * one section. An empty body has none.
 */
export function sectionsOf(body: string, bold: readonly string[] = []): Section[] {
  if (body.length > MAX_BODY) return [{ heading: '', kind: 'other', text: body }];
  const boldLines = new Set(bold);
  const boldBeginnings = beginnings(bold);
  const sections: { heading: string; lines: string[] }[] = [];
  for (const line of body.split('\n')) {
    const found = headingOf(line, boldLines, boldBeginnings);
    if (found !== null) sections.push({ heading: found.heading.trim(), lines: [found.rest] });
    else if (sections.length === 0) sections.push({ heading: '', lines: [line] });
    else sections.at(-1)?.lines.push(line);
  }
  return sections
    .map(({ heading, lines }) => ({ heading, kind: kindOf(heading), text: lines.join('\n').trim() }))
    .filter(({ heading, text }) => heading !== '' || text !== '');
}
