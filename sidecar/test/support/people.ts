import type { RisPatient } from '../../dev/ris-messages.ts';

/** The day of everything below. */
export const DAY = '20260714';

export const person = (id: string, over: Partial<RisPatient> = {}): RisPatient => ({
  id,
  name: `NGUYEN^Person${id}`,
  birthDate: '19800102',
  sex: 'F',
  phone: '0491 570 006^PRN^CP',
  ...over,
});

export const orderOf = (accessionNumber: string, modality = 'CR') => ({
  accessionNumber,
  modality,
  procedure: `${modality} EXAM`,
  scheduled: `${DAY}0900`,
});

export const reportOf = (accessionNumber: string, status: string, modality = 'CR') => ({
  accessionNumber,
  modality,
  procedure: `${modality} EXAM`,
  status,
  lines: ['All is well.'],
  // As old as its message.
  reported: '',
});

/** A modality's tags for this patient. */
export const tagsOf = (who: RisPatient, uid: string, accession?: string) => ({
  StudyInstanceUID: uid,
  StudyDate: DAY,
  PatientID: who.id,
  PatientName: who.name,
  PatientBirthDate: who.birthDate ?? '',
  ...(accession !== undefined && { AccessionNumber: accession }),
});
