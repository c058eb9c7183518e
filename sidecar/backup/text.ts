import type { ImportCounts, Missing } from './rules/counts.ts';

const MAX_SHOWN = 20;

function shown(lines: readonly string[]): string {
  const rest = lines.length - MAX_SHOWN;
  const more = rest > 0 ? [`  … and ${rest} more (--json has all)`] : [];
  return [...lines.slice(0, MAX_SHOWN).map((line) => `  ${line}`), ...more].map((line) => `${line}\n`).join('');
}

const sum = (counts: readonly number[]): number => counts.reduce((total, one) => total + one, 0);

/** What a restore did. Ids only. */
export function restoredText(counts: ImportCounts): string {
  const { images, otherFiles, notRestored, labels, labelsLost } = counts;
  return [
    `images restored: ${images}\n`,
    `labels of persons put again: ${labels}; of what is not there any more: ${labelsLost}\n`,
    `other attachments, not restored: ${otherFiles}\n`,
    `DICOM files that could not be restored: ${notRestored.length}\n`,
    shown(notRestored.map(({ file, reason }) => `${file}: ${reason}`)),
  ].join('');
}

/** What is missing after it. Ids only. */
export function missingText(missing: Missing): string {
  const { takenAt, lastMessages, withoutFile, onlyRendered, blobFailure, toBeTaken, toBeDrawn } = missing;
  return [
    `the backup is of ${takenAt}: what came later is not in it\n`,
    `images to be sent again, of which the database knows: ${sum(withoutFile.map(({ images }) => images))}\n`,
    shown(withoutFile.map(({ studyInstanceUid, images }) => `study ${studyInstanceUid}: ${images}`)),
    onlyRendered === null
      ? `images that came after the backup: not known, since Blob storage ${blobFailure ? 'could not be asked' : 'is not named'}\n`
      : `images to be sent again, of which only a rendering is left: ${onlyRendered.length}\n`,
    shown((onlyRendered ?? []).map((id) => `Orthanc id ${id}`)),
    `images that Orthanc has and the sidecar takes by itself: ${toBeTaken}\n`,
    `images that Blob storage lost and the sidecar draws again: ${toBeDrawn}\n`,
    `messages to be sent again: all that came after these, the last of each sender\n`,
    lastMessages.length === 0 ? '  (none came before)\n' : '',
    shown(lastMessages.map(({ sender, controlId, receivedAt }) => `${sender}: ${controlId}, received ${receivedAt}`)),
  ].join('');
}

/** That a restore, or its report, is done but for what `code` says. */
export const notToldText = (code: string): string =>
  `axis: ${code}: what is missing is not known in full. What was restored stays; until it ends with 0: axis restore --report\n`;
