import { comparePersonNames } from '../../ris/rules/person-name.ts';
import { fold, samePatientId, type Matching } from '../../ris/rules/same-patient.ts';
import type { RisStudy, SeenStudy, SeenTags } from './match.ts';

// Names that RIS and modality use for one kind of device (PS3.3 C.7.3.1.1.1 and what practices write).
const SAME_MODALITY: Readonly<Record<string, string>> = {
  CR: 'DX', DR: 'DX', RG: 'DX', XR: 'DX', XRAY: 'DX', MRI: 'MR', PET: 'PT', MAMMO: 'MG', ULTRASOUND: 'US',
}; // prettier-ignore

/** The devices that a RIS orders. What is not among them (SR, PR, OT, a word of the RIS's own) says nothing. */
const DEVICES = new Set([
  'BMD', 'CT', 'DX', 'ES', 'IO', 'IVUS', 'MG', 'MR', 'NM', 'OCT', 'PT', 'PX', 'RF', 'US', 'XA',
]); // prettier-ignore

const family = (modality: string): string => SAME_MODALITY[fold(modality)] ?? fold(modality);

function modalityAgrees(study: SeenStudy, ris: RisStudy): boolean {
  return study.modalities.some((modality) => family(modality) === family(ris.modality) && fold(modality) !== '');
}

/** Whether both sides name a device, and none in common. */
function otherModality(study: SeenStudy, ris: RisStudy): boolean {
  const devices = study.modalities.map(family).filter((modality) => DEVICES.has(modality));
  return devices.length > 0 && DEVICES.has(family(ris.modality)) && !devices.includes(family(ris.modality));
}

const DAY_MS = 86_400_000;

function daysApart(a: string | null, b: string | null): number {
  return a === null || b === null ? Infinity : Math.abs(Date.parse(a) - Date.parse(b)) / DAY_MS;
}

/** A live order goes before a cancelled one, which is still the answer where it is the only one. */
export function preferLive(found: readonly RisStudy[]): readonly RisStudy[] {
  const live = found.filter((ris) => !ris.cancelled);
  return live.length > 0 ? live : found;
}

/**
 * Those of that Patient ID on the study date; of several the modality narrows. A known other modality is none, except by
 * the rules of before.
 */
export function byPatientIdAndDate(
  study: SeenStudy,
  tags: SeenTags,
  ris: readonly RisStudy[],
  matching: Matching,
): readonly RisStudy[] {
  const found = ris.filter(
    (candidate) =>
      tags.studyDate !== null &&
      candidate.studyDate === tags.studyDate &&
      candidate.patientIds.some((id) => samePatientId(id, tags.patientId) === true) &&
      (matching === 1 || !otherModality(study, candidate)),
  );
  const live = preferLive(found);
  const narrowed = live.filter((candidate) => modalityAgrees(study, candidate));
  return narrowed.length > 0 ? narrowed : live;
}

/** Those of that name, birth date and modality, scheduled within two days of the study date. */
export function byNameBirthDateAndModality(
  study: SeenStudy,
  tags: SeenTags,
  ris: readonly RisStudy[],
): readonly RisStudy[] {
  return preferLive(
    ris.filter(
      (candidate) =>
        tags.birthDate !== null &&
        candidate.birthDate === tags.birthDate &&
        comparePersonNames(candidate.patientName, tags.patientName) === 'same' &&
        modalityAgrees(study, candidate) &&
        daysApart(candidate.studyDate, tags.studyDate) <= 2,
    ),
  );
}
