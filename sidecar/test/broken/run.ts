import { BREAKS, type Storm } from './breaks.ts';
import { mocha } from './mocha.ts';
import { copyTree, ROOT } from './tree.ts';

// Breaks the code on purpose, one break at a time in a copy, and sees that tests notice. Ends with 0 when a kill at the
// right step and a storm each, or recorded cases, showed every break, and the code as it is loses and doubles nothing in the same storms.

const TALLY = /^\s+(.+: \d+, lost \d+, doubled \d+)$/gm;
const IS_WRONG = /lost [1-9]|doubled [1-9]/;

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

async function storm(folder: string, settings: Storm) {
  const { passed, output } = await mocha(folder, ['sidecar/test/faults/storm.test.ts'], { ...settings });
  const wrong = [...output.matchAll(TALLY)].flatMap(([, line = '']) => (IS_WRONG.test(line) ? [line] : []));
  return { passed, wrong, output };
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const bad: string[] = [];
const judge = (good: boolean, what: string, output: string): void => {
  say(`${good ? 'as it must be' : 'WRONG'}: ${what}`);
  if (good) return;
  bad.push(what);
  say(output.slice(-4000));
};

const kills = await mocha(ROOT, ['sidecar/test/broken/broken.test.ts'], {});
judge(kills.passed, 'each break is noticed by a kill at one step, or by recorded cases', kills.output);
say(kills.output.trim());

const storms = new Map(BREAKS.map(({ storm: settings }) => [JSON.stringify(settings), settings]));
for (const [name, settings] of storms) {
  const { passed, output } = await storm(ROOT, settings);
  judge(passed, `unbroken, the storm ${name} loses and doubles nothing`, output);
}
for (const { name, edits, storm: settings } of BREAKS) {
  await using tree = await copyTree(edits);
  const { passed, wrong, output } = await storm(tree.folder, settings);
  judge(!passed && wrong.length > 0, `the storm ${JSON.stringify(settings)} notices: ${name}`, output);
  for (const line of wrong) say(`    ${line}`);
}
process.exitCode = bad.length === 0 ? 0 : 1;
