import type { DicomBatch } from '../rules/dicom.ts';
import { asFailure, Failure } from '../../platform/rules/failure.ts';

export interface TakeInstancesDeps {
  /** Their tags; instances that are gone by now are left out. */
  readonly read: (orthancIds: readonly string[]) => Promise<DicomBatch>;
  /** Takes them with all that follows in one transaction; gives how many images are new. Idempotent. */
  readonly take: (batch: DicomBatch) => Promise<number>;
  /** Keeps why an instance could not be taken, for a person. */
  readonly setAside: (orthancId: string, failure: Failure) => Promise<void>;
  /** What was set aside of these is taken now. */
  readonly clear: (orthancIds: readonly string[]) => Promise<void>;
}

/** Whether the instances themselves are the trouble: the same would fail again for as long as they are as they are. */
function isTheirs(error: unknown): boolean {
  return !(error instanceof Failure) || error.kind === 'permanent' || error.code === 'orthanc-answer';
}

/**
 * Takes these instances; where some cannot be taken for what they are, the others are, in ever smaller parts, and each
 * of the some is set aside with its reason. Gives how many images are new. What passes by itself is thrown.
 */
export async function takeInstances(deps: TakeInstancesDeps, orthancIds: readonly string[]): Promise<number> {
  if (orthancIds.length === 0) return 0;
  try {
    const added = await deps.take(await deps.read(orthancIds));
    await deps.clear(orthancIds);
    return added;
  } catch (error) {
    if (!isTheirs(error)) throw error;
    const [only, another] = orthancIds;
    if (only !== undefined && another === undefined) {
      await deps.setAside(only, asFailure(error));
      return 0;
    }
  }
  const middle = Math.ceil(orthancIds.length / 2);
  return (
    (await takeInstances(deps, orthancIds.slice(0, middle))) + (await takeInstances(deps, orthancIds.slice(middle)))
  );
}
