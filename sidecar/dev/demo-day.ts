import { cStore } from './modality.ts';
import { crImage, ctSeries, usClip, type StudyTags } from './phantoms.ts';
import { connectRis, type Ris } from './ris.ts';
import { orm, oru, type RisPatient } from './ris-messages.ts';

/** Where the day is played. */
export interface DayPlace {
  readonly hl7Port: number;
  readonly httpPort: number;
  readonly dicomPort: number;
  readonly apiKey: string;
  /** The practice's day, `YYYYMMDD`. */
  readonly today: string;
  readonly now: () => Date;
  /** New for each call, so that a day can be played twice into one archive. */
  readonly newUid: () => string;
  readonly say: (line: string) => void;
}

interface Visit {
  readonly patient: RisPatient;
  readonly accessionNumber: string;
  readonly modality: string;
  readonly procedure: string;
  readonly time: string;
  readonly how: 'c-store' | 'http' | 'c-store without accession number';
  readonly images: (study: StudyTags, seriesUid: string) => Buffer[];
  readonly report: readonly string[];
}

const VISITS: readonly Visit[] = [
  {
    patient: { id: 'AX1001', name: 'NGUYEN^Anna', birthDate: '19800102', sex: 'F', phone: '0491 570 006^PRN^CP' },
    accessionNumber: 'AX24-0001',
    modality: 'CT',
    procedure: 'CT HEAD',
    time: '0830',
    how: 'c-store',
    images: (study, series) => ctSeries(study, series, 20),
    report: ['Dense lesion of 20 mm in the left hemisphere, with oedema.', 'Ventricles of normal size.'],
  },
  {
    patient: { id: 'AX1002', name: "O'BRIEN^Liam", birthDate: '19751124', sex: 'M', phone: '(04) 9157 0156^PRN^CP' },
    accessionNumber: 'AX24-0002',
    modality: 'CR',
    procedure: 'XR CHEST',
    time: '0900',
    how: 'c-store',
    images: (study, series) => [crImage(study, series)],
    report: ['Lungs and pleural spaces are clear.'],
  },
  {
    patient: { id: 'AX1003', name: 'MÜLLER^Mia', birthDate: '19920630', sex: 'F', phone: '+61 491 570 157^PRN^CP' },
    accessionNumber: 'AX24-0003',
    modality: 'US',
    procedure: 'US ABDOMEN',
    time: '0930',
    how: 'c-store',
    images: (study, series) => [usClip(study, series, 24)],
    report: ['Gallbladder without calculi.'],
  },
  {
    patient: { id: 'AX1004', name: 'WILLIAMS^Noah', birthDate: '20010315', sex: 'M', phone: '0491570158^PRN^CP' },
    accessionNumber: 'AX24-0004',
    modality: 'CR',
    procedure: 'XR WRIST LEFT',
    time: '1000',
    how: 'http',
    images: (study, series) => [crImage(study, series, 'WRIST')],
    report: ['No fracture.'],
  },
  {
    patient: { id: 'AX1005', name: 'ROSSI^Giulia', birthDate: '19681209', sex: 'F', phone: '0491 570 159^PRN^CP' },
    accessionNumber: 'AX24-0005',
    modality: 'CR',
    procedure: 'XR KNEE RIGHT',
    time: '1030',
    how: 'c-store without accession number',
    images: (study, series) => [crImage(study, series, 'KNEE')],
    report: ['Mild medial joint space narrowing.'],
  },
];

/** The accession numbers of the day, one a visit. */
export const ACCESSION_NUMBERS: readonly string[] = VISITS.map(({ accessionNumber }) => accessionNumber);

function studyTags(visit: Visit, place: DayPlace): StudyTags {
  const { patient, accessionNumber, procedure, how } = visit;
  return {
    StudyInstanceUID: place.newUid(),
    StudyDate: place.today,
    StudyTime: `${visit.time}00`,
    StudyDescription: procedure,
    PatientID: patient.id,
    PatientName: patient.name,
    ...(patient.birthDate !== undefined && { PatientBirthDate: patient.birthDate }),
    ...(patient.sex !== undefined && { PatientSex: patient.sex }),
    ...(how !== 'c-store without accession number' && { AccessionNumber: accessionNumber }),
  };
}

async function sendImages(visit: Visit, place: DayPlace): Promise<void> {
  const files = visit.images(studyTags(visit, place), place.newUid());
  if (visit.how !== 'http') {
    const { ok, output } = await cStore(files, { port: place.dicomPort, calledAeTitle: 'AXIS_PORTAL' });
    if (!ok) throw new Error(`C-STORE of ${visit.accessionNumber} failed:\n${output}`);
    return;
  }
  const form = new FormData();
  for (const [index, file] of files.entries()) form.append('file', new Blob([new Uint8Array(file)]), `${index}.dcm`);
  const answer = await fetch(`http://127.0.0.1:${place.httpPort}/api/modality/dicom`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${place.apiKey}` },
    body: form,
    signal: AbortSignal.timeout(30_000),
  });
  if (answer.status !== 200) throw new Error(`the upload was answered ${answer.status}: ${await answer.text()}`);
}

async function tell(ris: Ris, message: string, what: string): Promise<void> {
  const acknowledgment = await ris.send(message);
  if (!acknowledgment.includes('MSA|AA')) throw new Error(`${what} was not taken: ${acknowledgment}`);
}

/** Plays a short day through the real interfaces: orders, images, reports. @throws Error when something is not taken. */
export async function playDay(place: DayPlace): Promise<void> {
  await using ris = await connectRis(place.hl7Port);
  const head = () => ({ now: place.now(), controlId: place.newUid().slice(-20) });
  for (const { patient, accessionNumber, modality, procedure, time } of VISITS) {
    const order = { accessionNumber, modality, procedure, scheduled: `${place.today}${time}` };
    await tell(ris, orm(head(), patient, order), `the order ${accessionNumber}`);
  }
  place.say(`the RIS sent ${VISITS.length} orders (ORM^O01 over MLLP)`);
  for (const visit of VISITS) {
    await sendImages(visit, place);
    place.say(`${visit.modality} images of ${visit.accessionNumber} arrived by ${visit.how}`);
  }
  for (const { patient, accessionNumber, modality, procedure, report } of VISITS) {
    const reported = `${place.today}1200`;
    const final = { accessionNumber, modality, procedure, status: 'F', lines: report, reported };
    await tell(ris, oru(head(), patient, final), `the report of ${accessionNumber}`);
  }
  place.say(`the RIS sent ${VISITS.length} final reports (ORU^R01)`);
}
