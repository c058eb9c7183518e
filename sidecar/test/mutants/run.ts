import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { copyTree } from '../broken/tree.ts';
import { MUTANTS } from './mutants.ts';

// Leaves out or turns round each condition of matching, of whose a study is, of release and of texts, one at a time in a copy, and sees that unit tests notice. Ends
// with 0 when they noticed every one.

const MOCHA = join(dirname(createRequire(import.meta.url).resolve('mocha/package.json')), 'bin/mocha.js');
const TESTS = [
  'sidecar/test/linking/rules/*.test.ts',
  ...['release', 'texts'].map((wing) => `sidecar/test/${wing}/rules/*.test.ts`),
  'sidecar/test/texts/flows/send.test.ts',
  ...['same-patient', 'placeholder', 'facts', 'clash', 'merges', 'patient-phones', 'patient-update'].map(
    (name) => `sidecar/test/ris/rules/${name}.test.ts`,
  ),
];

async function passes(folder: string): Promise<boolean> {
  const args = [MOCHA, '--no-config', '--bail', '--timeout', '60000', ...TESTS];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: 'ignore' });
  await once(child, 'close');
  return child.exitCode === 0;
}

{
  await using tree = await copyTree([]);
  if (!(await passes(tree.folder))) throw new Error('the tests fail with nothing changed');
}
const overlooked: string[] = [];
for (const mutant of MUTANTS) {
  await using tree = await copyTree([mutant]);
  if (await passes(tree.folder)) overlooked.push(`${mutant.file}: ${mutant.find} -> ${mutant.replace || 'nothing'}`);
}
for (const one of overlooked) process.stdout.write(`overlooked: ${one}\n`);
process.stdout.write(`noticed: ${MUTANTS.length - overlooked.length} of ${MUTANTS.length}\n`);
process.exitCode = overlooked.length === 0 ? 0 : 1;
