import { parseArgs, type ParseArgsConfig } from 'node:util';

/** What the command line was not understood to say; with an empty message, that its usage was asked for. */
export class UsageError extends Error {}

/** As `parseArgs` of Node. @throws UsageError */
export function parseLine<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
