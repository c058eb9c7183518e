import { readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { z } from 'zod';
import { openBlobStore } from '../../images/blobs.ts';
import { startSmsSandbox, type SmsSandbox } from '../../texts/io/sandbox.ts';
import { crImage, ctSeries } from '../../dev/phantoms.ts';
import { orm, oru } from '../../dev/ris-messages.ts';
import { startBackupWorld, type BackupWorld } from '../support/backup-world.ts';
import { orthancRest } from '../support/orthanc-rest.ts';
import { orderOf, person, reportOf, tagsOf } from '../support/people.ts';
import { eventually, startRig, type Rig } from '../support/rig.ts';

const ROW = z.record(z.string(), z.unknown());
const FAILURE = z.object({ part: z.string(), code: z.string() });
const REPORT = z.object({
  restored: z.object({
    images: z.number(),
    otherFiles: z.number(),
    notRestored: z.array(z.object({ file: z.string(), reason: z.string() })),
    labels: z.number(),
    labelsLost: z.number(),
  }),
  missing: z.object({
    takenAt: z.string(),
    lastMessages: z.array(z.object({ sender: z.string(), controlId: z.string(), receivedAt: z.string() })),
    withoutFile: z.array(z.object({ studyInstanceUid: z.string(), images: z.number() })),
    onlyRendered: z.array(z.string()).nullable(),
    blobFailure: z.string().nullable(),
    toBeTaken: z.number(),
    toBeDrawn: z.number(),
  }),
});
const ID = z.object({ id: z.string() });
const IDS = z.array(z.string());

/** What links say, without rows' ids. */
const LINKS = `
SELECT d.study_instance_uid AS uid, d.status, d.rule, d.decided_by, s.accession_number AS accession,
       (SELECT count(*)::int FROM images i JOIN series e ON e.id = i.series_id WHERE e.dicom_study_id = d.id) AS images,
       (SELECT count(*)::int FROM link_decisions l WHERE l.dicom_study_id = d.id) AS decisions
FROM dicom_studies d LEFT JOIN studies s ON s.id = d.study_id ORDER BY 1`;

describe('a backup', () => {
  let world: BackupWorld;
  let sandbox: SmsSandbox;
  let lost: Rig;
  let rig: Rig;
  const stack = new AsyncDisposableStack();
  const blobs = { AZURE_STORAGE_CONTAINER: `backup-${String(process.pid)}` };
  const shared = () => ({ ...blobs, TWILIO_API_URL: sandbox.url, SWEEP_INTERVAL_MS: '1000' });
  before(async () => {
    world = stack.use(await startBackupWorld());
    sandbox = stack.use(await startSmsSandbox({ host: '127.0.0.1', port: 0, now: () => new Date() }));
    lost = stack.use(await startRig(shared(), world.postgres));
  });
  after(async () => {
    await stack.disposeAsync();
  });

  const people = [1, 2, 3, 4].map((n) => person(`B${n}`, { phone: `0491 570 00${n}^PRN^CP` }));
  const [one, two, three, four] = [people[0]!, people[1]!, people[2]!, people[3]!];
  const late = {
    messages: new Array<string>(),
    files: [
      ...ctSeries(tagsOf(four, '2.25.9004', 'BA4'), '2.25.9004.1', 2),
      crImage(tagsOf(two, '2.25.9002', 'BA2'), '2.25.9002.2'),
    ],
  };
  const tell = async (to: Rig, ...messages: readonly string[]) => {
    for (const message of messages) expect(await to.ris.send(message)).to.contain('MSA|AA|');
  };
  const failures = (of: Rig) => of.rows(`SELECT part, code FROM failures ORDER BY 1, 2`, FAILURE);
  const backups = (of: Rig) => of.rows('SELECT snapshot FROM backups', z.object({ snapshot: z.string() }));

  it('is made while Orthanc and the sidecar run, read back, and recorded', async () => {
    await tell(
      lost,
      ...people.slice(0, 3).map((who, index) => orm(lost.head(), who, orderOf(`BA${index + 1}`, 'CT'))),
      oru(lost.head(), one, reportOf('BA1', 'F', 'CT')),
    );
    await lost.store(
      ...ctSeries(tagsOf(one, '2.25.9001', 'BA1'), '2.25.9001.1', 3),
      crImage(tagsOf(two, '2.25.9002', 'BA2'), '2.25.9002.1'),
      crImage(tagsOf(three, '2.25.9003', 'TYPO'), '2.25.9003.1'),
    );
    await lost.settled();
    const linked = await world.axis(lost, ['link', '2.25.9003', 'BA3', '--who', 'Ann', '--why', 'asked']);
    expect(linked.code, linked.err).to.equal(0);
    const [study = ''] = IDS.parse(
      await orthancRest(lost.orthanc, 'POST', '/tools/find', {
        Level: 'Study',
        Query: { StudyInstanceUID: '2.25.9001' },
      }),
    );
    await orthancRest(lost.orthanc, 'PUT', `/studies/${study}/labels/teaching`);
    await lost.settled();
    const { code, out, err } = await world.axis(lost, ['backup', '--json']);
    expect(code, err).to.equal(0);
    const made = z.object({ snapshot: z.string(), files: z.number() }).parse(JSON.parse(out));
    expect(made.files).to.equal(5 + 2);
    expect(await backups(lost)).to.deep.equal([{ snapshot: made.snapshot }]);
    expect(await failures(lost)).to.deep.equal([]);
    expect(await readdir(join(world.folder, 'work'))).to.deep.equal(['cache']);
  });

  it('brings everything lost back, and says exactly what is then missing', async () => {
    const before = await lost.rows(LINKS, ROW);
    const [last] = await lost.rows(
      'SELECT control_id AS id FROM hl7_messages ORDER BY id DESC LIMIT 1',
      z.object({ id: z.string() }),
    );
    late.messages.push(
      orm(lost.head(), four, orderOf('BA4', 'CT')),
      oru(lost.head(), four, reportOf('BA4', 'F', 'CT')),
      oru(lost.head(), three, reportOf('BA3', 'F', 'CT')),
    );
    await tell(lost, ...late.messages);
    await lost.store(...late.files);
    await lost.settled();
    const after = await lost.rows(LINKS, ROW);
    const all = await lost.rows('SELECT orthanc_id AS id FROM images', z.object({ id: z.string() }));
    const texts = sandbox.messages.map(({ to, body }) => `${to} ${body}`);
    expect(texts).to.have.length(3);
    await lost[Symbol.asyncDispose]();

    rig = stack.use(await startRig(shared(), world.postgres));
    const refused = await world.axis(rig, ['restore']);
    expect(refused).to.include({ code: 1 });
    expect(refused.err).to.contain('restore-sidecar-runs');
    await rig.stopSidecar();
    // A new system's emptiness does not become the newest backup.
    expect((await world.axis(rig, ['backup'])).err).to.contain('backup-of-another-system');
    const { code, out, err } = await world.axis(rig, ['restore', '--json']);
    expect(code, err).to.equal(0);
    const report = REPORT.parse(JSON.parse(out));
    const known = await rig.rows('SELECT orthanc_id AS id FROM images', z.object({ id: z.string() }));
    const knownIds = new Set(known.map(({ id }) => id));
    expect(report.restored).to.deep.equal({ images: 5, otherFiles: 0, notRestored: [], labels: 1, labelsLost: 0 });
    expect(report.missing.withoutFile).to.deep.equal([]);
    expect(report.missing.toBeTaken).to.equal(0);
    expect(report.missing.onlyRendered?.toSorted()).to.deep.equal(
      all
        .map(({ id }) => id)
        .filter((id) => !knownIds.has(id))
        .toSorted(),
    );
    expect(report.missing.onlyRendered).to.have.length(3);
    expect(report.missing.lastMessages.map(({ controlId }) => controlId)).to.deep.equal([last?.id]);
    expect(await failures(rig)).to.deep.equal([{ part: 'restore', code: 'images-missing' }]);

    await rig.startSidecar();
    await rig.settled();
    expect(await rig.rows(LINKS, ROW)).to.deep.equal(before);
    const wanted = {
      Level: 'Study',
      Query: {},
      Labels: ['teaching', 'report-final', 'ris-linked'],
      LabelsConstraint: 'All',
    };
    await eventually('the labels', async () => {
      return IDS.parse(await orthancRest(rig.orthanc, 'POST', '/tools/find', wanted)).length === 1;
    });

    // The RIS and the modalities send again what came after; the texts of it had gone out.
    await tell(rig, ...late.messages);
    await rig.store(...late.files);
    await rig.settled();
    expect(await rig.rows(LINKS, ROW)).to.deep.equal(after);
    expect(sandbox.messages.map(({ to, body }) => `${to} ${body}`)).to.deep.equal(texts);
    const sent = await rig.rows(`SELECT state FROM sms_messages`, z.object({ state: z.string() }));
    expect(sent.map(({ state }) => state)).to.deep.equal(['sent', 'sent', 'sent']);
    const now = await world.axis(rig, ['restore', '--report', '--json']);
    const { missing } = z.object({ missing: REPORT.shape.missing }).parse(JSON.parse(now.out));
    expect([missing.withoutFile, missing.onlyRendered, missing.toBeTaken]).to.deep.equal([[], [], 0]);
    expect(await failures(rig)).to.deep.equal([]);
  });

  it('is restored, and says that it does not know all, where Blob storage does not answer', async () => {
    await rig.stopSidecar();
    const away = {
      AZURE_STORAGE_CONNECTION_STRING:
        'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:1/a',
    };
    const { code, out, err } = await world.axis(rig, ['restore', '--overwrite', '--json'], away);
    expect(code).to.equal(1);
    const { restored, missing } = REPORT.parse(JSON.parse(out));
    expect(restored.images).to.equal(5);
    expect(missing).to.deep.include({ onlyRendered: null, blobFailure: 'blob-unreachable', withoutFile: [] });
    expect(err).to.contain('blob-unreachable').and.to.contain('axis restore --report');
    expect(await failures(rig)).to.deep.equal([{ part: 'restore', code: 'images-not-counted' }]);
    expect((await world.axis(rig, ['restore', '--report'], away)).code).to.equal(1);
    expect((await world.axis(rig, ['restore', '--report'])).code).to.equal(0);
    expect(await failures(rig)).to.deep.equal([]);
    // Of all that it lost each is drawn again.
    const store = openBlobStore({ ...rig.config, ...blobs }, 10_000);
    const mirrored = async () => {
      const sql = `SELECT orthanc_id AS id FROM images WHERE mirror_status = 'mirrored' ORDER BY 1`;
      return (await rig.rows(sql, ID)).map(({ id }) => id);
    };
    const all = await mirrored();
    expect(all).to.have.length(5);
    await store.remove(`images/${all[1]!}.jpg`);
    await store.remove(`thumbnails/${all[4]!}.jpg`);
    const drawn = z.object({ missing: z.object({ toBeDrawn: z.number() }) });
    const report = async (over = {}) => {
      const { out } = await world.axis(rig, ['restore', '--report', '--json'], over);
      return drawn.parse(JSON.parse(out)).missing.toBeDrawn;
    };
    expect(await report()).to.equal(2);
    expect(await mirrored()).to.deep.equal([all[0], all[2], all[3]]);
    expect(await report({ AZURE_STORAGE_CONTAINER: `${blobs.AZURE_STORAGE_CONTAINER}-lost` })).to.equal(3);
    await rig.startSidecar();
    await rig.settled();
    expect(await mirrored()).to.include.members(all);
    expect(await report()).to.equal(0);
    // All that came after the backup, again.
    await tell(rig, ...late.messages);
    await rig.settled();
  });

  it('is not put over what is there unless that is said', async () => {
    await rig.stopSidecar();
    const [full, empty] = await Promise.all([
      world.axis(rig, ['restore']),
      world.postgres.createDatabase().then((url) => world.axis(rig, ['restore'], { DATABASE_URL: url })),
    ]);
    expect(full.code).to.equal(1);
    expect(full.err).to.contain('restore-database-not-empty');
    expect(empty.code).to.equal(1);
    expect(empty.err).to.contain('restore-orthanc-not-empty');
    await rig.startSidecar();
  });

  it('that fails is recorded as a failure with its reason, and nothing is made anew in its place', async () => {
    const elsewhere = join(world.folder, 'elsewhere');
    const wrong: [Record<string, string>, string][] = [
      [{ RESTIC_PASSWORD: 'another password' }, 'backup-wrong-password'],
      [{ RESTIC_REPOSITORY: elsewhere }, 'backup-repository-missing'],
      [{ BACKUP_STORAGE: join(world.folder, 'work') }, 'backup-storage-incomplete'],
      [{ ORTHANC_URL: 'http://127.0.0.1:1' }, 'orthanc-unreachable'],
    ];
    for (const [over, reason] of wrong) {
      const { code, err } = await world.axis(rig, ['backup'], over);
      expect(code).to.equal(1);
      expect(err).to.contain(reason);
      expect(err).not.to.contain(world.password);
      expect(await failures(rig)).to.deep.equal([{ part: 'backup', code: reason }]);
    }
    expect(await stat(elsewhere).catch(() => null)).to.equal(null);
    expect(await backups(rig)).to.have.length(1);
  });

  it('is made by the service when it is due, clears the failure, and lets the unverified go', async () => {
    await rig.execute(`UPDATE backups SET finished_at = now() - interval '3 days'`);
    const service = world.serve(rig, { BACKUP_KEEP_DAILY: '1' });
    await eventually('the backup', async () => (await backups(rig)).length === 2);
    await eventually('its end', () => Promise.resolve(service.lastOutput().includes('backed up and verified')));
    expect(await failures(rig)).to.deep.equal([]);
    // The oldest stays until there are enough.
    expect(await readdir(join(world.repository, 'snapshots'))).to.have.length(2);
    await service.stop();
    expect(service.lastOutput()).not.to.match(/NGUYEN|B1|fatal/);
  });

  it('in a damaged repository is noticed, and not taken for a good one', async () => {
    const packs = (await readdir(join(world.repository, 'data'), { recursive: true }))
      .filter((name) => name.length > 60)
      .map((name) => join(world.repository, 'data', name));
    const sizes = await Promise.all(packs.map(async (pack) => (await stat(pack)).size));
    const largest = packs[sizes.indexOf(Math.max(...sizes))]!;
    await rm(join(world.folder, 'work', 'cache'), { recursive: true, force: true });
    await truncate(largest, 1000);
    const { code, err } = await world.axis(rig, ['backup']);
    expect(code).to.equal(1);
    expect(err).to.contain('backup-damaged');
    expect(await failures(rig)).to.deep.equal([{ part: 'backup', code: 'backup-damaged' }]);
    expect(await backups(rig)).to.have.length(2);
  });

  it('of a damaged repository gives back what is whole, and the rest is named', async () => {
    const url = await world.postgres.createDatabase();
    const { code, out, err } = await world.axis(rig, ['restore', '--overwrite', '--json'], { DATABASE_URL: url });
    expect(code, err).to.equal(0);
    const { restored } = REPORT.parse(JSON.parse(out));
    expect(restored.notRestored).not.to.have.length(0);
    expect(new Set(restored.notRestored.map(({ reason }) => reason))).to.deep.equal(
      new Set(['damaged in the repository']),
    );
    expect(restored.images + restored.notRestored.length).to.equal(8);
  });
});
