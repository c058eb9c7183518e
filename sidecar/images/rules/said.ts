import { accessionKey, cleanAccession } from '../../ris/rules/accession.ts';

/** What one instance says itself of whose it is and what it is for. `''` is an absent or empty tag. */
export interface SaidTags {
  /** Each once, as it is written; none where it names none. */
  readonly accessionNumbers: readonly string[];
  readonly patientId: string;
  readonly issuerOfPatientId: string;
  readonly patientName: string;
  readonly patientBirthDate: string;
  readonly patientSex: string;
  readonly studyDate: string;
}

/**
 * The accession numbers that an instance names: in its own tag, parted by a backslash where it names several (PS3.5 6.2),
 * and in its Request Attributes Sequence (PS3.3 C.7.3.1). Of numbers that are compared as equal the first counts.
 */
export function saidAccessions(own: string, requested: readonly string[]): readonly string[] {
  const numbers = [own, ...requested].flatMap((text) => text.split('\\')).map(cleanAccession);
  return [...new Map(numbers.toReversed().map((number) => [accessionKey(number), number]))]
    .filter(([key]) => key !== '')
    .map(([, number]) => number)
    .toReversed();
}
