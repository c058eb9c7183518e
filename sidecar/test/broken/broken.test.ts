import { join } from 'node:path';
import { expect } from 'chai';
import { killAt } from '../crash/crash.ts';
import { SCENARIOS } from '../crash/scenarios.ts';
import { startCrashWorld } from '../crash/world.ts';
import { BREAKS } from './breaks.ts';
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
