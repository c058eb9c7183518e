import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { loadBackupConfig } from './settings.ts';
import { missingText, notToldText, restoredText } from './text.ts';
import { openBackups, type Backups } from './backups.ts';
import { ConfigError } from '../platform/settings.ts';
import { asFailure, Failure } from '../platform/rules/failure.ts';
import { createLog } from '../platform/log.ts';

export const BACKUP_USAGE = `  backup                       back up Postgres and Orthanc's images now, and verify that
  backup --every               the same whenever it is due, until stopped
  restore [SNAPSHOT]           put the newest backup, or that one, into an empty database and an empty Orthanc
          --overwrite          replace what the database has, and add to what Orthanc has
  restore --report             what a restore left missing, as of now
`;

/** Whether {@link backupLine} is for that command line: it has settings of its own. */
export const isBackupLine = ([command]: readonly string[]): boolean => command === 'backup' || command === 'restore';

interface Line {
  readonly command: string;
  readonly snapshot: string;
  readonly every: boolean;
  readonly overwrite: boolean;
  readonly report: boolean;
  readonly json: boolean;
}

/** `null` for one that is not understood. */
function readLine(args: readonly string[]): Line | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        every: { type: 'boolean', default: false },
        overwrite: { type: 'boolean', default: false },
        report: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    const [command = '', snapshot = 'latest', ...rest] = positionals;
    const fits =
      command === 'backup'
        ? positionals.length === 1 && !values.overwrite && !values.report
        : !values.every && !(values.report && (positionals.length > 1 || values.overwrite));
    const named = snapshot === 'latest' || /^[0-9a-f]{6,64}$/.test(snapshot);
    return fits && named && rest.length === 0 ? { command, snapshot, ...values } : null;
  } catch {
    return null;
  }
}

interface Performed {
  readonly out: string;
  /** Why what is missing is not known in full. */
  readonly notTold?: string;
}

async function perform(backups: Backups, line: Line, level: string): Promise<Performed> {
  const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
  if (line.command === 'backup') {
    const made = await backups.once();
    const { snapshot, takenAt, files, bytes } = made;
    if (line.json) return { out: json(made) };
    return {
      out: `${snapshot}: of ${takenAt.toISOString()}, ${files} files, ${bytes} bytes, read back and verified\n`,
    };
  }
  if (line.report) {
    const missing = await backups.missing();
    return {
      out: line.json ? json({ missing }) : missingText(missing),
      ...(missing.blobFailure !== null && { notTold: missing.blobFailure }),
    };
  }
  // stdout is the report's.
  const log = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
  const restored = await backups.restore(line, log);
  // What was restored is told whatever becomes of the rest.
  const missing = await backups.missing().catch(asFailure);
  if (missing instanceof Failure) {
    return { out: line.json ? json({ restored, missing: null }) : restoredText(restored), notTold: missing.code };
  }
  const out = line.json ? json({ restored, missing }) : restoredText(restored) + missingText(missing);
  return { out, ...(missing.blobFailure !== null && { notTold: missing.blobFailure }) };
}

/** Runs `axis backup …` and `axis restore …`; gives the exit code: 0 done, 1 not done, 2 not understood. */
export async function backupLine(args: readonly string[]): Promise<number> {
  const line = readLine(args);
  if (line === null) {
    process.stderr.write(`usage: axis COMMAND\n\n${BACKUP_USAGE}`);
    return 2;
  }
  const stop = new AbortController();
  const onSignal = (): void => {
    stop.abort();
  };
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, onSignal);
  try {
    const config = loadBackupConfig(process.env);
    await using backups = openBackups(config, stop.signal);
    if (line.every) await backups.untilStopped(createLog(config.LOG_LEVEL));
    else {
      const { out, notTold } = await perform(backups, line, config.LOG_LEVEL);
      process.stdout.write(out);
      if (notTold === undefined) return 0;
      process.stderr.write(notToldText(notTold));
      return 1;
    }
    return 0;
  } catch (error) {
    const { code, message } = asFailure(error);
    const known = error instanceof Failure ? `${code}: ` : '';
    process.stderr.write(`axis: ${error instanceof ConfigError ? error.message : `${known}${message}`}\n`);
    return 1;
  } finally {
    for (const signal of ['SIGTERM', 'SIGINT']) process.removeListener(signal, onSignal);
  }
}
