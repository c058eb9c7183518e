import { execFileSync } from 'node:child_process';
import { startSidecarProcess } from '../sidecar-process.ts';
import { startStack } from '../stack.ts';
import { alternate, timed, type Figure } from './measure.ts';
import type { Extent } from './world.ts';

/** From the command to a 200 of /readyz, the database being migrated, beside a Node that does nothing. */
export async function benchStart(extent: Extent): Promise<Figure[]> {
  await using stack = await startStack({ durable: true });
  const ours = async (): Promise<number> => {
    let end: AsyncDisposable | undefined;
    const seconds = await timed(async () => {
      end = await startSidecarProcess(stack.environment);
    });
    await end?.[Symbol.asyncDispose]();
    return seconds;
  };
  const bare = (): Promise<number> =>
    timed(() => {
      execFileSync(process.execPath, ['-e', '0']);
      return Promise.resolve();
    });
  await ours();
  const compared = { kind: 'excess', goal: { is: 'below', value: 2 } } as const;
  const seconds = await alternate(extent.repeats, ours, bare);
  return [{ part: 'start', what: 'to ready, more than node -e 0', unit: 's', ...seconds, compared }];
}
