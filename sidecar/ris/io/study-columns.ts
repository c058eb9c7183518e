import type { FoldedStudy } from '../rules/facts.ts';

/** The columns of a RIS study that follow from what was said of it, by the program's names for them, with their types. */
const COLUMNS = [
  ['accessionNumber', 'text'],
  ['patientId', 'bigint'],
  ['orderStatus', 'text'],
  ['externalId', 'text'],
  ['placerOrderNumber', 'text'],
  ['fillerOrderNumber', 'text'],
  ['studyInstanceUid', 'text'],
  ['modality', 'text'],
  ['procedureCode', 'text'],
  ['procedureDescription', 'text'],
  ['scheduledAt', 'timestamptz'],
  ['studyDate', 'date'],
  ['clash', 'text'],
] as const satisfies readonly (readonly [keyof FoldedStudy, string])[];

const columnOf = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** As the list of an `INSERT` or `SELECT`. */
export const STUDY_COLUMNS = COLUMNS.map(([name]) => columnOf(name)).join(', ');

/** As the list that says what a recordset is made of. */
export const STUDY_COLUMN_TYPES = COLUMNS.map(([name, type]) => `${columnOf(name)} ${type}`).join(', ');

/** As what an upsert sets. */
export const STUDY_COLUMNS_SET = COLUMNS.map(([name]) => `${columnOf(name)} = EXCLUDED.${columnOf(name)}`).join(', ');

/** As a JSON object by the program's names, of the row `s`. Ids are text, as JSON's numbers are too small for them. */
export const STUDY_COLUMNS_JSON = `json_build_object(${COLUMNS.map(
  ([name, type]) => `'${name}', ${type === 'bigint' ? `CAST(s.${columnOf(name)} AS text)` : `s.${columnOf(name)}`}`,
).join(', ')})`;

/** The values of these columns, by their names in the database. */
export const studyColumns = (study: FoldedStudy): Readonly<Record<string, string | null>> =>
  Object.fromEntries(COLUMNS.map(([name]) => [columnOf(name), study[name]]));
