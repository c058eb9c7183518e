import type { StudyTags } from '../../dev/phantoms.ts';

const ELEMENT = /^( *)\([0-9a-f]{4},[0-9a-f]{4}\) [A-Z]{2} (?:\[([^\]]*)\]|=\S+|\([^)]*\))\s*#[^A-Za-z]*(\w+)/;

/** The tags of a dump of dcmtk's; of Request Attributes the accession numbers. The SOP Class is left to who makes the file. */
export function tagsOfDump(dump: string): StudyTags & { readonly SeriesInstanceUID: string } {
  const tags: Record<string, string> = {};
  const requested: string[] = [];
  for (const line of dump.split(/\r?\n/)) {
    const [, indent = '', value, name = ''] = ELEMENT.exec(line) ?? [];
    if (value === undefined) continue;
    if (indent === '') tags[name] = value;
    else if (name === 'AccessionNumber') requested.push(value);
  }
  const { StudyInstanceUID = '', SeriesInstanceUID = '', ...others } = tags;
  const RequestAttributesSequence = requested.map((AccessionNumber) => ({ AccessionNumber }));
  return { ...others, StudyInstanceUID, SeriesInstanceUID, ...(requested.length > 0 && { RequestAttributesSequence }) };
}
