import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { table } from '../../platform/rules/table.ts';
import { benchGrowth } from './growth.ts';
import { benchHl7 } from './hl7.ts';
import { benchLag } from './lag.ts';
import { benchLink } from './link.ts';
import { benchMemory } from './memory.ts';
import { benchMirror } from './mirror.ts';
import { resultOf, type Figure } from './measure.ts';
import { benchStart } from './start.ts';
import type { Extent } from './world.ts';

const USAGE = `npm run bench -- [part …] [--repeats 5] [--scale 1] [--seed 1] [--json FILE]

  Measures the sidecar against the bare limits of what it stands on, each pair side by side in this run.
  --scale   1 is the table's own extent; 0.05 is a quick look
  --json    where the figures are written as well (bench.json)

  parts:`;

const PARTS: Readonly<Record<string, (extent: Extent) => Promise<Figure[]>>> = {
  link: benchLink,
  lag: benchLag,
  mirror: benchMirror,
  hl7: benchHl7,
  growth: benchGrowth,
  memory: benchMemory,
  start: benchStart,
};

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const number = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3);

function tableOf(figures: readonly Figure[]): string {
  const headings = ['part', 'what', 'unit', 'ours', 'bare', 'compared', 'from', 'to', 'asked', 'reached'];
  const rows = figures.map((figure) => {
    const { ours, bare, value, least, most, reached } = resultOf(figure);
    const { goal, kind } = figure.compared;
    return [
      figure.part,
      figure.what,
      figure.unit,
      number(ours),
      bare === null ? null : number(bare),
      kind === 'value' ? null : number(value),
      number(least),
      number(most),
      goal === null ? null : `${goal.is} ${goal.value}`,
      reached === null ? null : reached ? 'yes' : 'NO',
    ];
  });
  return table(headings, rows);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    repeats: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string', default: 'bench.json' },
    help: { type: 'boolean', default: false },
  },
});
const wanted = positionals.length === 0 ? Object.keys(PARTS) : positionals;
const unknown = wanted.filter((name) => PARTS[name] === undefined);
const extent = { seed: Number(values.seed), repeats: Number(values.repeats), scale: Number(values.scale), say };
if (values.help || unknown.length > 0 || !(extent.repeats >= 1) || !(extent.scale > 0) || Number.isNaN(extent.seed)) {
  say(`${USAGE} ${Object.keys(PARTS).join(' ')}`);
  process.exit(values.help ? 0 : 2);
}

const packageJson: unknown = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
const { seed, repeats, scale } = extent;
const machine = {
  at: new Date().toISOString(),
  cores: availableParallelism(),
  processor: cpus()[0]?.model ?? '',
  memoryGb: Math.round(totalmem() / 1024 ** 3),
  node: process.version,
  seed,
  repeats,
  scale,
};
const figures: Figure[] = [];
for (const name of wanted) {
  say(`${name} …`);
  figures.push(...((await PARTS[name]?.(extent)) ?? []));
}
process.stdout.write(`${table(Object.keys(machine), [Object.values(machine).map(String)])}\n${tableOf(figures)}`);
mkdirSync(dirname(values.json), { recursive: true });
const results = figures.map((figure) => ({
  ...figure,
  ...resultOf(figure),
  samples: { ours: figure.ours, bare: figure.bare },
}));
writeFileSync(values.json, `${JSON.stringify({ machine, package: packageJson, results }, null, 2)}\n`);
