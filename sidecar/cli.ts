#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { keyStatements } from './access/io/key-rows.ts';
import { openDatabase } from './platform/postgres/database.ts';
import { BACKUP_USAGE, backupLine, isBackupLine } from './backup/cli.ts';
import { checkAudit, cliViewer, printAudit } from './audit/cli.ts';
import { keyEntry, KEYS_USAGE, readKeysLine, runKeysLine } from './access/cli.ts';
import { UsageError } from './platform/usage.ts';
import { studyText, workText } from './operators/text.ts';
import { loadConfig } from './app/config.ts';
import { ConfigError } from './platform/settings.ts';
import { Failure } from './platform/rules/failure.ts';
import type { Act } from './operators/rules/work.ts';
import { doctorCommand } from './doctor/cli.ts';
import { createOperations, type Operations } from './app/operations.ts';
import type { Viewer } from './audit/rules/who.ts';

const USAGE = `usage: axis COMMAND

  list [--days N]              what needs a person; provisional studies from N days on (1)
  show UID                     one DICOM study: tags, candidates, history, images
  link UID ACCESSION           it belongs to that study of the RIS
  unlink UID                   it belongs to none: back to a study of its own
  confirm UID                  what stands, or the only candidate of its review, is right
  release UID                  let the rules decide it again, at once
  replay ID                    read a kept HL7 message again and apply it
  retry image ID               mirror a failed image (its SOP Instance UID or Orthanc's id) again
  retry study UID              all failed images of one DICOM study
  retry images [--reason CODE] all failed images, or all that failed for that
  doctor [OPTIONS]             try the installation, and say what is wrong and what to do; doctor --help
  audit [--since T] [--until T] the audit log, a row a line; T as 2026-04-01T09:00:00+11:00
  audit verify [--noted ID:HASH] whether nothing in it was changed or taken out
${KEYS_USAGE}
${BACKUP_USAGE}
link, unlink, confirm, release, replay and retry need --who NAME and --why TEXT, which are kept; no rule undoes what a
person decided. --json prints JSON. The settings are read from the environment, as the sidecar's. Exit: 0 done, 1 not done, 2
not understood.
`;

interface Line {
  readonly command: string;
  readonly subject: string;
  readonly accessionNumber: string;
  readonly who: string;
  readonly why: string;
  readonly days: number;
  readonly reason: string | null;
  readonly json: boolean;
  readonly since: Date | null;
  readonly until: Date | null;
  readonly noted: string;
}

const SUBJECTS: Readonly<Record<string, number>> = {
  list: 0, show: 1, link: 2, unlink: 1, confirm: 1, release: 1, replay: 1,
  'retry image': 1, 'retry study': 1, 'retry images': 0,
  audit: 0, 'audit verify': 0,
}; // prettier-ignore
const READING = new Set(['list', 'show', 'audit', 'audit verify']);

function timeOf(text: string | undefined): Date | null {
  if (text === undefined) return null;
  const time = new Date(text);
  if (Number.isNaN(time.getTime()))
    throw new UsageError('--since and --until take a time such as 2026-04-01T09:00:00+11:00');
  return time;
}

function readLine(args: readonly string[]): Line {
  const parsed = (() => {
    try {
      return parseArgs({
        args: [...args],
        allowPositionals: true,
        options: {
          who: { type: 'string', default: '' },
          why: { type: 'string', default: '' },
          days: { type: 'string', default: '1' },
          reason: { type: 'string' },
          since: { type: 'string' },
          until: { type: 'string' },
          noted: { type: 'string', default: '' },
          json: { type: 'boolean', default: false },
          help: { type: 'boolean', short: 'h', default: false },
        },
      });
    } catch (error) {
      throw new UsageError(error instanceof Error ? error.message : String(error));
    }
  })();
  const { who, why, days, reason = null, json, noted, help } = parsed.values;
  const { positionals } = parsed;
  if (positionals[0] === 'retry' || positionals[0] === 'audit') {
    positionals.splice(0, 2, positionals.slice(0, 2).join(' '));
  }
  const [command = '', subject = '', accessionNumber = ''] = positionals;
  if (help || command === '') throw new UsageError('');
  const subjects = SUBJECTS[command];
  if (subjects === undefined) throw new UsageError(`there is no command ${command}`);
  if (positionals.length !== subjects + 1) throw new UsageError(`${command} takes ${subjects} argument(s)`);
  if (!READING.has(command) && (who.trim() === '' || why.trim() === '')) {
    throw new UsageError(`${command} needs --who and --why`);
  }
  if (!/^\d{1,5}$/.test(days)) throw new UsageError('--days takes a whole number');
  if (reason !== null && command !== 'retry images') throw new UsageError('--reason goes with retry images');
  const [since, until] = [timeOf(parsed.values.since), timeOf(parsed.values.until)];
  return { command, subject, accessionNumber, who, why, days: Number(days), reason, json, since, until, noted };
}

