import type { RisStudy, SeenStudy, SeenTags } from '../../linking/rules/match.ts';

/** The patient of the images and of the order. */
export const JANE = { patientId: { id: 'P1', issuer: '' }, patientName: 'Doe^Jane', birthDate: '1980-02-03' };

/** What is changed of an image's tags. */
export type Part = Partial<SeenTags> & { readonly accessionNumber?: string };

/** The tags of Jane's images, or changed. */
export const tags = ({ accessionNumber = '', ...changed }: Part = {}): SeenTags => ({
  accessionNumbers: [accessionNumber],
  ...JANE,
  studyDate: '2026-04-01',
  ...changed,
});

/** A DICOM study of hers. */
export const seen = (changed: Part = {}, study: Partial<SeenStudy> = {}): SeenStudy => ({
  studyInstanceUid: '1.2.3',
  modalities: ['CT'],
  tags: [tags(changed)],
  ...study,
});

/** Her order. */
export const order = (changed: Partial<RisStudy> = {}): RisStudy => ({
  id: 's1',
  patientRef: '1',
  accessionNumber: 'ACC1',
  studyInstanceUid: '',
  patientIds: [JANE.patientId],
  patientName: JANE.patientName,
  birthDate: JANE.birthDate,
  studyDate: '2026-04-01',
  modality: 'CT',
  cancelled: false,
  ...changed,
});

/** A patient of whom nothing is said. */
export const UNKNOWN = { patientId: { id: '', issuer: '' }, patientName: '', birthDate: null };
/** Another patient. */
export const STRANGER = { patientId: { id: 'P9', issuer: '' }, patientName: 'Roe^Max', birthDate: '1950-01-01' };
