import type { UploadEnd } from './io/http-upload.ts';
import type { Orthanc } from './io/orthanc.ts';
import type { AuditEntry } from '../audit/rules/entry.ts';
import { within } from '../platform/time-limit.ts';

/** How long Orthanc is asked of which studies the files are; then they are told by Orthanc's ids. */
const STUDIES_PATIENCE_MS = 2_000;
const MAX_IDS = 50;

/** The study of each of these instances, as far as Orthanc says so in time. */
async function studiesOf(
  orthanc: Pick<Orthanc, 'readInstances'>,
  ids: readonly string[],
): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const read = orthanc.readInstances(ids).then(
    ({ instances, series, studies }) => {
      const studyOf = new Map(series.map((one) => [one.orthancId, one.orthancStudyId]));
      const uidOf = new Map(studies.map((one) => [one.orthancId, one.studyInstanceUid]));
      return instances.map((one) => [one.orthancId, uidOf.get(studyOf.get(one.orthancSeriesId) ?? '') ?? ''] as const);
    },
    () => [],
  );
  return new Map(await within(read, STUDIES_PATIENCE_MS).catch(() => []));
}

/**
 * What one upload is in the audit log: an entry for each study that files were stored of, and one for what was refused or
 * not taken, since an audit message is of success or of failure, never both (PS3.15 A.5.2).
 */
export async function uploadEntries(
  orthanc: Pick<Orthanc, 'readInstances'>,
  { key, from, files, status, code }: UploadEnd,
  at: Date,
): Promise<AuditEntry[]> {
  const about = { at, who: key, source: from, what: 'dicom' };
  const taken = files.filter(({ orthancId }) => orthancId !== undefined);
  const studies = await studiesOf(orthanc, [...new Set(taken.flatMap(({ orthancId }) => orthancId ?? []))]);
  const stored = [...Map.groupBy(taken, ({ orthancId }) => studies.get(orthancId ?? '') ?? '')].map(
    ([uid, some]): AuditEntry => ({
      ...about,
      event: 'upload',
      studyInstanceUid: uid === '' ? null : uid,
      outcome: 'ok',
      detail: {
        stored: some.filter((file) => file.status === 'stored').length,
        alreadyStored: some.filter((file) => file.status === 'already-stored').length,
        ...(some.some((file) => file.status === 'differs') && {
          differs: some.filter((file) => file.status === 'differs').length,
        }),
        ...(uid === '' && { instances: some.flatMap(({ orthancId }) => orthancId ?? []).slice(0, MAX_IDS) }),
      },
    }),
  );
  if (status === 200 && taken.length === files.length) return stored;
  const count = (wanted: string): number => files.filter((file) => file.status === wanted).length;
  const [refused, notTaken] = [count('refused'), count('not-taken')];
  const outcome = status === 422 || (status === 200 && notTaken === 0) ? 'refused' : 'failed';
  const detail = { status, refused, notTaken, ...(code !== undefined && { code }) };
  return [...stored, { ...about, event: 'upload-refused', outcome, detail }];
}
