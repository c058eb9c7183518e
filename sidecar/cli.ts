#!/usr/bin/env node
import type { Knex } from 'knex';
import { accessCommands } from './access/cli.ts';
import { keyStatements } from './access/io/key-rows.ts';
import { loadConfig, loadOperationsConfig } from './app/config.ts';
import { createOperations } from './app/operations.ts';
import { auditCommands, cliViewer } from './audit/cli.ts';
import { backupCommands } from './backup/cli.ts';
import { doctorCommands } from './doctor/cli.ts';
import { matchCommands } from './linking/cli.ts';
import { operatorCommands } from './operators/cli.ts';
import { runCommandLine, type Terminal } from './platform/command-line.ts';
import { openDatabase } from './platform/postgres/database.ts';

const ABOUT = {
  name: 'axis',
  about: 'What operators do, and how an installation is looked after.',
  after: `
No rule undoes what a person decided. Settings are read from the environment, as the sidecar's: list, show and acts need
DATABASE_URL only. Exit: 0 done, 1 not done, 2 not understood.`,
};

const terminal: Terminal = {
  environment: process.env,
  now: () => new Date(),
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

async function withDatabase(work: (db: Knex) => Promise<void>): Promise<void> {
  const db = openDatabase(loadOperationsConfig(terminal.environment).DATABASE_URL, 2);
  try {
    await work(db);
  } finally {
    await db.destroy();
  }
}

process.exitCode = await runCommandLine(
  ABOUT,
  [
    (line) => {
      operatorCommands(line, (work, settings) =>
        withDatabase((db) =>
          work(
            createOperations({
              config: loadOperationsConfig({ ...terminal.environment, ...settings }),
              db,
              now: terminal.now,
              onRefused: () => undefined,
            }),
          ),
        ),
      );
    },
    (line) => {
      accessCommands(line, (work) =>
        withDatabase((db) => work({ ...keyStatements(db), now: terminal.now, by: cliViewer('') })),
      );
    },
    (line) => {
      auditCommands(line, withDatabase);
    },
    (line) => {
      matchCommands(line, withDatabase, () => loadOperationsConfig(terminal.environment));
    },
    backupCommands,
    (line) => {
      doctorCommands(line, loadConfig);
    },
  ],
  terminal,
  process.argv.slice(2),
);
