import { rm } from 'node:fs/promises';
import { expect } from 'chai';
import { projectVersion } from '../../monitoring/scrapes.ts';
import { crImage } from '../../dev/phantoms.ts';
import { orm, oru } from '../../dev/ris-messages.ts';
import { createAuthority } from '../support/certificates.ts';
import { pause } from '../support/mllp-sender.ts';
import { scrape } from '../support/metrics.ts';
import { promtool } from '../support/promtool.ts';
import { eventually, startRig, type Rig } from '../support/rig.ts';
import { tlsFolder } from '../support/tls-folder.ts';

const PATIENT = { id: 'MET1', name: 'WATCHED^NOBODY', phone: '0412345678' };
const ORDER = { accessionNumber: 'METRIC1', modality: 'CR', procedure: 'XR CHEST', scheduled: '202607140900' };
const REPORT = { ...ORDER, status: 'F', lines: ['Clear.'], reported: '' } as const;

describe('metrics', () => {
  let rig: Rig;
  const port = (): number => rig.sidecar.metricsPort ?? 0;
  /** What is told once the answer that is kept for a while is over. */
  const fresh = async () => {
    await pause(3_100);
    return scrape(port());
  };
  before(async () => {
    rig = await startRig({ METRICS_PORT: '0' });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  it('are in order, as promtool sees it, and have a version, a leader and every part', async () => {
    await eventually('a leader', async () => (await fresh()).values.get('axis_leader') === 1);
    const { text, values } = await fresh();
    const { ok, output } = promtool(['check', 'metrics'], { input: text });
    expect(ok, output).to.equal(true);
    expect(values.get(`axis_build_info{version="${projectVersion()}"}`)).to.equal(1);
    for (const part of ['orthanc', 'postgres', 'blob', 'hl7', 'feed']) {
      expect(values.get(`axis_part_ready{part="${part}"}`), part).to.equal(1);
    }
    for (const source of ['parts', 'feed', 'database', 'certificates']) {
      expect(values.get(`axis_collect_ok{source="${source}"}`), source).to.equal(1);
    }
    expect(values.get('axis_practice_weekday')).to.be.within(1, 7);
    expect(values.get('axis_practice_hour')).to.be.within(0, 24);
    expect(values.get('process_resident_memory_bytes')).to.be.greaterThan(1_000_000);
  });

  it('count messages, studies, images, texts and uploads, and say nothing of a patient', async () => {
    expect(await rig.ris.send(orm(rig.head(), PATIENT, ORDER))).to.contain('MSA|AA');
    expect(await rig.ris.send('MSH|^~\\&|RIS|X|||20260714||DOE^JANE|SECRET|P|2.5.1\r')).to.contain('MSA|AR');
    expect(await rig.ris.send('MSH|^~\\&|RIS|X|||20260714||ADT^A08|TEST1|T|2.5.1\r')).to.contain('MSA|AA');
    await rig.store(
      crImage({ StudyInstanceUID: '2.25.71', AccessionNumber: 'METRIC1', PatientID: 'MET1' }, '2.25.71.1'),
    );
    await rig.store(crImage({ StudyInstanceUID: '2.25.72', PatientID: 'UNKNOWN9' }, '2.25.72.1'));
    await rig.settled();
    expect(await rig.ris.send(oru(rig.head(), PATIENT, REPORT))).to.contain('MSA|AA');
    await rig.until('the text', "SELECT EXISTS (SELECT 1 FROM sms_messages WHERE state = 'sent')");
    const upload = await fetch(`http://127.0.0.1:${rig.sidecar.httpPort}/api/modality/dicom`, {
      method: 'POST',
      headers: { 'X-API-Key': rig.apiKey, 'Content-Type': 'application/dicom' },
      body: new Uint8Array(crImage({ StudyInstanceUID: '2.25.73', PatientID: 'UP9' }, '2.25.73.1')),
    });
    expect(upload.status).to.equal(200);
    await rig.execute(
      `INSERT INTO failures (part, subject, code, message, first_at, last_at) VALUES ('feed', 'x', 'c', 'm', now(), now())`,
    );
    await rig.execute(`INSERT INTO sms_receipts (twilio_sid, status, received_at) VALUES
      ('SM1', 'undelivered', now()), ('SM2', 'delivered', now()), ('SM3', 'failed', now() - interval '2 days')`);
    await rig.settled();

    const { text, values } = await fresh();
    const told = {
      'axis_hl7_messages_total{type="ORM^O01",answer="AA"}': 1,
      'axis_hl7_messages_total{type="ORU^R01",answer="AA"}': 1,
      'axis_hl7_messages_total{type="other",answer="AR"}': 1,
      'axis_hl7_messages_total{type="ADT^A08",answer="AA"}': 1,
      axis_hl7_test_messages_total: 1,
      'axis_hl7_message_duration_seconds_count{type="ORM^O01"}': 1,
      'axis_studies{status="linked"}': 1,
      'axis_studies{status="provisional"}': 2,
      'axis_mirror_images{status="pending"}': 0,
      'axis_mirror_images{status="failed"}': 0,
      'axis_sms_messages{state="sent"}': 1,
      'axis_sms_messages{state="held"}': 0,
      'axis_upload_files_total{result="stored"}': 1,
      'axis_failures{part="feed"}': 1,
      'axis_failures{part="sweep"}': 0,
      axis_sms_undelivered_last_day: 1,
      axis_sms_without_order: 0,
      axis_sms_without_order_share: 0,
      axis_feed_lag_changes: 0,
      axis_review_oldest_age_seconds: 0,
    };
    for (const [series, value] of Object.entries(told)) expect(values.get(series), series).to.equal(value);
    expect(values.get('axis_hl7_last_message_timestamp_seconds')).to.be.closeTo(Date.now() / 1000, 60);
    expect(values.get('axis_feed_lag_seconds')).to.be.within(0, 30);
    expect(promtool(['check', 'metrics'], { input: text }).output).to.equal('');
    expect(text).not.to.match(/MET1|METRIC1|WATCHED|NOBODY|41234|UNKNOWN9|JANE|SECRET|TEST1/);
  });

  it('tell how many texts wait for an order, and how large their share is', async () => {
    await rig.execute(`WITH s AS (
        INSERT INTO studies (patient_id, source, accession_number, accession_key)
        SELECT p.id, 'ris', 'ORDERLESS' || n, 'ORDERLESS' || n FROM generate_series(1, 4) n
        CROSS JOIN (SELECT id FROM patients WHERE source = 'ris' LIMIT 1) p RETURNING id, accession_key)
      INSERT INTO sms_messages (study_id, state, reason, body, created_at, updated_at)
      SELECT id, CASE accession_key WHEN 'ORDERLESS4' THEN 'failed' ELSE 'held' END, 'no-order', '',
             now() - interval '1 hour' * right(accession_key, 1)::int, now() FROM s`);
    const { values } = await fresh();
    expect(values.get('axis_sms_without_order')).to.equal(3);
    expect(values.get('axis_sms_without_order_share')).to.equal(0.75);
    await rig.execute(`DELETE FROM sms_messages WHERE reason = 'no-order'`);
  });

  it('tell how far the feed is behind and how old the oldest in review is', async () => {
    await rig.execute(`UPDATE dicom_studies SET status = 'review', first_seen_at = now() - interval '2 days'
                       WHERE study_instance_uid = '2.25.72'`);
    const held = rig.execute('BEGIN; LOCK TABLE feed_cursor IN EXCLUSIVE MODE; SELECT pg_sleep(6); COMMIT');
    await rig.store(crImage({ StudyInstanceUID: '2.25.74', PatientID: 'BEHIND9' }, '2.25.74.1'));
    const behind = await fresh();
    expect(behind.values.get('axis_feed_lag_changes')).to.be.at.least(1);
    expect(behind.values.get('axis_review_oldest_age_seconds')).to.be.closeTo(172_800, 120);
    await held;
    await rig.settled();
    expect((await fresh()).values.get('axis_feed_lag_changes')).to.equal(0);
  });

  it('answer the same for a while, so that scrapes cannot load the database', async () => {
    const first = await fresh();
    await rig.execute(`UPDATE failures SET part = 'sweep'`);
    expect((await scrape(port())).values.get('axis_failures{part="feed"}')).to.equal(1);
    expect((await fresh()).values.get('axis_failures{part="feed"}')).to.equal(0);
    expect(first.values.get('axis_failures{part="feed"}')).to.equal(1);
  });

  it('go on without what cannot be looked up, and say so', async () => {
    await rig.execute('ALTER TABLE failures RENAME TO failures_away');
    const broken = await fresh();
    expect(broken.values.get('axis_collect_ok{source="database"}')).to.equal(0);
    expect(broken.values.get('axis_collect_ok{source="parts"}')).to.equal(1);
    expect(broken.values.has('axis_studies{status="linked"}')).to.equal(false);
    expect(broken.values.has('axis_feed_lag_seconds')).to.equal(false);
    expect(broken.values.get('axis_hl7_messages_total{type="ORM^O01",answer="AA"}')).to.equal(1);
    await rig.execute('ALTER TABLE failures_away RENAME TO failures');
    expect((await fresh()).values.get('axis_collect_ok{source="database"}')).to.equal(1);
  });

  it('say which part is away', async () => {
    await rig.orthanc.stop('SIGKILL');
    const { values } = await fresh();
    expect(values.get('axis_part_ready{part="orthanc"}')).to.equal(0);
    expect(values.get('axis_part_ready{part="postgres"}')).to.equal(1);
    expect(values.get('axis_collect_ok{source="feed"}')).to.equal(0);
    expect(values.has('axis_feed_lag_changes')).to.equal(false);
    await rig.orthanc.start();
  });

  it('have a listener of their own, which has nothing else and is off unless it is asked for', async () => {
    expect((await fetch(`http://127.0.0.1:${port()}/healthz`)).status).to.equal(404);
    expect((await fetch(`http://127.0.0.1:${port()}/metrics`, { method: 'POST' })).status).to.equal(405);
    expect((await fetch(`http://127.0.0.1:${rig.sidecar.httpPort}/metrics`)).status).to.equal(404);
    await using other = await startRig();
    expect(other.sidecar.metricsPort).to.equal(null);
  });
});

describe('metrics of certificates', () => {
  it('tell the ends of those that can be read, and that one cannot', async () => {
    await using stack = new AsyncDisposableStack();
    const authority = stack.use(createAuthority('Practice CA'));
    const [web, ris] = [tlsFolder(authority.issue('axis')), tlsFolder(authority.issue('axis'))];
    stack.use(web);
    stack.use(ris);
    const rig = stack.use(
      await startRig({
        METRICS_PORT: '0',
        HTTPS_CERTIFICATE: web.files.certificate,
        HTTPS_KEY: web.files.key,
        HL7_TLS_PORT: '0',
        HL7_TLS_CERTIFICATE: ris.files.certificate,
        HL7_TLS_KEY: ris.files.key,
      }),
    );
    const told = async (): Promise<unknown[]> => {
      const { values } = await scrape(rig.sidecar.metricsPort ?? 0);
      const end = (setting: string) => values.get(`axis_certificate_expiry_timestamp_seconds{setting="${setting}"}`);
      const isSet = [end('HTTPS_CERTIFICATE'), end('HL7_TLS_CERTIFICATE')].map((value) => (value ?? 0) > 1.7e9);
      return [...isSet, values.get('axis_collect_ok{source="certificates"}')];
    };
    expect(await told()).to.deep.equal([true, true, 1]);
    await rm(ris.files.certificate);
    await pause(3_100);
    expect(await told()).to.deep.equal([true, false, 0]);
  });
});
