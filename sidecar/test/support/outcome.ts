import { asFailure } from '../../platform/rules/failure.ts';

/** `done`, or how it failed: `transient postgres-55P03`. */
export const outcome = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => `${asFailure(error).kind} ${asFailure(error).code}`,
  );
