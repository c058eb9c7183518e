import { ctSeries } from '../phantoms.ts';
import type { RisOrder, RisPatient } from '../ris-messages.ts';

/** A study that the bench makes, the same for the same seed and number. */
export interface BenchStudy {
  readonly patient: RisPatient;
  readonly order: RisOrder;
  readonly studyInstanceUid: string;
  readonly studyDate: string;
}

const FAMILIES = ['NGUYEN', 'SMITH', 'WILLIAMS', 'PAPADOPOULOS', 'CHEN', 'KELLY', 'ROSSI', 'SINGH'];
const GIVEN = ['Anna', 'Liam', 'Mia', 'Noah', 'Zoe', 'Ali', 'Ruth', 'Tom'];

const digits = (value: number, length: number): string => String(value).padStart(length, '0');

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `group` keeps what several parts or runs make apart; `seed` changes names and birth dates. */
export function benchStudy(seed: number, group: number, number: number): BenchStudy {
  const random = seeded(seed * 1_000_003 + group * 7919 + number);
  const pick = (from: readonly string[]): string => from[Math.floor(random() * from.length)] ?? '';
  const id = `${digits(group, 4)}${digits(number, 7)}`;
  const day = new Date(Date.UTC(1930 + Math.floor(random() * 90), 0, 1 + Math.floor(random() * 365)));
  return {
    patient: {
      id: `B${id}`,
      name: `${pick(FAMILIES)}^${pick(GIVEN)}`,
      birthDate: day.toISOString().slice(0, 10).replaceAll('-', ''),
      sex: random() < 0.5 ? 'F' : 'M',
      phone: '0491 570 006^PRN^CP',
    },
    order: { accessionNumber: `A${id}`, modality: 'CT', procedure: 'CT HEAD', scheduled: '202611240900' },
    studyInstanceUid: `2.25.1${id}00000000000000000`,
    studyDate: '20261124',
  };
}

interface Template {
  readonly bytes: Buffer;
  readonly places: Readonly<Record<keyof typeof PLACEHOLDERS, readonly number[]>>;
}

// As long as what benchStudy gives, so that a file is a copy with other bytes in a few places.
const PLACEHOLDERS = {
  study: '2.25.177777777777777777777777777777',
  image: '2.25.388888888888888888888888888888.1',
  series: '2.25.388888888888888888888888888888',
  accession: 'A99999999999',
  patient: 'B99999999999',
  name: 'NAME^AAAAAAAAAAAAAAAA',
  birthDate: '19000101',
};

function placesOf(bytes: Buffer, text: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + text.length)) places.push(at);
  return places;
}

function template(size: number): Template {
  const [bytes] = ctSeries(
    {
      StudyInstanceUID: PLACEHOLDERS.study,
      AccessionNumber: PLACEHOLDERS.accession,
      PatientID: PLACEHOLDERS.patient,
      PatientName: PLACEHOLDERS.name,
      PatientBirthDate: PLACEHOLDERS.birthDate,
      StudyDate: '20261124',
      StudyDescription: 'CT HEAD',
    },
    PLACEHOLDERS.series,
    1,
    size,
  );
  if (bytes === undefined) throw new Error('no image was made');
  const image = placesOf(bytes, PLACEHOLDERS.image);
  return {
    bytes,
    places: {
      study: placesOf(bytes, PLACEHOLDERS.study),
      image,
      series: placesOf(bytes, PLACEHOLDERS.series).filter((at) => !image.includes(at)),
      accession: placesOf(bytes, PLACEHOLDERS.accession),
      patient: placesOf(bytes, PLACEHOLDERS.patient),
      name: placesOf(bytes, PLACEHOLDERS.name),
      birthDate: placesOf(bytes, PLACEHOLDERS.birthDate),
    },
  };
}

/** Makes CT images of `size` x `size`: Part 10 files of the `number`th image of a study, in one series. */
export function imageMaker(size: number): (study: BenchStudy, number: number) => Buffer {
  const { bytes, places } = template(size);
  return (study, number) => {
    const copy = Buffer.from(bytes);
    const tail = study.studyInstanceUid.slice('2.25.1'.length);
    const values = {
      study: study.studyInstanceUid,
      image: `2.25.4${tail.slice(0, 12)}${digits(number, 17)}.1`,
      series: `2.25.3${tail}`,
      accession: study.order.accessionNumber,
      patient: study.patient.id,
      name: study.patient.name.padEnd(PLACEHOLDERS.name.length),
      birthDate: study.patient.birthDate ?? '',
    };
    for (const key of ['study', 'image', 'series', 'accession', 'patient', 'name', 'birthDate'] as const) {
      for (const at of places[key]) copy.write(values[key], at, 'latin1');
    }
    return copy;
  };
}
