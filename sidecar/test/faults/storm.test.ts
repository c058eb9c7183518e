import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { z } from 'zod';
import { eventually } from '../support/rig.ts';
import { planRun, type Fault, type Plan } from './plan.ts';
import { askOrthanc, column, labelsOf, takenOf, tallyOf, type Tally } from './tally.ts';
import { playOrder } from './traffic.ts';
import { startWorld, type World } from './world.ts';

const positive = z.coerce.number().int().positive();
const settings = z
  .object({ FAULTS_SECONDS: positive.optional(), FAULTS_SEED: positive.optional(), FAULTS_ORDERS: positive.optional() })
  .parse(process.env);
const long = settings.FAULTS_SECONDS !== undefined;
const seconds = settings.FAULTS_SECONDS ?? 12;
// Any will do; the same each time, so that a failure is the change's.
const DEFAULT_SEED = 31;
const seed = settings.FAULTS_SEED ?? DEFAULT_SEED;
const orders = settings.FAULTS_ORDERS ?? (long ? seconds * 2 : 24);
/** A text whose end is unclear is sent again after three minutes at the earliest; the queue's own waits grow as long. */
const DRAIN_MS = long ? 600_000 : 240_000;

/** Labels are no part of what is waited for before: a sweep may be what puts the last ones right. */
const LABELS_MS = 30_000;

const LAST = z.object({ Last: z.number() });
// A job that a killed process held, or whose end could not be written, stays locked for hours; what it was for was done
// or has another job since the last start.
const WAITING = `
  SELECT task_identifier || ' ' || attempts || ' ' || COALESCE(last_error, '')
  FROM graphile_worker.jobs WHERE attempts < max_attempts AND task_identifier <> 'look-for-deleted'
    AND (locked_at IS NULL OR locked_at >= CAST($1 AS timestamptz))`;
const UNDONE = `
  SELECT 'text ' || id || ' ' || state || ' ' || COALESCE(reason, '') FROM sms_messages WHERE state <> 'sent'
  UNION ALL SELECT 'image ' || id FROM images WHERE mirror_status = 'pending'`;

const named = (fault: Fault): string => `${fault.kind} ${fault.kind === 'kill' ? fault.part : fault.link}`;

/** Plays orders and faults at their times until all of both are over. Gives how often each fault was done. */
async function play(world: World, plan: Plan): Promise<{ done: Map<string, number>; again: number }> {
  const done = new Map<string, number>();
  const storm = plan.faults.map(async (fault) => {
    await sleep(fault.at);
    if (await world.inflict(fault)) done.set(named(fault), (done.get(named(fault)) ?? 0) + 1);
  });
  const traffic = plan.orders.map(async (order) => {
    await sleep(order.at);
    return playOrder(order, world);
  });
  const [again] = await Promise.all([Promise.all(traffic), Promise.all(storm)]);
  return { done, again: again.reduce((sum, times) => sum + times, 0) };
}

async function readFeed(world: World): Promise<void> {
  const { Last } = LAST.parse(await askOrthanc(world, '/changes?since=0&limit=1000000&type=NewInstance'));
  const read = () => column(world, 'SELECT CAST(seq AS text) FROM feed_cursor WHERE seq >= $1', [Last]);
  await eventually('the feed to be read', async () => (await read()).length > 0, DRAIN_MS);
}

async function drain(world: World, restarted: Date): Promise<void> {
  let waiting: string[] = [];
  try {
    const quiet = async (): Promise<boolean> => {
      waiting = [...(await column(world, WAITING, [restarted])), ...(await column(world, UNDONE))];
      if (waiting.length > 0) await sleep(250);
      return waiting.length === 0;
    };
    await eventually('jobs and texts', quiet, DRAIN_MS);
  } catch {
    throw new Error(`still waiting: ${waiting.slice(0, 10).join('; ')}`);
  }
}

/** Gives them time; whether they are right the tally tells. */
async function untilLabelled(world: World): Promise<void> {
  const deadline = Date.now() + LABELS_MS;
  while (Date.now() < deadline) {
    const { lost, doubled } = await labelsOf(world);
    if (lost.length + doubled.length === 0) return;
    await sleep(250);
  }
}

describe('faults: whatever fails at whatever moment', () => {
  it('loses nothing and does nothing twice', async function () {
    this.timeout(seconds * 1000 + DRAIN_MS + 180_000);
    const plan = planRun({ seed, ms: seconds * 1000, orders, unclearTexts: long });
    const say = (line: string): void => {
      process.stdout.write(`      ${line}\n`);
    };
    say(`FAULTS_SEED=${seed}: ${seconds} s, ${orders} orders, ${plan.faults.length} faults`);
    await using world = await startWorld();
    try {
      const { done, again } = await play(world, plan);
      say([...done].sort().reduce((line, [fault, times]) => `${line}, ${fault} ${times}`, `sent again ${again}`));
      for (const end of world.ends) {
        const last = end
          .trim()
          .split('\n')
          .filter((line) => !line.startsWith('{"level":') || line.includes('fatal'));
        say(`the sidecar ended by itself: ${last.slice(-14).join(' | ')}`.slice(0, 900));
      }
      const stilled = Date.now();
      await readFeed(world);
      const fed = await takenOf(world);
      await drain(world, await world.restartSidecar());
      await untilLabelled(world);
      say(
        `drained in ${Math.round((Date.now() - stilled) / 1000)} s; the sidecar ended by itself ${world.ends.length} times`,
      );
      const tally: Tally = { 'images by the feed': fed, ...(await tallyOf(world, plan.orders)) };
      for (const [what, { expected, lost, doubled }] of Object.entries(tally)) {
        say(`${what}: ${expected}, lost ${lost.length}, doubled ${doubled.length}`);
      }
      const wrong = Object.entries(tally).filter(([, { lost, doubled }]) => lost.length + doubled.length > 0);
      expect(wrong, JSON.stringify(wrong)).to.deep.equal([]);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const output = [world.ends.at(-1) ?? '', world.sidecarOutput()].join('\n').slice(-3000);
      throw new Error(`FAULTS_SEED=${seed} FAULTS_SECONDS=${seconds} FAULTS_ORDERS=${orders}: ${message}\n${output}`, {
        cause: error,
      });
    }
  });
});
