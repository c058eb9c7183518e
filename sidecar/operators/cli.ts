import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { z } from 'zod';
import { cliViewer } from '../audit/cli.ts';
import type { Viewer } from '../audit/rules/who.ts';
import { messagesOfFile } from '../hl7/rules/file-messages.ts';
import { checked, type CommandLine } from '../platform/command-line.ts';
import { Failure } from '../platform/rules/failure.ts';
import type { Acts } from './acts.ts';
import { ACTS, type Act, type Done } from './definitions.ts';
import { PatientDiffers } from './rules/patient-differs.ts';
import { comparedText, messageText, orderText, studyText, textText, trialText, workText } from './text.ts';

/** Opens what acts need, and closes it when the work is done. */
export type WithActs = (
  work: (acts: Acts) => Promise<void>,
  settings?: Readonly<Record<string, string>>,
) => Promise<void>;

/** So many of each kind are read at a look. */
const FIRST_LOOK = 25;
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
  const showSides = (error: unknown): never => {
    if (error instanceof PatientDiffers) terminal.err(comparedText(error.compared));
    throw error;
  };
  const keys = Object.entries(act.input.shape).map(([key, field]) => ({
    key,
    what: z.globalRegistry.get(field)?.description ?? '',
    isOption: z.core.safeParse(field, undefined).success,
    isFlag: z.core.safeParse(field, true).success,
  }));
  if (act.subject !== null) command.argument(`<${act.subject.name.toUpperCase()}>`, act.subject.what);
  for (const { key, what, isOption, isFlag } of keys) {
    if (isFlag) command.option(`--${worded(key, '-').toLowerCase()}`, what);
    else if (isOption) command.option(`--${worded(key, '-').toLowerCase()} <${worded(key, '_').toUpperCase()}>`, what);
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
          const { json, text } = await act.perform(acts, act.subject === null ? '' : first, input, by).catch(showSides);
          terminal.out(options['json'] === true ? jsonText(json) : text);
        });
        return 0;
      }),
    );
}

const KINDS = ['study', 'order', 'message'] as const;

/** The first of these kinds that has such a one. @throws Failure permanent `study-unknown` where none has. */
async function found(
  acts: Acts,
  what: string,
  kinds: readonly (typeof KINDS)[number][],
  viewer: Viewer,
): Promise<Done> {
  for (const kind of kinds) {
    if (kind === 'study') {
      const study = await acts.show(what, viewer);
      if (study !== null) return { json: study, text: studyText(study) };
    } else if (kind === 'order') {
      const order = await acts.showOrder(what, viewer);
      if (order !== null) return { json: order, text: orderText(order) };
    } else {
      const message = await acts.showMessage(what, viewer);
      if (message !== null) return { json: message, text: messageText(message) };
    }
  }
  const names = { study: 'Study Instance UID', order: 'accession number', message: 'message id' };
  throw new Failure('permanent', 'study-unknown', `no such ${kinds.map((kind) => names[kind]).join(', ')}`);
}

function messagesIn(file: string): Buffer[] {
  try {
    return messagesOfFile(readFileSync(file));
  } catch (cause) {
    throw new Failure('permanent', 'no-file', `${file} cannot be read`, { cause });
  }
}

/** `hl7 show` and `hl7 try`: what was understood of a message, or would be. */
function hl7Commands({ program, terminal, action }: CommandLine, withActs: WithActs): void {
  const hl7 = program.command('hl7').description('HL7 messages: what was understood of them, or would be');
  hl7
    .command('show')
    .description('how a message was taken, and what was understood of it')
    .argument('<MESSAGE>', 'its id, or its MSH-10: then the newest')
    .option('--who <NAME>', 'who looks', '')
    .option('--json', 'print JSON')
    .action(
      action(async (which: string, options: { who: string; json?: true }) => {
        await withActs(async (acts) => {
          const { json, text } = await found(acts, which, ['message'], cliViewer(options.who));
          terminal.out(options.json === true ? jsonText(json) : text);
        });
        return 0;
      }),
    );
  hl7
    .command('try')
    .description('what would be understood of these messages, and what would follow; nothing is kept')
    .argument('<FILE...>', 'each with one message or several')
    .option('--senders <TEXT>', 'as HL7_SENDERS, in place of that setting')
    .option('--who <NAME>', 'who tries', '')
    .option('--json', 'print JSON')
    .action(
      action(async (files: string[], options: { senders?: string; who: string; json?: true }) => {
        const settings = options.senders === undefined ? {} : { HL7_SENDERS: options.senders };
        const named = files.flatMap((file) => {
          const raws = messagesIn(file);
          return raws.map((raw, index) => ({ name: raws.length === 1 ? file : `${file} (${index + 1})`, raw }));
        });
        await withActs(async (acts) => {
          const trials = await acts.tryMessages(
            named.map(({ raw }) => raw),
            cliViewer(options.who),
          );
          const texts = trials.map((trial, index) => trialText(named[index]?.name ?? '', trial));
          terminal.out(options.json === true ? jsonText(trials) : texts.join('\n'));
        }, settings);
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
    .option('--all', `more than the newest ${FIRST_LOOK} of each kind`)
    .option('--who <NAME>', 'who looks', '')
    .option('--json', 'print JSON')
    .action(
      action(async (options: { days: string; all?: true; who: string; json?: true }) => {
        await withActs(async (acts) => {
          const limit = options.all === true || options.json === true ? undefined : FIRST_LOOK;
          const items = await acts.work(Number(options.days), cliViewer(options.who), limit);
          terminal.out(options.json === true ? jsonText(items) : workText(items));
        });
        return 0;
      }),
    );
  program
    .command('show')
    .description('a DICOM study, an order, or an HL7 message')
    .argument('<WHAT>', 'Study Instance UID, accession number or message id: the first of these that is known')
    .addOption(new Option('--as <KIND>', 'only that').choices(KINDS))
    .option('--who <NAME>', 'who looks', '')
    .option('--json', 'print JSON')
    .action(
      action(async (what: string, options: { as?: string; who: string; json?: true }) => {
        const kinds = KINDS.filter((kind) => options.as === undefined || options.as === kind);
        await withActs(async (acts) => {
          const { json, text } = await found(acts, what, kinds, cliViewer(options.who));
          terminal.out(options.json === true ? jsonText(json) : text);
        });
        return 0;
      }),
    );
  hl7Commands(line, withActs);
  commandOf(program, ['text', 'show'])
    .description('the text of a study: whether it went, and what it waits for')
    .argument('<ACCESSION>', 'Accession number')
    .option('--who <NAME>', 'who looks', '')
    .option('--json', 'print JSON')
    .action(
      action(async (accession: string, options: { who: string; json?: true }) => {
        await withActs(async (acts) => {
          const text = await acts.showText(accession, cliViewer(options.who));
          if (text === null) throw new Failure('permanent', 'text-unknown', 'no text tells of that accession number');
          terminal.out(options.json === true ? jsonText(text) : textText(text));
        });
        return 0;
      }),
    );
  for (const act of ACTS) addAct(line, withActs, act);
}
