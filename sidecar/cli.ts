#!/usr/bin/env node
import { randomBytes } from 'node:crypto';
import { newApiKey } from './adapters/api-keys.ts';
import { API_KEY_NAME } from './core/api-key.ts';

const USAGE = `usage: axis COMMAND

  api-key NAME   make an API key for the device NAME: prints the key, once, and the entry for API_KEYS
`;

function main([command, name = '']: readonly string[]): number {
  if (command !== 'api-key' || !API_KEY_NAME.test(name)) {
    process.stderr.write(USAGE);
    return 2;
  }
  const { key, entry } = newApiKey(name, randomBytes(32));
  process.stdout.write(`key, for the device only:  ${key}\nentry, for API_KEYS:       ${entry}\n`);
  return 0;
}

process.exitCode = main(process.argv.slice(2));
