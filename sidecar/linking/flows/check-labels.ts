import { desiredLabels, labelChanges, type LabelFacts } from '../rules/labels.ts';

export interface CheckLabelsDeps {
  /** For each Orthanc study of these DICOM studies. */
  readonly labelFacts: (
    dicomStudyIds: readonly string[],
  ) => Promise<readonly (LabelFacts & { readonly dicomStudyId: string; readonly orthancId: string })[]>;
  /** By Orthanc's study id, without those that are gone. */
  readonly labels: (orthancStudyIds: readonly string[]) => Promise<ReadonlyMap<string, readonly string[]>>;
  readonly addLabelJobs: (dicomStudyIds: readonly string[]) => Promise<void>;
}

/**
 * Has the labels of those of these DICOM studies made right that have others than they should: what somebody changes in
 * Orthanc leaves no trace in its feed. Gives how many there were.
 */
export async function checkLabels(deps: CheckLabelsDeps, dicomStudyIds: readonly string[]): Promise<number> {
  if (dicomStudyIds.length === 0) return 0;
  const studies = await deps.labelFacts(dicomStudyIds);
  const labels = await deps.labels(studies.map(({ orthancId }) => orthancId));
  const differ = studies.filter(({ orthancId, ...facts }) => {
    const present = labels.get(orthancId);
    if (present === undefined) return false;
    const { put, remove } = labelChanges(desiredLabels(facts), present);
    return put.length + remove.length > 0;
  });
  const wrong = [...new Set(differ.map(({ dicomStudyId }) => dicomStudyId))];
  if (wrong.length > 0) await deps.addLabelJobs(wrong);
  return wrong.length;
}
