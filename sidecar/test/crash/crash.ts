import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { caseOf, Refused, type Case } from './case.ts';
import { forgetHeldJobs, heldJobs, problems, untaken, untilRight, waitingJobs } from './check.ts';
import type { CrashPoint, Recorded } from './conductor.ts';
import { settled, whileDown, type Scenario } from './scenarios.ts';
import type { CrashWorld } from './world.ts';

/** All that a killed process left must be done so soon after the restart. */
const DRAIN_MS = 15_000;
/** How long the sweep, which makes good what else is lost, is kept from it. */
const WITHOUT_SWEEP_MS = 500;

let cases = 0;
const newCase = (): Case => caseOf((cases += 1));

async function begin(world: CrashWorld, scenario: Scenario): Promise<Case> {
  const one = newCase();
  if (!world.running()) await world.start();
  await scenario.prepare(world, one);
  await settled(world, one);
  await scenario.goDown?.(world, one);
  return one;
}

const untold = (error: unknown): false => {
  if (error instanceof Refused) throw error;
  return false;
};

const isRight = async (world: CrashWorld, scenario: Scenario, one: Case): Promise<string[]> => [
  ...(await waitingJobs(world)),
  ...(await problems(world, one, scenario.expected(one))),
];

/** Plays the scenario undisturbed; gives the steps that were seen, in order. */
export async function record(world: CrashWorld, scenario: Scenario): Promise<readonly Recorded[]> {
  const one = await begin(world, scenario);
  const stop = world.conductor.record();
  if (!(await scenario.act(world, one))) throw new Error(`not taken in peace: ${scenario.name}`);
  await untilRight(() => isRight(world, scenario, one), DRAIN_MS);
  await forgetHeldJobs(world);
  return stop();
}

/** Where to kill, and whether nothing at all must be left of what the process was doing there. */
export interface Kill {
  readonly scenario: Scenario;
  readonly point: CrashPoint;
  readonly leavesNothing: boolean;
}

const LABELLING =
  /^(postgres: SELECT FROM dicom_studies|orthanc: POST \/tools\/bulk-content Study|orthanc: \w+ \/studies\/\{id\}\/labels\/.*|postgres: (take|complete) job label-study)$/;

/** The steps of the job that labels, which has a scenario where it is killed: in the others they are left out. */
function labelling(steps: readonly Recorded[]): boolean[] {
  let inJob = false;
  return steps.map(({ name }) => {
    if (name === 'postgres: take job label-study') inJob = true;
    const is = inJob && LABELLING.test(name);
    if (name === 'postgres: complete job label-study') inJob = false;
    return is;
  });
}

/**
 * Where to kill in a scenario that was recorded more than once: before every step that came each time, and after those
 * that last. What lies after one that does not last is what lies before the next.
 */
export function killsOf(scenario: Scenario, recordings: readonly (readonly Recorded[])[], labels: boolean): Kill[] {
  const { from, to, not, transactionsOfOthers = false } = scenario;
  const [steps = [], ...others] = recordings.map((recording) =>
    recording.slice(from === undefined ? 0 : recording.findIndex(({ name }) => name === from)),
  );
  const last = to === undefined ? steps.length - 1 : steps.findIndex(({ name }) => name === to);
  const isLabelling = labelling(steps);
  const seen = new Map<string, number>();
  let somethingLasts = false;
  return steps.flatMap(({ name: step, lasts, before, inTransaction }, index) => {
    const nth = (seen.get(step) ?? 0) + 1;
    seen.set(step, nth);
    const leavesNothing = inTransaction && !somethingLasts;
    somethingLasts ||= lasts && !step.includes('take job');
    const everyTime = others.every((other) => other.filter(({ name }) => name === step).length >= nth);
    const ofOthers = (inTransaction && transactionsOfOthers) || (isLabelling[index] === true && !labels);
    if (!everyTime || ofOthers || index > last || not?.test(step) === true) return [];
    const kill = (when: CrashPoint['when']): Kill => ({
      scenario,
      point: { step, nth, when, from },
      leavesNothing,
    });
    return [...(before ? [kill('before')] : []), ...(lasts || !before ? [kill('after')] : [])];
  });
}

/**
 * Kills the process at these points of the scenario one after the other; after each but the last it is started again,
 * only to be killed at the next. `done` is told of each but the last. Gives whether who acts was told that it is done.
 */
export async function killInTurn(
  world: CrashWorld,
  kills: readonly Kill[],
  one: Case,
  done: (kill: Kill) => void = () => undefined,
): Promise<boolean> {
  let told = false;
  for (const [index, { scenario, point, leavesNothing }] of kills.entries()) {
    const before = leavesNothing ? await world.contents() : [];
    const reached = world.reach(point);
    reached.catch(() => undefined);
    if (!world.running() && scenario.goDown === undefined) await world.start();
    const again: boolean = !told || scenario.againEachTime === true || scenario.goDown !== undefined;
    const acting: Promise<boolean> = again ? scenario.act(world, one).catch(untold) : Promise.resolve(true);
    acting.catch(() => undefined);
    await reached;
    await world.kill();
    told = await acting;
    if (leavesNothing) expect(await world.contents(), 'what it was doing left something').to.deep.equal(before);
    const kill = kills[index];
    if (kill !== undefined && index < kills.length - 1) done(kill);
  }
  return told;
}

/**
 * Kills as {@link killInTurn} does, then starts the process again and waits until all is as if it had never been killed.
 * Gives a look whether it still is.
 */
export async function killAt(
  world: CrashWorld,
  scenario: Scenario,
  kills: readonly Kill[],
  options: { readonly done?: (kill: Kill) => void; readonly drainMs?: number } = {},
): Promise<() => Promise<string[]>> {
  const one = await begin(world, scenario);
  let told = await killInTurn(world, kills, one, options.done);
  await whileDown(world);
  await world.start();
  if (scenario.goDown !== undefined) {
    world.sweep();
    told = true;
  }
  for (; !told; told = await scenario.act(world, one).catch(untold)) await sleep(20);
  try {
    await recovered(world, scenario, one, options.drainMs ?? DRAIN_MS);
  } finally {
    await forgetHeldJobs(world);
  }
  return () => problems(world, one, scenario.expected(one));
}

/** Kills the process just after it took up a job, in this scenario, and leaves it so. */
export async function killHolding(world: CrashWorld, scenario: Scenario, task: string): Promise<void> {
  const point = { step: `postgres: take job ${task}`, nth: 1, when: 'after', from: scenario.from } as const;
  await killInTurn(world, [{ scenario, point, leavesNothing: false }], await begin(world, scenario));
}

/** Waits until no job is held by a killed process. */
export const untilNoneHeld = (world: CrashWorld): Promise<void> => untilRight(() => heldJobs(world), DRAIN_MS);

/** Waits until the case is as it must be, with what the feed must bring without a sweep. */
async function recovered(world: CrashWorld, scenario: Scenario, one: Case, drainMs: number): Promise<void> {
  if (scenario.goDown === undefined) await untilRight(() => untaken(world, one), drainMs);
  const release = setTimeout(() => {
    world.sweep();
  }, WITHOUT_SWEEP_MS);
  try {
    await untilRight(() => isRight(world, scenario, one), drainMs);
  } finally {
    clearTimeout(release);
  }
}
