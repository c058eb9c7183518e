import { Option } from 'commander';
import { pino } from 'pino';
import { loadBackupConfig } from './settings.ts';
import { missingText, notToldText, restoredText } from './text.ts';
import { openBackups, type Backups } from './backups.ts';
import { checked, type CommandLine, type Terminal } from '../platform/command-line.ts';
import { asFailure, Failure } from '../platform/rules/failure.ts';
import { createLog } from '../platform/log.ts';

interface Line {
  readonly command: 'backup' | 'restore';
  readonly snapshot: string;
  readonly every: boolean;
  readonly overwrite: boolean;
  readonly report: boolean;
  readonly json: boolean;
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

async function run(line: Line, { environment, out, err }: Terminal): Promise<0 | 1> {
  const stop = new AbortController();
  const onSignal = (): void => {
    stop.abort();
  };
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, onSignal);
  try {
    const config = loadBackupConfig(environment);
    await using backups = openBackups(config, stop.signal);
    if (line.every) {
      await backups.untilStopped(createLog(config.LOG_LEVEL));
      return 0;
    }
    const performed = await perform(backups, line, config.LOG_LEVEL);
    out(performed.out);
    if (performed.notTold === undefined) return 0;
    err(notToldText(performed.notTold));
    return 1;
  } finally {
    for (const signal of ['SIGTERM', 'SIGINT']) process.removeListener(signal, onSignal);
  }
}

const SNAPSHOT = checked(/^(latest|[0-9a-f]{6,64})$/, 'the id of a snapshot, or latest');
const NOT_ASKED = { snapshot: 'latest', every: false, overwrite: false, report: false, json: false } as const;

/** `backup` and `restore`, which have settings of their own. */
export function backupCommands({ program, terminal, action }: CommandLine): void {
  program
    .command('backup')
    .description("back up Postgres and Orthanc's images now, and verify that")
    .option('--every', 'the same whenever it is due, until stopped')
    .option('--json', 'print JSON')
    .action(action((options: Partial<Line>) => run({ ...NOT_ASKED, ...options, command: 'backup' }, terminal)));
  const restore = program
    .command('restore')
    .description('put the newest backup, or that one, into an empty database and an empty Orthanc')
    .argument('[SNAPSHOT]', 'which backup', SNAPSHOT)
    .addOption(new Option('--overwrite', 'replace what the database has, and add to what Orthanc has'))
    .addOption(new Option('--report', 'only what a restore left missing, as of now').conflicts('overwrite'))
    .option('--json', 'print JSON');
  restore.action(
    action((snapshot: string | undefined, options: Partial<Line>) => {
      if (options.report === true && snapshot !== undefined) restore.error('axis: --report takes no SNAPSHOT');
      return run({ ...NOT_ASKED, ...options, snapshot: snapshot ?? 'latest', command: 'restore' }, terminal);
    }),
  );
}
