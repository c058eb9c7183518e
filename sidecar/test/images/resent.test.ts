import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { z } from 'zod';
import { crImage, ctSeries, type StudyTags } from '../../dev/phantoms.ts';
import { orm, oru } from '../../dev/ris-messages.ts';
import { orthancRest, storeByRest } from '../support/orthanc-rest.ts';
import { orderOf, person, reportOf, tagsOf } from '../support/people.ts';
import { eventually, startRig, type Rig } from '../support/rig.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const WORK = z.array(z.object({ kind: z.string(), subject: z.string(), reason: z.string().nullable() }));
const IDS = z.array(z.string());
const STANDING = z.object({ status: z.string(), reason: z.string().nullable(), accession: z.string().nullable() });
const DIFFERENCE = z.object({ sop: z.string(), fields: z.array(z.string()), seen: z.boolean() });
const IMAGE = z.object({ url: z.string().nullable(), status: z.string() });
const TEXT = z.object({ state: z.string(), reason: z.string().nullable() });

describe('what instances say themselves, in a real Orthanc', () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig({ LABEL_CHECK_INTERVAL_MS: '300' });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const orthanc = (method: string, path: string, body?: object) => orthancRest(rig.orthanc, method, path, body);
  const studyIn = async (uid: string): Promise<string> =>
    IDS.parse(await orthanc('POST', '/tools/find', { Level: 'Study', Query: { StudyInstanceUID: uid } }))[0] ?? '';
  const told = async (message: string): Promise<void> => {
    expect(await rig.ris.send(message)).to.contain('MSA|AA|');
  };
  const standing = async (uid: string) => {
    const sql = `SELECT d.status, d.reason, s.accession_number AS accession
      FROM dicom_studies d LEFT JOIN studies s ON s.id = d.study_id WHERE d.study_instance_uid = $1`;
    return (await rig.rows(sql, STANDING, [uid]))[0];
  };
  const becomes = (uid: string, status: string, accession: string | null = null) =>
    eventually(`${uid} to be ${status}`, async () => {
      const found = await standing(uid);
      return found?.status === status && (accession === null || found.accession === accession);
    });
  const differences = (uid: string) =>
    rig.rows(
      `SELECT i.sop_instance_uid AS sop, f.fields, f.seen_at IS NOT NULL AS seen
       FROM image_differences f JOIN images i USING (orthanc_id) JOIN series e ON e.id = i.series_id
       JOIN dicom_studies d ON d.id = e.dicom_study_id WHERE d.study_instance_uid = $1 ORDER BY 1`,
      DIFFERENCE,
      [uid],
    );
  const worked = async (kind: string) => {
    const env = { ...rig.environment, PATH: process.env['PATH'], HOME: process.env['HOME'] };
    const { stdout } = await promisify(execFile)(process.execPath, ['sidecar/cli.ts', 'list', '--json'], {
      ...{ cwd: ROOT, env },
    });
    return WORK.parse(JSON.parse(stdout)).filter((item) => item.kind === kind);
  };
  const isMirrored = (uid: string, images: number) =>
    eventually(`${images} images of ${uid} to be mirrored`, async () => {
      const sql = `SELECT i.image_url AS url, i.mirror_status AS status FROM images i JOIN series e ON e.id = i.series_id
        JOIN dicom_studies d ON d.id = e.dicom_study_id WHERE d.study_instance_uid = $1`;
      const rows = await rig.rows(sql, IMAGE, [uid]);
      return rows.length === images && rows.every(({ status }) => status === 'mirrored');
    });
  const pictureOf = async (uid: string): Promise<string> => {
    const sql = `SELECT i.image_url AS url, i.mirror_status AS status FROM images i JOIN series e ON e.id = i.series_id
      JOIN dicom_studies d ON d.id = e.dicom_study_id WHERE d.study_instance_uid = $1 ORDER BY i.id LIMIT 1`;
    const [row] = await rig.rows(sql, IMAGE, [uid]);
    return Buffer.from(await (await fetch(row?.url ?? '')).arrayBuffer()).toString('base64');
  };
  const textOf = async (accession: string) => {
    const sql = `SELECT m.state, m.reason FROM sms_messages m JOIN studies s ON s.id = m.study_id
      WHERE s.accession_number = $1`;
    return (await rig.rows(sql, TEXT, [accession]))[0];
  };

  it('an accession number that the first image did not have links the study, whatever came first', async () => {
    const who = person('RS1');
    await told(orm(rig.head(), who, orderOf('RS1', 'CT')));
    const without = { StudyInstanceUID: '2.25.9101', PatientID: 'elsewhere' };
    await rig.store(...ctSeries(without, '2.25.9101.1', 1));
    await rig.settled();
    expect(await standing('2.25.9101')).to.deep.include({ status: 'provisional' });
    // In the same series, and by the same Patient ID in the same Orthanc study.
    const [, second = Buffer.alloc(0)] = ctSeries(
      { ...without, AccessionNumber: 'RS1', PatientName: who.name },
      '2.25.9101.1',
      2,
    );
    await rig.store(second);
    await becomes('2.25.9101', 'review');
    expect((await standing('2.25.9101'))?.reason).to.equal('patient-contradicts');
    const other: StudyTags = { ...tagsOf(who, '2.25.9102', ''), StudyDate: '' };
    await rig.store(
      ...ctSeries(other, '2.25.9102.1', 1),
      ...ctSeries({ ...other, AccessionNumber: 'RS1' }, '2.25.9102.2', 1),
    );
    await becomes('2.25.9102', 'linked', 'RS1');
  });

  it('accession numbers of a Request Attributes Sequence are seen', async () => {
    const who = person('RS2');
    await told(orm(rig.head(), who, orderOf('RS2A', 'CT')));
    await told(orm(rig.head(), who, orderOf('RS2B', 'CT')));
    const one = { ...tagsOf(who, '2.25.9103', ''), RequestAttributesSequence: [{ AccessionNumber: 'RS2A' }] };
    await rig.store(...ctSeries(one, '2.25.9103.1', 1));
    await becomes('2.25.9103', 'linked', 'RS2A');
  });

  it('a file sent again as it is changes nothing and tells nobody', async () => {
    const who = person('RS3');
    await told(orm(rig.head(), who, orderOf('RS3', 'CT')));
    const files = ctSeries(tagsOf(who, '2.25.9104', 'RS3'), '2.25.9104.1', 3);
    await rig.store(...files);
    await becomes('2.25.9104', 'linked', 'RS3');
    await isMirrored('2.25.9104', 3);
    const all = () =>
      rig.rows('SELECT to_jsonb(i)::text AS row FROM images i ORDER BY id', z.object({ row: z.string() }));
    const before = await all();
    await rig.store(...files);
    await rig.settled();
    expect(await all()).to.deep.equal(before);
    expect(await differences('2.25.9104')).to.deep.equal([]);
  });

  it('a file sent again with a corrected accession number counts, once, and a person is told', async () => {
    const who = person('RS4');
    await told(orm(rig.head(), who, orderOf('RS40', 'CT')));
    await rig.store(...ctSeries(tagsOf(who, '2.25.9105', 'RS4O'), '2.25.9105.1', 2));
    await becomes('2.25.9105', 'provisional');
    const corrected = ctSeries(tagsOf(who, '2.25.9105', 'RS40'), '2.25.9105.1', 2);
    await rig.store(...corrected);
    await becomes('2.25.9105', 'linked', 'RS40');
    const noted = ['2.25.9105.1.1', '2.25.9105.1.2'].map((sop) => ({ sop, fields: ['AccessionNumber'], seen: false }));
    expect(await differences('2.25.9105')).to.deep.equal(noted);
    await rig.execute(`UPDATE image_differences SET seen_at = now(), seen_by = 'Ann'`);
    await rig.store(...corrected);
    await rig.settled();
    expect(await differences('2.25.9105')).to.deep.equal(noted.map((one) => ({ ...one, seen: true })));
  });

  it('a correction that came while the sidecar was away counts when it is back', async () => {
    const who = person('RS5');
    await told(orm(rig.head(), who, orderOf('RS50', 'CT')));
    await rig.store(...ctSeries(tagsOf(who, '2.25.9106', 'RS5O'), '2.25.9106.1', 1));
    await becomes('2.25.9106', 'provisional');
    await rig.stopSidecar();
    await rig.store(...ctSeries(tagsOf(who, '2.25.9106', 'RS50'), '2.25.9106.1', 1));
    await rig.startSidecar();
    await becomes('2.25.9106', 'linked', 'RS50');
  });

  it('another picture under the same identifiers is not answered away: a person is told', async () => {
    const who = person('RS6');
    const tags = tagsOf(who, '2.25.9107', 'RS6');
    await rig.store(crImage({ ...tags, ContentTime: '101500' }, '2.25.9107.1'));
    await becomes('2.25.9107', 'provisional');
    await rig.store(crImage({ ...tags, ContentTime: '102000', ImageComments: 'turned' }, '2.25.9107.1', 'WRIST'));
    await eventually('the difference', async () => (await differences('2.25.9107')).length === 1);
    expect((await differences('2.25.9107'))[0]?.fields).to.include.members(['ContentTime', 'BodyPartExamined']);
    const listed = (await worked('image-differs')).find(({ subject }) => subject === '2.25.9107');
    expect(listed?.reason).to.match(/BodyPartExamined, ContentTime.* \(2\.25\.9107\.1\.1\)$/);
  });

  it('of two files of one image that come at the same moment neither is lost unseen', async () => {
    const who = person('RS12');
    const pairs = Array.from({ length: 60 }, (_, index) => {
      const uid = `2.25.9113.${index}`;
      const file = (accession: string): Buffer => crImage(tagsOf(who, uid, accession), `${uid}.1`);
      return [file('RS12A'), file('RS12B')];
    });
    await Promise.all(pairs.flat().map((file) => storeByRest(rig.orthanc, [file])));
    await rig.settled();
    await eventually('all differences', async () => {
      const sql = `SELECT count(*)::int AS told FROM image_differences f JOIN images i USING (orthanc_id)
        WHERE i.sop_instance_uid LIKE '2.25.9113.%' AND f.fields = '{AccessionNumber}'`;
      return (await rig.rows(sql, z.object({ told: z.number() })))[0]?.told === pairs.length;
    });
  });

  it('what is deleted and sent again under the same identifiers is decided, labelled and drawn anew', async () => {
    const [who, other] = [person('RS7'), person('RS8')];
    await told(orm(rig.head(), who, orderOf('RS7', 'CT')));
    await told(orm(rig.head(), other, orderOf('RS8', 'CT')));
    const uid = '2.25.9108';
    // One Patient ID, so that Orthanc's identifiers are the same.
    const as = (accession: string, comment: string): StudyTags => ({
      ...tagsOf(who, uid, accession),
      PatientName: '',
      PatientBirthDate: '',
      ImageComments: comment,
    });
    await rig.store(crImage(as('RS70', 'first'), `${uid}.1`));
    await becomes(uid, 'provisional');
    await isMirrored(uid, 1);
    const first = await pictureOf(uid);
    await orthanc('DELETE', `/studies/${await studyIn(uid)}`);
    await rig.store(crImage(as('RS7', 'second'), `${uid}.1`, 'WRIST'));
    await becomes(uid, 'linked', 'RS7');
    await rig.settled();
    await isMirrored(uid, 1);
    expect(await pictureOf(uid)).not.to.equal(first);
    expect(await orthanc('GET', `/studies/${await studyIn(uid)}/labels`)).to.deep.equal(['ris-linked']);
    expect(await differences(uid)).to.deep.equal([]);
  });

  it('images in review that are deleted or modified away free no text', async () => {
    const [who, wrong] = [person('RS9'), person('RS10', { name: 'BIRCH^Bob', birthDate: '19600606' })];
    for (const [uid, accession, modify] of [
      ['2.25.9109', 'RS9A', false],
      ['2.25.9110', 'RS9M', true],
    ] as const) {
      await told(orm(rig.head(), who, orderOf(accession, 'CT')));
      await rig.store(...ctSeries(tagsOf(wrong, uid, accession), `${uid}.1`, 1));
      await becomes(uid, 'review');
      await told(oru(rig.head(), who, reportOf(accession, 'F')));
      expect(await textOf(accession)).to.deep.equal({ state: 'held', reason: 'study-in-review' });
      const study = await studyIn(uid);
      const asked = { Replace: { AccessionNumber: `${accession}X` }, Keep: [], Force: true, KeepSource: false };
      if (modify) await orthanc('POST', `/studies/${study}/modify`, asked);
      else await orthanc('DELETE', `/studies/${study}`);
      await rig.stopSidecar();
      await rig.startSidecar();
      await becomes(uid, 'deleted');
      expect(await textOf(accession)).to.deep.equal({ state: 'held', reason: 'images-deleted' });
    }
    expect((await worked('images-deleted')).map(({ subject }) => subject).sort()).to.deep.equal([
      '2.25.9109',
      '2.25.9110',
    ]);
    await rig.store(...ctSeries(tagsOf(who, '2.25.9111', 'RS9A'), '2.25.9111.1', 1));
    await becomes('2.25.9111', 'linked', 'RS9A');
    await eventually('the text', async () => (await textOf('RS9A'))?.state === 'sent');
    expect((await worked('images-deleted')).map(({ subject }) => subject)).to.deep.equal(['2.25.9110']);
  });

  it('labels that somebody took away are back', async () => {
    const uid = '2.25.9112';
    await rig.store(...ctSeries(tagsOf(person('RS11'), uid, 'RS11'), `${uid}.1`, 1));
    await rig.settled();
    const study = await studyIn(uid);
    await orthanc('DELETE', `/studies/${study}/labels/ris-provisional`);
    await eventually('the label', async () => {
      const labels = IDS.parse(await orthanc('GET', `/studies/${study}/labels`));
      return labels.includes('ris-provisional');
    });
  });
});
