import { BlobServiceClient } from '@azure/storage-blob';
import { expect } from 'chai';
import { z } from 'zod';
import { crImage, ctSeries } from '../../dev/phantoms.ts';
import { orm, oru } from '../../dev/ris-messages.ts';
import { orthancRest } from '../support/orthanc-rest.ts';
import { orderOf, person, reportOf, tagsOf } from '../support/people.ts';
import { eventually, startRig, type Rig } from '../support/rig.ts';

const IDS = z.array(z.string());

/** Orthanc as a person uses it, in Explorer or by its REST API. */
function orthancClient(rig: Rig) {
  const call = (method: string, path: string, body?: object) => orthancRest(rig.orthanc, method, path, body);
  return {
    call,
    list: async (path: string) => IDS.parse(await call('GET', path)),
    studies: async (uid: string) =>
      IDS.parse(await call('POST', '/tools/find', { Level: 'Study', Query: { StudyInstanceUID: uid } })),
  };
}

const STUDY = z.object({ status: z.string(), accession: z.string().nullable(), images: z.number() });

describe('what is deleted or modified in Orthanc', () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig({ SWEEP_INTERVAL_MS: '500', REMOVE_BLOBS_OF_DELETED: 'true' });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });
  const studyOf = async (uid: string) =>
    (
      await rig.rows(
        `SELECT d.status, s.accession_number AS accession,
                (SELECT count(*)::int FROM images i JOIN series e ON e.id = i.series_id WHERE e.dicom_study_id = d.id) AS images
         FROM dicom_studies d LEFT JOIN studies s ON s.id = d.study_id WHERE d.study_instance_uid = $1`,
        STUDY,
        [uid],
      )
    )[0];
  const becomes = (uid: string, status: string, images: number) =>
    eventually(`${uid} to be ${status} with ${images} images`, async () => {
      const study = await studyOf(uid);
      return study?.status === status && study.images === images;
    });
  const taken = async (message: string) => {
    expect(await rig.ris.send(message)).to.contain('MSA|AA|');
  };
  const blobs = async () => {
    const service = BlobServiceClient.fromConnectionString(rig.config.AZURE_STORAGE_CONNECTION_STRING);
    const names: string[] = [];
    for await (const { name } of service.getContainerClient(rig.config.AZURE_STORAGE_CONTAINER).listBlobsFlat()) {
      names.push(name);
    }
    return names;
  };

  it('a deleted image goes with its blobs, a deleted study is nobody’s, and sent again it comes back to life', async () => {
    const client = orthancClient(rig);
    const who = person('D1');
    await taken(orm(rig.head(), who, orderOf('DA1', 'CT')));
    const files = ctSeries(tagsOf(who, '2.25.3001', 'DA1'), '2.25.3001.1', 3);
    await rig.store(...files);
    await rig.settled();
    expect(await studyOf('2.25.3001')).to.deep.equal({ status: 'linked', accession: 'DA1', images: 3 });
    const [first = ''] = await client.list('/instances');
    await client.call('DELETE', `/instances/${first}`);
    await becomes('2.25.3001', 'linked', 2);
    await rig.settled();
    expect((await blobs()).filter((name) => name.includes(first))).to.deep.equal([]);
    const [study = ''] = await client.studies('2.25.3001');
    await client.call('DELETE', `/studies/${study}`);
    await becomes('2.25.3001', 'deleted', 0);
    const [kept] = await rig.rows(
      `SELECT count(*)::int AS images, count(image_url)::int AS urls,
              (SELECT count(*)::int FROM dicom_study_tags) + (SELECT count(*)::int FROM series) AS left
       FROM deleted_images WHERE study_instance_uid = '2.25.3001'`,
      z.object({ images: z.number(), urls: z.number(), left: z.number() }),
    );
    expect(kept).to.deep.equal({ images: 3, urls: 3, left: 0 });

    await rig.store(...files);
    await becomes('2.25.3001', 'linked', 3);
    await rig.settled();
    expect(await client.list(`/studies/${study}/labels`)).to.deep.equal(['ris-linked']);
    const history = await rig.rows(
      `SELECT l.status FROM link_decisions l JOIN dicom_studies d ON d.id = l.dicom_study_id
       WHERE d.study_instance_uid = '2.25.3001' ORDER BY l.id`,
      z.object({ status: z.string() }),
    );
    expect(history.map(({ status }) => status)).to.deep.equal(['linked', 'deleted', 'linked']);
  });

  it('an accession number corrected in Orthanc moves the images, and what was provisional leaves nothing behind', async () => {
    const client = orthancClient(rig);
    const who = person('D2');
    await taken(orm(rig.head(), who, orderOf('DA2')));
    await rig.store(crImage(tagsOf(who, '2.25.3002', 'DA2TYPO'), '2.25.3002.1'));
    await rig.settled();
    expect(await studyOf('2.25.3002')).to.include({ status: 'provisional' });
    const [study = ''] = await client.studies('2.25.3002');
    const modified = z.object({ ID: z.string() }).parse(
      await client.call('POST', `/studies/${study}/modify`, {
        Replace: { AccessionNumber: 'DA2' },
        KeepSource: false,
      }),
    );
    await becomes('2.25.3002', 'deleted', 0);
    // A sweep may have seen that the one is gone before the feed shows the other.
    await rig.until('the other', 'SELECT EXISTS (SELECT 1 FROM dicom_study_tags WHERE orthanc_id = $1)', [modified.ID]);
    const [moved] = await rig.rows(
      `SELECT d.status, s.accession_number AS accession, 1 AS images FROM dicom_studies d
       JOIN studies s ON s.id = d.study_id JOIN dicom_study_tags t ON t.dicom_study_id = d.id WHERE t.orthanc_id = $1`,
      STUDY,
      [modified.ID],
    );
    expect(moved).to.include({ status: 'linked', accession: 'DA2' });
    const left = await rig.rows(
      `SELECT id FROM studies WHERE source = 'dicom' UNION ALL SELECT id FROM patients WHERE source = 'dicom'`,
      z.object({ id: z.string() }),
    );
    expect(left).to.deep.equal([]);
  });

  it('a patient corrected in Orthanc settles the review and lets the text go out, within seconds and without a sweep', async () => {
    await rig.stopSidecar();
    await using quiet = await startRig();
    const client = orthancClient(quiet);
    const [right, wrong] = [person('D3'), person('D4', { name: 'SMITH^Jane', birthDate: '19500505' })];
    await quiet.ris.send(orm(quiet.head(), right, orderOf('DA3')));
    await quiet.store(crImage(tagsOf(wrong, '2.25.3003', 'DA3'), '2.25.3003.1'));
    await quiet.settled();
    await quiet.ris.send(oru(quiet.head(), right, reportOf('DA3', 'F')));
    await quiet.settled();
    expect(quiet.sandbox.messages).to.have.length(0);
    const [study = ''] = await client.studies('2.25.3003');
    await client.call('POST', `/studies/${study}/modify`, {
      Replace: { PatientID: right.id, PatientName: right.name, PatientBirthDate: right.birthDate },
      Force: true,
      KeepSource: false,
    });
    await eventually('the text', () => Promise.resolve(quiet.sandbox.messages.length === 1));
    await quiet.settled();
    const rows = await quiet.rows(
      'SELECT status, study_instance_uid AS accession, 0 AS images FROM dicom_studies ORDER BY id',
      STUDY,
    );
    expect(rows.map(({ status }) => status)).to.deep.equal(['deleted', 'linked']);
    await rig.startSidecar();
  });

  it('instances that the feed did not show are taken by the sweep', async () => {
    const who = person('D5');
    await rig.stopSidecar();
    await rig.store(crImage(tagsOf(who, '2.25.3005'), '2.25.3005.1'));
    await rig.execute('UPDATE feed_cursor SET seq = 1000000');
    await rig.startSidecar();
    await becomes('2.25.3005', 'provisional', 1);
    await rig.execute('UPDATE feed_cursor SET seq = 0');
  });

  it('labels that somebody changed are put right by the sweep', async () => {
    const client = orthancClient(rig);
    await rig.store(crImage(tagsOf(person('D6'), '2.25.3006'), '2.25.3006.1'));
    await rig.settled();
    const [study = ''] = await client.studies('2.25.3006');
    for (const label of ['urgent', 'ris-linked']) await client.call('PUT', `/studies/${study}/labels/${label}`);
    await client.call('DELETE', `/studies/${study}/labels/ris-provisional`);
    await eventually('the labels to be put right', async () => {
      const labels = await client.list(`/studies/${study}/labels`);
      return labels.toSorted().join() === 'ris-provisional,urgent';
    });
  });

  it('an Orthanc that lost most of its images is not believed, and a person is told', async () => {
    await rig.execute(
      `INSERT INTO images (series_id, orthanc_id, sop_instance_uid, sop_class_uid, transfer_syntax_uid, number_of_frames,
                           mirror_status, mirror_reason)
       SELECT (SELECT min(id) FROM series), 'f0000000-' || n, 'x', 'x', 'x', 1, 'no-pixels', 'test'
       FROM generate_series(1, 200) AS n`,
    );
    const told = `SELECT EXISTS (SELECT 1 FROM failures WHERE part = 'sweep' AND code = 'orthanc-lost-most')`;
    await rig.until('the failure', told);
    const [images] = await rig.rows('SELECT count(*)::int AS count FROM images', z.object({ count: z.number() }));
    expect(images?.count).to.be.greaterThan(200);
    await rig.execute(`DELETE FROM images WHERE orthanc_id LIKE 'f0000000-%'`);
    await rig.until('the failure to go', `SELECT NOT EXISTS (SELECT 1 FROM failures)`);
  });
});
