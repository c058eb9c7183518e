import type { Command } from 'commander';
import { z } from 'zod';
import { cliViewer } from '../audit/cli.ts';
import { checked, type CommandLine } from '../platform/command-line.ts';
import { Failure } from '../platform/rules/failure.ts';
import type { Acts } from './acts.ts';
import { ACTS, type Act } from './definitions.ts';
import { studyText, workText } from './text.ts';

/** Opens what acts need, and closes it when the work is done. */
export type WithActs = (work: (acts: Acts) => Promise<void>) => Promise<void>;

const SAID = checked(/\S/, 'some text');
const jsonText = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** `accessionNumber` is ACCESSION_NUMBER as an argument, and --accession-number as an option. */
const worded = (key: string, between: string): string => key.replace(/[A-Z]/g, (letter) => `${between}${letter}`);

/** The command with these words, below `program`; groups of commands are made where they are not there. */
function commandOf(program: Command, [first, ...rest]: readonly string[]): Command {
  const known = program.commands.find((one) => one.name() === first);
  const command = known ?? program.command(first ?? '');
  return rest.length === 0 ? command : commandOf(command, rest);
}

function addAct({ program, terminal, action }: CommandLine, withActs: WithActs, act: Act): void {
  const command = commandOf(program, act.command).description(act.summary);
  const keys = Object.entries(act.input.shape).map(([key, field]) => ({
    key,
    what: z.globalRegistry.get(field)?.description ?? '',
    isOption: z.core.safeParse(field, undefined).success,
  }));
  if (act.subject !== null) command.argument(`<${act.subject.name.toUpperCase()}>`, act.subject.what);
  for (const { key, what, isOption } of keys) {
    if (isOption) command.option(`--${worded(key, '-').toLowerCase()} <${worded(key, '_').toUpperCase()}>`, what);
    else command.argument(`<${worded(key, '_').toUpperCase()}>`, what);
  }
  command
    .requiredOption('--who <NAME>', 'who does it, which is kept', SAID)
    .requiredOption('--why <TEXT>', 'why, which is kept', SAID)
    .option('--json', 'print JSON')
    .action(
      action(async () => {
        const options: Record<string, unknown> = command.opts();
        const [first = '', ...others] = command.args;
        const positional = act.subject === null ? command.args : others;
        const required = keys.filter(({ isOption }) => !isOption);
        const input = {
          ...options,
          ...Object.fromEntries(required.map(({ key }, index) => [key, positional[index]])),
        };
        const { from } = cliViewer('');
        const by = { who: String(options['who']), why: String(options['why']), from };
        await withActs(async (acts) => {
          const { json, text } = await act.perform(acts, act.subject === null ? '' : first, input, by);
          terminal.out(options['json'] === true ? jsonText(json) : text);
        });
        return 0;
      }),
    );
}

/** `list`, `show` and all acts. */
export function operatorCommands(line: CommandLine, withActs: WithActs): void {
  const { program, terminal, action } = line;
  program
    .command('list')
    .description('what needs a person')
    .option('--days <N>', 'provisional studies from so many days on', checked(/^\d{1,5}$/, 'a whole number'), '1')
    .option('--who <NAME>', 'who looks', '')
    .option('--json', 'print JSON')
    .action(
      action(async (options: { days: string; who: string; json?: true }) => {
        await withActs(async (acts) => {
          const items = await acts.work(Number(options.days), cliViewer(options.who));
          terminal.out(options.json === true ? jsonText(items) : workText(items));
        });
        return 0;
      }),
    );
  program
    .command('show')
    .description('one DICOM study: tags, candidates, history, images')
    .argument('<UID>', 'Study Instance UID')
    .option('--who <NAME>', 'who looks', '')
    .option('--json', 'print JSON')
    .action(
      action(async (uid: string, options: { who: string; json?: true }) => {
        await withActs(async (acts) => {
          const study = await acts.show(uid, cliViewer(options.who));
          if (study === null) throw new Failure('permanent', 'study-unknown', 'no such Study Instance UID');
          terminal.out(options.json === true ? jsonText(study) : studyText(study));
        });
        return 0;
      }),
    );
  for (const act of ACTS) addAct(line, withActs, act);
}
