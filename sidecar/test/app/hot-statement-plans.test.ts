import { expect } from 'chai';
import pg from 'pg';
import { readFrame } from '../../hl7/io/listener.ts';
import * as deletions from '../../images/io/deleted-rows.ts';
import { imageStatements } from '../../images/io/image-rows.ts';
import { loadLabelFacts } from '../../linking/io/label-rows.ts';
import { smsStatements } from '../../texts/io/text-rows.ts';
import { sweepStatements } from '../../images/io/sweep-rows.ts';
import { benchStudy, type BenchStudy } from '../../dev/bench/data.ts';
import { dicomBatch } from '../../dev/dicom-batch.ts';
import { fillTables, IDENTITIES, settleTables } from '../../dev/full-tables.ts';
import { adt, merge, orm, oru } from '../../dev/ris-messages.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { NOW } from '../support/episode.ts';
import { HOT } from '../support/hot-statements.ts';
import { isRunOf, startPlanServer, type Executed, type PlanServer } from '../support/executed-plans.ts';

const FULL = { studies: 4000, imagesPerStudy: 25 };
const WAITING_JOBS = 20_000;
/** How many orders came, one after the other, before each of some sidecars made its plans; the tables had no statistics. */
const EARLY_ORDERS = [0, 10, 50, 200, 800];
/** Of one study, one image or one message; the tables have thousands. */
const FEW_ROWS = 40;

/** Those that grow with the archive, and the queue. */
const LARGE = new Set([
  ...['patients', 'studies', 'hl7_messages', 'patient_facts', 'study_facts', 'reports', 'sms_messages', 'sms_studies'],
  ...['dicom_studies', 'dicom_study_tags', 'seen_tags', 'dicom_study_links', 'link_decisions', 'series', 'images'],
  '_private_jobs',
]);

/** What happens to one patient, in each of its ways; `group` keeps one time apart from another. */
async function oneOfEach({ db, operations }: TestDatabase, group: number): Promise<void> {
  let number = 0;
  const next = (): BenchStudy => benchStudy(1, group, (number += 1));
  const receive = async (text: string): Promise<void> => {
    const raw = Buffer.from(text);
    expect(await operations.receive({ raw, ...readFrame(raw), remoteAddress: '127.0.0.1' })).to.contain('MSA|AA');
  };
  const head = () => ({ now: NOW, controlId: `${group}-${(number += 1)}` });
  const take = async (study: BenchStudy, as = {}): Promise<string> => {
    const batch = dicomBatch([study], 1, as);
    await operations.transaction((tx) => operations.take(tx, batch, NOW));
    return batch.instances[0]?.orthancId ?? '';
  };
  const report = ({ patient, order }: BenchStudy): Promise<void> =>
    receive(oru(head(), patient, { ...order, status: 'F', lines: ['Normal.'], reported: '202611241000' }));
  const order = (study: BenchStudy): Promise<void> => receive(orm(head(), study.patient, study.order));

  const [byNumber, byPatient, byName, late] = [next(), next(), next(), next()];
  for (const study of [byNumber, byPatient, byName]) await order(study);
  const nobody = { accessionNumber: '', patientId: '', issuerOfPatientId: '' };
  const orthancId = await take(byNumber);
  await take(byPatient, { accessionNumber: '' });
  await take(byName, nobody);
  await take(late);
  await order(late);
  const withoutOrder = await take(next(), { ...nobody, patientName: 'NOBODY^Knows', patientBirthDate: '' });
  await report(byNumber);
  await receive(adt('A08', head(), { ...byPatient.patient, name: 'OTHER^Name' }));
  await receive(merge(head(), byPatient.patient, byName.patient));

  const last = async (table: string): Promise<string> => {
    const { rows } = await db.raw<{ rows: { id: string }[] }>(`SELECT max(id) AS id FROM ${table}`);
    return rows[0]?.id ?? '';
  };
  const images = imageStatements(db);
  const imageId = await last('images');
  await images.begin(imageId, false);
  await images.ended(imageId, 'one');
  await images.markMirrored({ id: imageId, fileUuid: '' }, 'https://blob.example/1', 'https://blob.example/2', NOW);
  const texts = smsStatements(db, () => 'words');
  const smsId = await last('sms_messages');
  await texts.claim(smsId, NOW, NOW);
  await texts.markSent(smsId, NOW, `SM${group}`, NOW);
  const sweep = sweepStatements(db);
  await sweep.unknownInstances([orthancId]);
  await sweep.imagesAfter('', 10);
  await sweep.dicomStudiesAfter('0', 10);
  await loadLabelFacts(db, [await last('dicom_studies')]);
  await deletions.deletedImages(db).isKnown(orthancId);
  await operations.recordOptChoice({ vendorId: `SM-stop-${group}`, number: '+61491570156', optedOut: true });
  await operations.transaction(async (tx) => {
    await tx.lockLinking();
    await tx.addLooks([orthancId], NOW);
    const emptied = await tx.moveDeletedImages([orthancId, withoutOrder], true, NOW);
    await tx.removeEmptied(emptied, NOW);
  });
}

