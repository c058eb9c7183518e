import { join } from 'node:path';
import { expect } from 'chai';
import { killAt } from '../crash/crash.ts';
import { SCENARIOS } from '../crash/scenarios.ts';
import { startCrashWorld } from '../crash/world.ts';
import { BREAKS } from './breaks.ts';
import { CASE_BREAKS } from './case-breaks.ts';
import { mocha } from './mocha.ts';
import { copyTree } from './tree.ts';

/** What is lost stays so: there is no need to wait long. */
const DRAIN_MS = 3_000;

describe('broken on purpose, a kill at the right step shows it', () => {
  for (const { name, edits, scenario: wanted, point, seen } of BREAKS) {
    it(name, async () => {
      const scenario = SCENARIOS.find((one) => one.name === wanted);
      if (scenario === undefined) throw new Error(`no scenario: ${wanted}`);
      await using tree = await copyTree(edits);
      await using world = await startCrashWorld(join(tree.folder, 'sidecar/main.ts'));
      const kills = [{ scenario, point, leavesNothing: false }];
      const outcome = await killAt(world, scenario, kills, { drainMs: DRAIN_MS }).then(
        () => 'nothing was noticed',
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      expect(outcome).to.match(seen);
      process.stdout.write(`      ${outcome}\n`);
    });
  }
});

const PLAYED_BY = {
  episodes: 'sidecar/test/linking/episodes.test.ts',
  texts: 'sidecar/test/texts/cases.test.ts',
} as const;

describe('broken on purpose, recorded cases show it', () => {
  for (const { name, edits, recorded, cases } of CASE_BREAKS) {
    it(name, async () => {
      await using tree = await copyTree(edits);
      const wanted = `recorded ${recorded} (${cases.join('|')}): `;
      const { output } = await mocha(tree.folder, [PLAYED_BY[recorded], '--grep', wanted], {});
      const noticed = cases.filter((one) => new RegExp(`^ +\\d+\\) ${one}: `, 'm').test(output));
      expect(noticed, output).to.deep.equal(cases);
      expect(output).to.include(`${cases.length} failing`);
    });
  }
});
