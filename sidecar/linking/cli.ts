import type { Knex } from 'knex';
import type { CommandLine } from '../platform/command-line.ts';
import { table } from '../platform/rules/table.ts';
import { tryMatching, type Trial } from './flows/try-matching.ts';
import { linkStatements, studiesAfter } from './io/link-rows.ts';
import { policyOf, type LinkingSettings } from './settings.ts';

/** Opens the database, and closes it when the work is done. */
export type WithDatabase = (work: (db: Knex) => Promise<void>) => Promise<void>;

function trialText({ looked, moved }: Trial): string {
  const total = moved.reduce((sum, { studies }) => sum + studies, 0);
  const rows = moved.map(({ from, to, cause, callingAeTitles, studies }) => [
    ...[from, to, cause, callingAeTitles || 'unknown', String(studies)],
  ]);
  const told = `${total} of ${looked} DICOM studies would be decided otherwise\n`;
  return total === 0 ? told : `${told}\n${table(['from', 'to', 'why', 'sent by', 'studies'], rows)}`;
}

/** `match try`: what the strict rules would move, before MATCHING is set to them. */
export function matchCommands(
  { program, terminal, action }: CommandLine,
  withDatabase: WithDatabase,
  settings: () => LinkingSettings,
): void {
  program
    .command('match')
    .description('how images are matched to orders')
    .command('try')
    .description('count what MATCHING=2 would decide otherwise, on the tables as they are; changes nothing')
    .option('--json', 'print JSON')
    .action(
      action(async (options: { json?: true }) => {
        await withDatabase(async (db) => {
          const trial = await tryMatching(
            {
              studiesAfter: (id, limit) => studiesAfter(db, id, limit),
              load: (ids) =>
                db.transaction(async (trx) => {
                  const statements = linkStatements(trx);
                  const studies = await statements.loadStudies(ids);
                  return { studies, risStudies: await statements.loadRisStudies(ids) };
                }),
            },
            { ...policyOf(settings()), matching: 2 },
          );
          terminal.out(options.json === true ? `${JSON.stringify(trial, null, 2)}\n` : trialText(trial));
        });
        return 0;
      }),
    );
}