async function takeOrders({ operations }: TestDatabase, group: number, orders: number): Promise<void> {
  const inbound = Array.from({ length: orders }, (_, number) => {
    const { patient, order } = benchStudy(1, group, number);
    const raw = Buffer.from(orm({ now: NOW, controlId: `${group}-${number}` }, patient, order));
    return { raw, ...readFrame(raw), remoteAddress: '127.0.0.1' };
  });
  for (let first = 0; first < orders; first += 32) await operations.receiveTogether(inbound.slice(first, first + 32));
}

async function fillQueue(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(
    `SELECT graphile_worker.add_jobs(array_agg(ROW('mirror-image', '{}', NULL, NULL, 16, 'mirror-image:x' || n, 0,
       ARRAY['blob'])::graphile_worker.job_spec)) FROM generate_series(1, $1) n`,
    [WAITING_JOBS],
  );
  await client.end();
}

describe('the statements that run all day, on large tables', () => {
  let server: PlanServer;
  /** Each made its plans at another size of the tables. */
  const sidecars: TestDatabase[] = [];
  let stack: AsyncDisposableStack;
  let group = 0;
  const byEach = (): Promise<Executed[]> =>
    server.during(async () => {
      for (const sidecar of sidecars) await oneOfEach(sidecar, (group += 1));
    });

  before(async function () {
    this.timeout(120_000);
    stack = new AsyncDisposableStack();
    server = stack.use(await startPlanServer());
    const url = await server.createDatabase();
    for (const orders of EARLY_ORDERS) {
      const sidecar = stack.use(await startDatabase(url));
      if (sidecars.length === 0) {
        for (const table of IDENTITIES) {
          await sidecar.db.raw(`SELECT setval(pg_get_serial_sequence('${table}', 'id'), 1000000)`);
        }
      }
      await takeOrders(sidecar, (group += 1), orders);
      sidecars.push(sidecar);
      await oneOfEach(sidecar, (group += 1));
    }
    await fillTables(url, FULL);
    await fillQueue(url);
  });
  after(() => stack.disposeAsync());

  const readFew = (all: readonly Executed[]): void => {
    const tooMuch = all.flatMap(({ sql, scanned, steps }) => {
      const much = steps.filter(({ rows }) => rows > FEW_ROWS).map(({ step, rows }) => `${step}: ${rows} rows`);
      const whole = scanned.filter((table) => LARGE.has(table));
      return much.length + whole.length > 0 ? [{ sql: sql.trim().slice(0, 100), much, whole }] : [];
    });
    expect([...new Map(tooMuch.map((one) => [JSON.stringify(one), one])).values()]).to.deep.equal([]);
  };
  const useTheirIndexes = (all: readonly Executed[]): void => {
    for (const [what, [sql, ...indexes]] of Object.entries(HOT)) {
      const runs = all.filter((one) => isRunOf(sql, one));
      expect(runs, `${what}: was not run`).not.to.be.empty;
      const used = [...new Set(runs.flatMap((run) => run.indexes))];
      const missing = indexes.filter(
        (index) => !used.some((name) => (index instanceof RegExp ? index.test(name) : index === name)),
      );
      expect(missing.map(String), `${what}, by ${used.join(', ')}`).to.deep.equal([]);
    }
  };

  it('read a few rows by their indexes with plans that were made while the tables were small', async function () {
    this.timeout(60_000);
    const all = await byEach();
    readFew(all);
    useTheirIndexes(all);
  });

  it('and with plans that were made from statistics of full ones', async function () {
    this.timeout(60_000);
    for (const { url } of sidecars.slice(0, 1)) await settleTables(url);
    const all = await byEach();
    readFew(all);
    useTheirIndexes(all);
  });
});
