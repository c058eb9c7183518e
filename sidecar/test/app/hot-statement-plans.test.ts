import { expect } from 'chai';
import pg from 'pg';
import { readFrame } from '../../hl7/io/listener.ts';
import * as deletions from '../../images/io/deleted-rows.ts';
import { SAVE_DICOM_STUDIES, SAVE_IMAGES, SAVE_SERIES, SAVE_TAGS } from '../../images/io/feed-rows.ts';
import { BEGIN, ENDED_ONE, imageStatements, MARK_MIRRORED } from '../../images/io/image-rows.ts';
import { ADD_LABEL_JOBS, loadLabelFacts, LOAD_LABEL_FACTS } from '../../linking/io/label-rows.ts';
import * as links from '../../linking/io/link-rows.ts';
import { LOAD_RELEASE_FACTS } from '../../release/io/release-rows.ts';
import { LET_TEXT_STAND, LOAD_REPORT_PATIENTS, SAVE_REPORT } from '../../ris/io/report-rows.ts';
import { LOOK_UP } from '../../ris/io/known-rows.ts';
import { SAVE_FACTS } from '../../ris/io/save-rows.ts';
import {
  BEGIN_SENDING,
  LOAD_SMS_SUBJECTS,
  LOCK_SMS,
  MARK_ATTENTION,
  MARK_SENT,
  SAVE_SMS_PLAN,
  smsStatements,
} from '../../texts/io/text-rows.ts';
import { STUDIES_TEXTING } from '../../texts/io/receipt-rows.ts';
import { DICOM_STUDIES_AFTER, IMAGES_AFTER, sweepStatements, UNKNOWN_INSTANCES } from '../../images/io/sweep-rows.ts';
import { benchStudy, type BenchStudy } from '../../dev/bench/data.ts';
import { dicomBatch } from '../../dev/dicom-batch.ts';
import { fillTables, IDENTITIES, settleTables } from '../../dev/full-tables.ts';
import { adt, merge, orm, oru } from '../../dev/ris-messages.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { NOW } from '../support/episode.ts';
import { isRunOf, startPlanServer, type Executed, type PlanServer } from '../support/executed-plans.ts';

const FULL = { studies: 4000, imagesPerStudy: 25 };
const WAITING_JOBS = 20_000;
/** How many orders came, one after the other, before each of some sidecars made its plans; the tables had no statistics. */
const EARLY_ORDERS = [0, 10, 50, 200, 800];
/** Of one study, one image or one message; the tables have thousands. */
const FEW_ROWS = 40;

// Two indexes each, one as good as the other.
const STUDY_BY_ID = /^dicom_studies_(pkey|id_study_id_key)$/;
const REPORTS_OF_STUDY = /^reports_study_id_/;

