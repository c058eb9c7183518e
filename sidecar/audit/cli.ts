import { createHash } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import type { Knex } from 'knex';
import { appendAudit, auditChain, readAudit } from './io/rows.ts';
import type { AuditRow } from './rules/entry.ts';
import { timeArgument, type CommandLine } from '../platform/command-line.ts';
import { Failure } from '../platform/rules/failure.ts';
import { verifyAudit } from './flows/verify.ts';
import type { Viewer } from './rules/who.ts';

const PAGE = 1000;

/** Who runs the command line: as named, else the machine's user. */
export function cliViewer(who: string): Viewer {
  const user = (): string => {
    try {
      return userInfo().username;
    } catch {
      return 'unknown';
    }
  };
  return { who: who.trim() === '' ? `user ${user()}` : who, from: hostname() };
}

function lineOf(row: AuditRow): string {
  const { id, at, event, outcome, who, source, what, studyInstanceUid, accessionNumber, hl7MessageId, detail } = row;
  const subject = [studyInstanceUid, accessionNumber, hl7MessageId && `message ${hl7MessageId}`].filter((part) => part);
  const shown = [at, String(id), event, outcome, who, source, what, subject.join(' '), JSON.stringify(detail)];
  return shown.map((part) => part || '-').join('  ');
}

/**
 * Writes the audit log to `out`, a row a line: JSON, or for eyes. That it is read is written first; the rows are then
 * those until that one.
 */
export async function printAudit(
  db: Knex,
  viewer: Viewer,
  options: { readonly since: Date | null; readonly until: Date | null; readonly json: boolean },
  out: (text: string) => void,
): Promise<void> {
  const { since, until, json } = options;
  const asked = { ...(since && { since: since.toISOString() }), ...(until && { until: until.toISOString() }) };
  const entry = {
    at: new Date(),
    who: viewer.who,
    source: viewer.from,
    what: 'audit',
    outcome: 'ok',
    detail: asked,
  } as const;
  await appendAudit(db, [{ ...entry, event: 'audit-read' }]);
  const end = (await auditChain(db).head())?.id ?? 0;
  for (let after = 0; after < end;) {
    const rows = await readAudit(db, after, PAGE, { since, until });
    for (const row of rows) {
      if (row.id <= end) out(`${json ? JSON.stringify(row) : lineOf(row)}\n`);
    }
    if (rows.length < PAGE) return;
    after = rows.at(-1)?.id ?? end;
  }
}

const NOTED = /^(\d{1,15}):([0-9a-f]{64})$/;

/**
 * What the check of the chain says. @throws Failure permanent: `audit-broken` with what is wrong, `noted-unclear` where
 * `noted` is not `ID:HASH`.
 */
export async function checkAudit(db: Knex, noted: string, json: boolean): Promise<string> {
  const [, id, hash] = NOTED.exec(noted) ?? [];
  if (noted !== '' && (id === undefined || hash === undefined)) {
    throw new Failure('permanent', 'noted-unclear', '--noted takes ID:HASH, as an earlier check printed it');
  }
  const origin = createHash('sha256').digest('hex');
  const check = await verifyAudit(
    { ...auditChain(db), origin },
    id === undefined || hash === undefined ? null : { id: Number(id), hash },
  );
  if (check.problems.length > 0) throw new Failure('permanent', 'audit-broken', check.problems.join('\n'));
  if (json) return `${JSON.stringify(check)}\n`;
  if (check.last === null) return 'the audit log is empty\n';
  const { rows, first, last } = check;
  return `${rows} rows, ${first ?? ''} to ${last}, each as it was written\nto note elsewhere:  ${last}:${check.hash ?? ''}\n`;
}

/** Opens the database, and closes it when the work is done. */
export type WithDatabase = (work: (db: Knex) => Promise<void>) => Promise<void>;

/** `audit`. */
export function auditCommands({ program, terminal, action }: CommandLine, withDatabase: WithDatabase): void {
  const audit = program
    .command('audit')
    .description('the audit log, a row a line')
    .option('--since <T>', 'from then on, such as 2026-04-01T09:00:00+11:00', timeArgument)
    .option('--until <T>', 'until then', timeArgument)
    .option('--who <NAME>', 'who reads it', '')
    .option('--json', 'print JSON')
    .action(
      action(async (options: { since?: Date; until?: Date; who: string; json?: true }) => {
        const { since = null, until = null, who, json = false } = options;
        await withDatabase((db) => printAudit(db, cliViewer(who), { since, until, json }, terminal.out));
        return 0;
      }),
    );
  audit
    .command('verify')
    .description('whether nothing in it was changed or taken out')
    .option('--noted <ID:HASH>', 'what an earlier check printed', '')
    .option('--json', 'print JSON')
    .action(
      action(async ({ noted, json = false }: { noted: string; json?: boolean }) => {
        await withDatabase(async (db) => {
          terminal.out(await checkAudit(db, noted, json));
        });
        return 0;
      }),
    );
}
