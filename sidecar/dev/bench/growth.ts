import { readFrame } from '../../hl7/io/listener.ts';
import { migrate } from '../../platform/postgres/database.ts';
import type { DicomBatch } from '../../images/rules/dicom.ts';
import { dicomBatch, type SeenTags } from '../dicom-batch.ts';
import { fillTables, settleTables } from '../full-tables.ts';
import { startPostgres, type PostgresProcess } from '../postgres-process.ts';
import { orm, oru } from '../ris-messages.ts';
import { benchStudy, type BenchStudy } from './data.ts';
import { alternate, timed, type Figure } from './measure.ts';
import { openParts, scaled, type Extent, type Parts } from './world.ts';

const IMAGES_PER_STUDY = 20;
const SMALL_STUDIES = 500;
const LARGE_STUDIES = 100_000;
/** Of one measurement. */
const [PAGES, LINKED_STUDIES, LINKED_IMAGES, MATCHED, MESSAGES] = [5, 10, 100, 200, 500];

interface Tables extends AsyncDisposable {
  readonly parts: Parts;
}

async function tablesWith(postgres: PostgresProcess, studies: number): Promise<Tables> {
  const databaseUrl = await postgres.createDatabase();
  const parts = openParts(databaseUrl);
  await migrate(databaseUrl);
  await fillTables(databaseUrl, { studies, imagesPerStudy: IMAGES_PER_STUDY });
  await settleTables(databaseUrl);
  return { parts, [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose]() };
}

const NOBODY: Partial<SeenTags> = { accessionNumber: '', patientId: '', issuerOfPatientId: '' };

/** What a study must say to be matched by that rule, and what must come of it. */
const RULES: readonly { readonly name: string; readonly rule: string; readonly as: Partial<SeenTags> }[] = [
  { name: 'accession number', rule: 'accession', as: {} },
  { name: 'Patient ID and study date', rule: 'patient-id-date', as: { accessionNumber: '' } },
  { name: 'name, birth date and modality', rule: 'name-birth-modality', as: NOBODY },
  {
    name: 'nothing, a study of its own',
    rule: 'no-order',
    as: { ...NOBODY, patientName: 'NOBODY^Knows', patientBirthDate: '' },
  },
];

async function order({ operations }: Parts, studies: readonly BenchStudy[]): Promise<void> {
  for (const { patient, order: ordered } of studies) {
    await receive(operations, orm({ now: new Date(), controlId: `O${ordered.accessionNumber}` }, patient, ordered));
  }
}

async function receive(operations: Parts['operations'], text: string): Promise<void> {
  const raw = Buffer.from(text);
  const answer = await operations.receive({ raw, ...readFrame(raw), remoteAddress: '127.0.0.1' });
  if (!/MSA\|AA/.test(answer)) throw new Error(`a message was not taken: ${answer}`);
}

async function take({ operations }: Parts, batch: DicomBatch): Promise<void> {
  const added = await operations.transaction((tx) => operations.take(tx, batch, new Date()));
  if (added !== batch.instances.length) throw new Error(`${added} of ${batch.instances.length} images were new`);
}

let group = 400;

/** Studies that no other call gave. */
function some(seed: number, count: number): BenchStudy[] {
  group += 1;
  return Array.from({ length: count }, (_, number) => benchStudy(seed, group, number));
}

async function report({ operations }: Parts, studies: readonly BenchStudy[]): Promise<void> {
  for (const { patient, order: of } of studies) {
    const { accessionNumber, modality, procedure } = of;
    const told = { accessionNumber, modality, procedure, status: 'F', lines: ['Normal.'], reported: '' };
    await receive(operations, oru({ now: new Date(), controlId: `R${accessionNumber}` }, patient, told));
  }
}

async function expectRule({ db }: Parts, batch: DicomBatch, rule: string): Promise<void> {
  const uids = batch.studies.map(({ studyInstanceUid }) => studyInstanceUid);
  const { rows } = await db.raw<{ rows: { rule: string; count: string }[] }>(
    'SELECT rule, count(*) AS count FROM dicom_studies WHERE study_instance_uid = ANY (?) GROUP BY rule',
    [uids],
  );
  const [only] = rows;
  if (rows.length !== 1 || only?.rule !== rule || only.count !== String(uids.length)) {
    throw new Error(`not all were matched by ${rule}: ${JSON.stringify(rows)}`);
  }
}

/**
 * What an instance, a message and a decision cost with large tables, through what they cost with small ones. On one
 * server, which has the memory that Postgres takes by itself.
 */
export async function benchGrowth(extent: Extent): Promise<Figure[]> {
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(await startPostgres({ durable: true }));
  const studies = 2 * Math.max(250, Math.round(scaled(LARGE_STUDIES, extent) / 2));
  extent.say(`filling tables with ${studies * IMAGES_PER_STUDY} images`);
  const small = stack.use(await tablesWith(postgres, SMALL_STUDIES)).parts;
  const large = stack.use(await tablesWith(postgres, studies)).parts;
  const figures: Figure[] = [];
  const compare = async (what: string, unit: string, once: (parts: Parts) => Promise<number>): Promise<void> => {
    // Plans are made and pages read once before it counts.
    for (const parts of [small, large]) await once(parts);
    figures.push({
      part: 'growth',
      what,
      unit,
      ...(await alternate(
        extent.repeats,
        () => once(large),
        () => once(small),
      )),
      compared: { kind: 'ratio', goal: { is: 'at most', value: 1.2 } },
    });
  };
  await compare('an instance, linked', 'ms', async (parts) => {
    const pages = Array.from({ length: PAGES }, () => some(extent.seed, LINKED_STUDIES));
    for (const ordered of pages) await order(parts, ordered);
    const batches = pages.map((ordered) => dicomBatch(ordered, LINKED_IMAGES));
    let seconds = 0;
    for (const batch of batches) {
      seconds += await timed(() => take(parts, batch));
      await expectRule(parts, batch, 'accession');
    }
    return (seconds * 1000) / (PAGES * LINKED_STUDIES * LINKED_IMAGES);
  });
  for (const { name, rule, as } of RULES) {
    await compare(`a study matched by ${name}`, 'ms', async (parts) => {
      let seconds = 0;
      for (let page = 0; page < PAGES; page += 1) {
        const ordered = some(extent.seed, MATCHED);
        if (rule !== 'no-order') await order(parts, ordered);
        const batch = dicomBatch(ordered, 1, as);
        seconds += await timed(() => take(parts, batch));
        await expectRule(parts, batch, rule);
      }
      return (seconds * 1000) / (PAGES * MATCHED);
    });
  }
  await compare('an order, ORM^O01', 'ms', async (parts) => {
    const ordered = some(extent.seed, MESSAGES);
    return ((await timed(() => order(parts, ordered))) * 1000) / MESSAGES;
  });
  await compare('a report, ORU^R01', 'ms', async (parts) => {
    const ordered = some(extent.seed, MESSAGES);
    await order(parts, ordered);
    return ((await timed(() => report(parts, ordered))) * 1000) / MESSAGES;
  });
  return figures;
}
