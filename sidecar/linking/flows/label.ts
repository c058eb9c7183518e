import { Failure } from '../../platform/rules/failure.ts';
import { desiredLabels, labelChanges, type LabelFacts } from '../rules/labels.ts';

export interface LabelDeps {
  /** The Orthanc studies of a DICOM study, each with what its labels follow from, as committed now. */
  readonly load: (dicomStudyId: string) => Promise<readonly (LabelFacts & { readonly orthancId: string })[]>;
  /** `null` for a study that is gone. */
  readonly labels: (orthancId: string) => Promise<readonly string[] | null>;
  /** Neither minds a study that is gone. */
  readonly putLabel: (orthancId: string, label: string) => Promise<void>;
  readonly removeLabel: (orthancId: string, label: string) => Promise<void>;
}

/** More passes than these are only needed where decisions change faster than labels are written. */
const MAX_PASSES = 5;

async function pass(deps: LabelDeps, dicomStudyId: string): Promise<number> {
  let changes = 0;
  for (const { orthancId, ...facts } of await deps.load(dicomStudyId)) {
    const present = await deps.labels(orthancId);
    if (present === null) continue;
    const { put, remove } = labelChanges(desiredLabels(facts), present);
    for (const label of remove) await deps.removeLabel(orthancId, label);
    for (const label of put) await deps.putLabel(orthancId, label);
    changes += put.length + remove.length;
  }
  return changes;
}

/**
 * Gives the Orthanc studies of one DICOM study the labels that follow from what is decided. Whoever writes looks once
 * more afterwards, so that of several callers at once the last to write leaves what holds.
 * @throws Failure transient when it never came to rest.
 */
export async function labelStudy(deps: LabelDeps, dicomStudyId: string): Promise<void> {
  for (let passes = 0; passes < MAX_PASSES; passes += 1) {
    if ((await pass(deps, dicomStudyId)) === 0) return;
  }
  throw new Failure('transient', 'labels-unsettled', 'labels: the decision keeps changing');
}