function actOf({ command, accessionNumber }: Line): Act {
  if (command === 'link') return { kind: 'link', accessionNumber };
  if (command === 'unlink' || command === 'confirm' || command === 'release') return { kind: command };
  throw new UsageError(`there is no command ${command}`);
}

async function shown(operations: Operations, { subject, json }: Line, viewer: Viewer | null): Promise<string> {
  const study = await operations.show(subject, viewer);
  if (study === null) throw new Failure('permanent', 'study-unknown', 'no such Study Instance UID');
  return json ? `${JSON.stringify(study, null, 2)}\n` : studyText(study);
}

async function perform(operations: Operations, line: Line): Promise<string> {
  const { command, subject, why, days, json } = line;
  const viewer = cliViewer(line.who);
  const by = { who: line.who, why, from: viewer.from };
  switch (command) {
    case 'list': {
      const items = await operations.work(days, viewer);
      return json ? `${JSON.stringify(items, null, 2)}\n` : workText(items);
    }
    case 'show':
      return shown(operations, line, viewer);
    case 'replay':
      await operations.replay(subject, by);
      return json ? `${JSON.stringify({ id: subject, answer: 'AA' })}\n` : `message ${subject} is applied\n`;
    case 'retry image':
    case 'retry study':
    case 'retry images': {
      const image = command === 'retry image' ? subject : null;
      const studyInstanceUid = command === 'retry study' ? subject : null;
      const images = await operations.retryImages({ image, studyInstanceUid, reason: line.reason }, by);
      return json ? `${JSON.stringify({ images })}\n` : `images to be tried again: ${images}\n`;
    }
    default:
      await operations.resolve(subject, actOf(line), by);
      return shown(operations, line, null);
  }
}

async function main(args: readonly string[]): Promise<number> {
  if (isBackupLine(args)) return backupLine(args);
  try {
    if (args[0] === 'doctor') {
      const { code, out, err } = await doctorCommand(args.slice(1), () => loadConfig(process.env));
      process.stdout.write(out);
      process.stderr.write(err);
      return code;
    }
    const keys = readKeysLine(args);
    if (keys?.act === 'entry') {
      process.stdout.write(keyEntry(keys.name));
      return 0;
    }
    const line = keys ?? readLine(args);
    const config = loadConfig(process.env);
    const db = openDatabase(config.DATABASE_URL, 2);
    try {
      const now = (): Date => new Date();
      if ('act' in line) {
        process.stdout.write(await runKeysLine({ ...keyStatements(db), now, by: cliViewer('') }, line));
        return 0;
      }
      if (line.command === 'audit') {
        await printAudit(db, cliViewer(line.who), line, process.stdout);
        return 0;
      }
      if (line.command === 'audit verify') {
        process.stdout.write(await checkAudit(db, line.noted, line.json));
        return 0;
      }
      const operations = createOperations({ config, db, now, onRefused: () => undefined });
      process.stdout.write(await perform(operations, line));
    } finally {
      await db.destroy();
    }
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(error.message === '' ? USAGE : `axis: ${error.message}\n\n${USAGE}`);
      return 2;
    }
    const known = error instanceof Failure || error instanceof ConfigError;
    process.stderr.write(
      `axis: ${error instanceof Failure ? `${error.code}: ` : ''}${known ? error.message : String(error)}\n`,
    );
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
