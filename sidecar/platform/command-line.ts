import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { Failure } from './rules/failure.ts';
import { ConfigError } from './settings.ts';

/** Who runs a command line, and where it writes to. */
export interface Terminal {
  readonly environment: NodeJS.ProcessEnv;
  readonly now: () => Date;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** The exit codes: done, not done, not understood. */
export type ExitCode = 0 | 1 | 2;

/** What a command came to: nothing is 0. */
export type Ran = Promise<ExitCode | undefined>;

/** What wings add their commands to. */
export interface CommandLine {
  readonly program: Command;
  readonly terminal: Terminal;
  /** Makes an action of `run`: what it gives is the exit code, and what it throws is told. */
  readonly action: <A extends unknown[]>(run: (...args: A) => Ran) => (...args: A) => Promise<void>;
}

/** Checks an argument of a command. @throws InvalidArgumentError, which is told with the usage of that command. */
export function checked(pattern: RegExp, what: string): (text: string) => string {
  return (text) => {
    if (pattern.test(text)) return text;
    throw new InvalidArgumentError(`It takes ${what}.`);
  };
}

/** A time such as `2026-04-01T09:00:00+11:00`. */
export function timeArgument(text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime()))
    throw new InvalidArgumentError('It takes a time such as 2026-04-01T09:00:00+11:00.');
  return time;
}

const told = (error: unknown): string => {
  if (error instanceof Failure) return `${error.code}: ${error.message}`;
  return error instanceof ConfigError ? error.message : String(error);
};

/**
 * Runs the line that `args` are, with the commands that `wings` add; gives the exit code. What is not understood is told
 * with the usage of the command that it was meant for.
 */
export async function runCommandLine(
  { name, about, after }: { readonly name: string; readonly about: string; readonly after: string },
  wings: readonly ((line: CommandLine) => void)[],
  terminal: Terminal,
  args: readonly string[],
): Promise<ExitCode> {
  let code: ExitCode = 0;
  const program = new Command(name)
    .description(about)
    .exitOverride()
    .showHelpAfterError()
    .configureHelp({ styleTitle: (title) => title.toLowerCase() })
    .configureOutput({
      writeOut: terminal.out,
      writeErr: terminal.err,
      outputError: (text, write) => {
        write(text.replace(/^error:/, `${name}:`));
      },
    })
    .addHelpText('after', after);
  const action: CommandLine['action'] =
    (run) =>
    async (...given) => {
      code = (await run(...given)) ?? 0;
    };
  for (const add of wings) add({ program, terminal, action });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    terminal.err(`${name}: ${told(error)}\n`);
    return 1;
  }
}