/** The statements that run for every image, study, message or text, with the indexes they live by. */
const HOT: Readonly<Record<string, readonly [sql: string, ...indexes: readonly (string | RegExp)[]]>> = {
  'the study of an image is kept': [SAVE_DICOM_STUDIES, 'dicom_studies_study_instance_uid_key'],
  'its tags are kept': [SAVE_TAGS, 'dicom_study_tags_pkey', 'dicom_studies_study_instance_uid_key'],
  'its series is kept': [SAVE_SERIES, 'series_orthanc_id_key', 'dicom_studies_study_instance_uid_key'],
  'the image is kept': [SAVE_IMAGES, 'images_orthanc_id_key', 'series_orthanc_id_key'],
  'what is decided on is read': [links.LOAD_STUDIES, STUDY_BY_ID, 'dicom_study_tags_study'],
  'RIS studies are found by each rule': [
    links.LOAD_RIS_STUDIES,
    'studies_accession_key_key',
    'studies_announced_uid',
    'patients_ris_identity',
    'patients_birth_date',
    'studies_patient_date',
    'patients_merged_into',
  ],
  'a study of its own is made': [links.MAKE_OWN_STUDIES, STUDY_BY_ID, 'dicom_study_tags_study', 'studies_dicom_own'],
  'it is kept up to date': [links.REFRESH_OWN_STUDIES, STUDY_BY_ID, 'studies_dicom_own'],
  'decisions are kept': [links.SAVE_DECISIONS, STUDY_BY_ID, 'studies_dicom_own', 'dicom_study_tags_study'],
  'what an adopted study leaves is removed': [links.REMOVE_ABANDONED_STUDIES, STUDY_BY_ID, 'studies_dicom_own'],
  'what rests on an order is found': [
    links.STUDIES_RESTING_ON,
    'dicom_studies_candidates',
    'dicom_studies_study',
    'dicom_study_tags_accession',
    'dicom_studies_study_instance_uid_key',
    'dicom_study_tags_patient',
    'dicom_study_tags_birth_date',
    'patients_merged_into',
  ],
  'a study is to be labelled': [ADD_LABEL_JOBS, STUDY_BY_ID, 'dicom_studies_study'],
  'its labels are decided': [LOAD_LABEL_FACTS, STUDY_BY_ID, 'dicom_study_tags_study', REPORTS_OF_STUDY],
  'what a message bears on is found': [
    LOOK_UP,
    'hl7_messages_sending_application_sending_facility_control_i_key',
    'patients_ris_identity',
    'patients_pkey',
    'patient_merges_prior',
    'patient_merges_survivor',
    'patient_facts_patient',
    'study_facts_patient',
    'study_facts_accession',
    'studies_accession_key_key',
    REPORTS_OF_STUDY,
  ],
  'what a message says is kept': [
    SAVE_FACTS,
    'hl7_messages_sending_application_sending_facility_control_i_key',
    'patients_pkey',
    'studies_pkey',
  ],
  'a report is kept': [SAVE_REPORT, REPORTS_OF_STUDY],
  'the text of a report stands': [LET_TEXT_STAND, REPORTS_OF_STUDY],
  'whom a report names is read': [
    LOAD_REPORT_PATIENTS,
    'studies_pkey',
    'patients_pkey',
    /^patient_facts_(pkey|patient)$/,
  ],
  'whether a text is due': [
    LOAD_SMS_SUBJECTS,
    'studies_pkey',
    'patients_pkey',
    'dicom_studies_candidates',
    'reports_message',
    'sms_studies_pkey',
    'sms_messages_pkey',
    'link_decisions_reviewed',
  ],
  'what a patient may see is read': [
    LOAD_RELEASE_FACTS,
    'studies_pkey',
    'patients_pkey',
    'dicom_studies_candidates',
    'dicom_studies_study',
    REPORTS_OF_STUDY,
  ],
  'what a sent text needs is marked': [MARK_ATTENTION, 'sms_studies_pkey', 'sms_messages_pkey', REPORTS_OF_STUDY],
  'a text is planned': [SAVE_SMS_PLAN, 'sms_messages_study_id_kind_key'],
  'a text is taken up': [LOCK_SMS, 'sms_messages_pkey'],
  'a text is begun': [BEGIN_SENDING, 'sms_messages_pkey', 'sms_opt_outs_number'],
  'a text is sent': [MARK_SENT, /^sms_messages_(pkey|open)$/],
  'the texts to a number are found': [
    STUDIES_TEXTING,
    'patients_phone_number',
    'studies_patient_date',
    'sms_messages_study_id_kind_key',
  ],
  'a rendering begins': [BEGIN, 'images_pkey'],
  'a rendering ends': [ENDED_ONE, 'images_pkey'],
  'an image is mirrored': [MARK_MIRRORED, 'images_pkey'],
  'rows that are missing are found': [UNKNOWN_INSTANCES, 'images_orthanc_id_key'],
  'images are walked': [IMAGES_AFTER, 'images_orthanc_id_key'],
  'studies are walked': [DICOM_STUDIES_AFTER, STUDY_BY_ID],
  'what was modified is found': [deletions.ADD_LOOKS, 'images_orthanc_id_key', 'series_pkey'],
  'a deleted image is taken out': [deletions.MOVE_DELETED_IMAGES, 'images_orthanc_id_key', 'series_pkey', STUDY_BY_ID],
  'its series goes with its last image': [deletions.REMOVE_EMPTY_SERIES, 'series_dicom_study', 'images_series'],
  'its tags go': [deletions.REMOVE_EMPTY_TAGS, 'dicom_study_tags_study', 'series_orthanc_study'],
  'its study is marked': [deletions.MARK_DELETED, STUDY_BY_ID, 'dicom_study_tags_study'],
  'a study of its own goes too': [deletions.REMOVE_OWN_STUDIES, STUDY_BY_ID, 'studies_dicom_own', 'patients_pkey'],
};

/** Those that grow with the archive, and the queue. */
const LARGE = new Set([
  ...['patients', 'studies', 'hl7_messages', 'patient_facts', 'study_facts', 'reports', 'sms_messages'],
  ...['dicom_studies', 'dicom_study_tags', 'link_decisions', 'series', 'images', '_private_jobs'],
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
  await images.markMirrored(imageId, 'https://blob.example/1', 'https://blob.example/2', NOW);
  const texts = smsStatements(db);
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
