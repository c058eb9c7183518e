import { z } from 'zod';
import { asFailure, type Failure } from './rules/failure.ts';

export interface JobContext {
  /** If it fails now, it is not tried again. */
  readonly lastAttempt: boolean;
  /** The process stops: what can be handed back is. */
  readonly stop: AbortSignal;
}

/** `null`: done. Else when it is run again, with another payload where one is given; no try is counted. */
export type Later<Payload> = { readonly again: Date; readonly payload?: Payload } | null;

export interface JobEnd {
  readonly later: { readonly payload: unknown; readonly key: string | null; readonly at: Date } | null;
  /** Of a job of several things, for each of them why it failed, or `null`: what failed is tried again. */
  readonly failures: readonly (Failure | null)[] | null;
}

/** One kind of job: the queue, its metrics and what is made again after a crash follow from it. */
export interface Job {
  /** Stored with each job: stays. */
  readonly name: string;
  /** Marked by `BLOB_FLAG` where it is added: not begun while the blob store rests. */
  readonly waitsForBlobs: boolean;
  /** A statement that makes the jobs that should be there and are not; its one row has their `count`. */
  readonly requeue: string | null;
  /** @throws ZodError where the payload is none, or what the work throws: the queue tries again, with backoff. */
  readonly run: (payload: unknown, context: JobContext) => Promise<JobEnd>;
}

interface Kind<Payload> {
  readonly name: string;
  /** Of the version before, too: a job outlives the program that added it. */
  readonly payload: z.ZodType<Payload>;
  /** By which a later one takes the place of one that waits. */
  readonly key?: (payload: Payload) => string;
  readonly waitsForBlobs?: boolean;
  readonly requeue?: string;
  readonly run: (payload: Payload, context: JobContext) => Promise<Later<Payload>>;
}

/** A job that is about one thing. */
export function defineJob<Payload>(kind: Kind<Payload>): Job {
  const { name, payload: schema, key, waitsForBlobs = false, requeue = null, run } = kind;
  return {
    ...{ name, waitsForBlobs, requeue },
    async run(given, context) {
      const payload = schema.parse(given);
      const later = await run(payload, context);
      if (later === null) return { later, failures: null };
      const next = later.payload ?? payload;
      return { later: { payload: next, key: key?.(next) ?? null, at: later.again }, failures: null };
    },
  };
}

type Ended<Item> = PromiseSettledResult<Later<Item>>;
const isLater = <Item>(end: Ended<Item> | undefined): end is PromiseFulfilledResult<NonNullable<Later<Item>>> =>
  end?.status === 'fulfilled' && end.value !== null;

/** A job about several things, of which each ends, waits or is tried again for itself. */
export function defineJobOfSeveral<Item>(kind: Omit<Kind<Item>, 'key'>): Job {
  const { name, payload: item, waitsForBlobs = false, requeue = null, run } = kind;
  const schema = z.array(item);
  return {
    ...{ name, waitsForBlobs, requeue },
    async run(given, context) {
      const items = schema.parse(given);
      const ends = await Promise.allSettled(items.map((one) => run(one, context)));
      const waiting = items.filter((_one, index) => isLater(ends[index]));
      const at = new Date(Math.max(...ends.filter(isLater).map(({ value }) => value.again.getTime())));
      return {
        later: waiting.length === 0 ? null : { payload: waiting, key: null, at },
        failures: ends.map((end) => (end.status === 'rejected' ? asFailure(end.reason) : null)),
      };
    },
  };
}
