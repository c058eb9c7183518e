import { z } from 'zod';
import { loadConfig } from '../../app/config.ts';
import { createOperations, type Operations } from '../../app/operations.ts';
import { readFrame } from '../../hl7/io/listener.ts';
import { migrate, openDatabase } from '../../platform/postgres/database.ts';
import { postgres } from './services.ts';

/** The flows of production on a database of their own, with a clock that moves when it is told to, and its texts. */
export interface TextDesk extends AsyncDisposable {
  operations: Operations;
  readonly db: ReturnType<typeof openDatabase>;
  config: ReturnType<typeof loadConfig>;
  now: Date;
  /** The same database by a sidecar with these settings. */
  restart(settings: Readonly<Record<string, string>>): void;
  /** Takes one HL7 message of these segments, the first without `MSH|^~\\&|`; fails if it is refused. Gives its id. */
  receive(segments: readonly string[]): Promise<string>;
  /** Takes one HL7 message of these segments, MSH-7 as given (`YYYYMMDDHHMMSS`, the practice's time); fails if it is refused. */
  hear(type: string, saidAt: string, ...segments: readonly string[]): Promise<string>;
  /** A line for each text: `A1: queued to +61…`, `A1 A2: held report-empty`, by its first accession number. */
  texts(): Promise<string[]>;
  rows<T>(sql: string, row: z.ZodType<T>): Promise<T[]>;
}

const TEXTS = `
SELECT concat(string_agg(s.accession_number, ' ' ORDER BY s.id = m.study_id DESC, s.id), ': ', m.state, ' to ' || m.to_number,
              ' ' || m.reason, ', seen to: ' || m.attention) AS line
FROM sms_messages m JOIN sms_studies t ON t.sms_id = m.id JOIN studies s ON s.id = t.study_id
GROUP BY m.id ORDER BY 1`;

const LINE = z.object({ line: z.string() });

export async function startTextDesk(
  settings: Readonly<Record<string, string>> = {},
  now = new Date('2026-12-01T00:00:00Z'),
): Promise<TextDesk> {
  const url = await (await postgres()).createDatabase();
  await migrate(url);
  const db = openDatabase(url, 8);
  const base = {
    DATABASE_URL: url,
    ORTHANC_URL: 'http://127.0.0.1:1',
    ORTHANC_USERNAME: 'nobody',
    ORTHANC_PASSWORD: 'nobody',
    AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true',
    PORTAL_URL: 'https://portal.example',
  };
  const wired = (more: Readonly<Record<string, string>>): Pick<TextDesk, 'config' | 'operations'> => {
    const config = loadConfig({ ...base, ...more });
    return { config, operations: createOperations({ config, db, now: () => desk.now, onRefused: () => undefined }) };
  };
  let messages = 0;
  const rows = async <T>(sql: string, row: z.ZodType<T>): Promise<T[]> => {
    const result: unknown = await db.raw(sql);
    return z.object({ rows: z.array(row) }).parse(result).rows;
  };
  const desk: TextDesk = {
    ...{ now, db, rows, ...wired(settings) },
    restart: (more) => void Object.assign(desk, wired(more)),
    hear(type, saidAt, ...segments) {
      messages += 1;
      return desk.receive([`RIS|S|||${saidAt}||${type}|M${messages}|P|2.4`, ...segments]);
    },
    async receive([msh = '', ...segments]) {
      const raw = Buffer.from([`MSH|^~\\&|${msh}`, ...segments, ''].join('\r'));
      const answer = await desk.operations.receive({ raw, ...readFrame(raw), remoteAddress: '127.0.0.1' });
      if (!answer.includes('MSA|AA|')) throw new Error(`refused: ${answer}`);
      const [last] = await rows('SELECT CAST(max(id) AS text) AS id FROM hl7_messages', z.object({ id: z.string() }));
      return last?.id ?? '';
    },
    texts: async () => (await rows(TEXTS, LINE)).map(({ line }) => line),
    [Symbol.asyncDispose]: () => db.destroy(),
  };
  return desk;
}

/** PID of an invented patient; `more` are fields by number. */
export function pidOf(id: string, name: string, phone = '', more: Readonly<Record<number, string>> = {}): string {
  const fields: Readonly<Record<number, string>> = { 3: `${id}^^^^MR`, 5: name, 7: '19790412', 13: phone, ...more };
  return ['PID', ...Array.from({ length: 40 }, (_, at) => fields[at + 1] ?? '')].join('|').replace(/\|+$/, '');
}

/** The segments of an order. */
export const orderFor = (accession: string, modality = 'CT'): string[] => [
  `ORC|NW|P${accession}`,
  `OBR|1|P${accession}||||||||||||||||${accession}||||||${modality}`,
];

/** The segments of a report; `words` empty leaves it without any row, `at` is OBR-22. */
export const reportFor = (accession: string, status = 'F', { words = 'All is well.', at = '' } = {}): string[] => [
  `OBR|1|||||||||||||||||${accession}||||${at}|||${status}`,
  ...(words === '' ? [] : [`OBX|1|TX|R||${words}||||||${status}`]),
];
