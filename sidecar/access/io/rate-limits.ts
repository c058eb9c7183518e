import type { Knex } from 'knex';
import {
  RateLimiterMemory,
  RateLimiterPostgres,
  RateLimiterRes,
  type RateLimiterAbstract,
} from 'rate-limiter-flexible';

export interface RateLimit {
  /** Counts one more of `key`; gives 0 where it is within the limit, else the seconds (1 or more) until the next may come. */
  readonly take: (key: string) => Promise<number>;
}

export interface RateLimits {
  /** Requests without a credential that holds, of one address. */
  readonly failures: RateLimit;
  /** Requests of operators, of one address. */
  readonly requests: RateLimit;
}

const WINDOW_SECONDS = 60;
const MAX_FAILURES = 30;
const MAX_OPERATOR_REQUESTS = 600;

function counting(limiter: RateLimiterAbstract): RateLimit {
  return {
    async take(key) {
      try {
        await limiter.consume(key);
        return 0;
      } catch (error) {
        if (error instanceof RateLimiterRes) return Math.max(1, Math.ceil(error.msBeforeNext / 1000));
        throw error;
      }
    },
  };
}

/**
 * The limits of an address in a minute. In Postgres they hold for all processes together; where that does not answer, and
 * without `db`, each process counts for itself.
 */
export function createRateLimits(db: Knex | null): RateLimits {
  const limit = (keyPrefix: string, points: number): RateLimit => {
    const options = { keyPrefix, points, duration: WINDOW_SECONDS };
    const own = new RateLimiterMemory(options);
    if (db === null) return counting(own);
    return counting(
      new RateLimiterPostgres({
        ...options,
        storeClient: db,
        storeType: 'knex',
        tableName: 'rate_limits',
        tableCreated: true,
        clearExpiredByTimeout: true,
        insuranceLimiter: own,
      }),
    );
  };
  return { failures: limit('failure', MAX_FAILURES), requests: limit('operator', MAX_OPERATOR_REQUESTS) };
}
